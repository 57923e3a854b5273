//! The history, and whether its chain holds.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::Ref;
use crate::rules::time::Time;

/// One row of the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct HistoryRow {
    /// 1, 2, 3, … without a gap.
    pub seq: i64,
    /// When.
    pub at: Time,
    /// The lease it is about.
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<Ref>,
    /// What happened, such as `granted` or `end-accepted`.
    pub kind: String,
    /// Who did it: `uid 1000 (alice)`, `grantd`, `kms`.
    pub actor: String,
    /// The particulars.
    pub body: serde_json::Value,
    /// SHA-256 over this row and the hash of the one before, in hex.
    pub hash: String,
}

/// `GET /v1/history`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ListHistory {
    /// Only this lease (any unique prefix).
    #[serde(rename = "ref")]
    pub reference: Option<String>,
    /// Only rows at or after this.
    pub since: Option<Time>,
    /// Cursor of a former page.
    pub after: Option<String>,
}

/// The chain was walked; `GET /v1/history/verify`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Verified {
    /// How many rows were checked.
    pub rows: i64,
    /// The number of the last one that fits.
    pub seq: i64,
    /// The hash of that one, in hex: compare it with the head in the journal.
    pub head: String,
    /// The first thing that does not fit, and why.
    pub broken: Option<Broken>,
}

/// Where the chain breaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Broken {
    /// The row; none where what guards the rows is not what it was.
    pub seq: Option<i64>,
    /// What does not fit.
    pub why: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.seq {
            Some(seq) => write!(f, "the history breaks at row {seq}: {}", self.why),
            None => write!(f, "what guards the history was changed: {}", self.why),
        }
    }
}
