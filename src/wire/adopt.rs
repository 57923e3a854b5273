//! Grants that others made, under deadlines: what is held, and what a person takes up by hand.

use serde::{Deserialize, Serialize};

use crate::ids::{GrantId, KeyArn};
use crate::rules::time::Time;

/// Why grants of others are not ended, until an administrator resumes it: a policy that has begun
/// to enforce, or the brake of a key. One of the two is named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct AdoptionHold {
    /// The policy that adopts nothing yet.
    pub policy: Option<String>,
    /// The key whose adopted grants are not ended any more.
    pub key_arn: Option<KeyArn>,
    /// Since when.
    pub since: Time,
    /// How many grants wait for it: to be adopted, or past their deadlines.
    pub grants: i64,
}

/// `POST /v1/resume`: what is held goes on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Resume {
    /// These policies.
    #[serde(default)]
    pub policies: Vec<String>,
    /// These keys: whatever a create takes.
    #[serde(default)]
    pub keys: Vec<String>,
    /// Everything that is held; then nothing is named.
    #[serde(default)]
    pub all: bool,
    /// Why, for the history.
    #[serde(default)]
    pub reason: Option<String>,
}

/// `POST /v1/adoptions`: put one grant of somebody else under a deadline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AdoptGrant {
    /// Its key: whatever a create takes.
    pub key: String,
    /// KMS's id of it.
    pub grant_id: GrantId,
    /// How long access is to last from now.
    #[serde(default)]
    pub ttl: Option<String>,
    /// Until when, instead.
    #[serde(default)]
    pub until: Option<Time>,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
}

/// `POST /v1/searches`: the daemon looks at the keys now. It answers once it has begun.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Search {}

/// How many lanes are searched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Searching {
    /// Accounts and Regions.
    pub lanes: u32,
}
