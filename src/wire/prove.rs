//! Proving the way out, because somebody wants to know.

use serde::{Deserialize, Serialize};

use crate::ids::KeyArn;
use crate::rules::time::Time;

/// `POST /v1/proofs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Prove {
    /// The key: whatever a create takes.
    pub key: String,
}

/// grantd has made a grant to its own role on the key, and ended it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Proven {
    /// The key.
    pub key_arn: KeyArn,
    /// When the proof was whole.
    pub at: Time,
}
