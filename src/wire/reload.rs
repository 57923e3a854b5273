//! Reloading the configuration.

use serde::{Deserialize, Serialize};

use crate::rules::time::Time;

/// `POST /v1/reload`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Reload {
    /// Only tell what would change.
    #[serde(default)]
    pub dry_run: bool,
}

/// What a reload came to: the file loads, and strands no lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Reloaded {
    /// The file.
    pub config: String,
    /// Whether it was only asked what would change.
    pub dry_run: bool,
    /// Whether leases were refused before for want of a configuration, and are made again.
    pub makes_again: bool,
    /// Each setting that is another than before, in the order of the file.
    pub changes: Vec<Changed>,
    /// Open leases, which keep their deadlines in any case.
    pub open_leases: u64,
    /// What is allowed in the file, but probably not meant.
    pub warnings: Vec<String>,
}

/// One setting that is another than before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Changed {
    /// What it is of: `daemon`, `access`, `account 111122223333` or `policy NAME`.
    pub what: String,
    /// The key in the file; empty where the whole account or policy was added or is gone.
    pub key: String,
    /// Its value before; none where it had none.
    pub was: Option<String>,
    /// Its value now; none where it is gone.
    pub is: Option<String>,
    /// How many open leases are of this account or policy.
    pub leases: u64,
    /// What that means for them, where it means anything.
    pub means: Option<String>,
}

/// A file that did not load, or was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ConfigProblem {
    /// When it was tried.
    pub at: Time,
    /// Every problem with its place in the file, or why the file was refused.
    pub text: String,
}
