//! What is not any more as it was when it was decided upon.

use serde::{Deserialize, Serialize};

use crate::ids::{AccountId, KeyArn, Region};
use crate::rules::time::Time;

/// A key with live leases that cannot be used: they give no access meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct KeyOff {
    /// The key.
    pub key_arn: KeyArn,
    /// In KMS's word, such as `Disabled`; `NotFound` where there is no such key any more.
    pub state: String,
    /// Since when grantd has seen it so.
    pub since: Time,
}

/// An alias that a policy names and that points at another key than before. Until it is accepted it
/// names neither.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct MovedAlias {
    /// The account.
    pub account: AccountId,
    /// The Region.
    pub region: Region,
    /// With its `alias/`.
    pub alias: String,
    /// Where it pointed when it was first seen, or last accepted.
    pub was: KeyArn,
    /// Where it points now.
    pub is: KeyArn,
    /// Since when grantd has seen it so.
    pub since: Time,
}

/// `POST /v1/aliases/accept`: it is meant to point where it points.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AcceptAlias {
    /// With its `alias/`, in every account and Region where it has moved.
    pub alias: String,
    /// Only in this account.
    #[serde(default)]
    pub account: Option<AccountId>,
    /// Only in this Region.
    #[serde(default)]
    pub region: Option<Region>,
    /// Why, for the history.
    #[serde(default)]
    pub reason: Option<String>,
}
