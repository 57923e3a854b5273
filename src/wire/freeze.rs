//! Freezing: no new leases for a while, of some kind or of all.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Asker;
use crate::ids::{AccountId, KeyArn};
use crate::rules::time::Time;

/// Which leases: all fields that are set have to fit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Scope {
    /// Key ARN, key id or alias. Unlike the filter of a listing it means the key itself, however it
    /// is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Grantee ARN, what stands in it behind the account (`role/RoleB`), or its last piece. A role
    /// or user is meant under whatever path it is, and a role with its sessions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grantee: Option<String>,
    /// Policy name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// The account of the key, or the one whose credentials make the grant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
    /// The uid of the asker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<u32>,
}

impl Scope {
    /// Whether every lease fits.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        *self == Self::default()
    }
}

/// `key alias/app, caller 1000`, or `everything`.
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_everything() {
            return f.write_str("everything");
        }
        let Self { key, grantee, policy, account, caller } = self;
        let fields = [
            ("key", key.clone()),
            ("grantee", grantee.clone()),
            ("policy", policy.clone()),
            ("account", account.as_ref().map(ToString::to_string)),
            ("caller", caller.map(|uid| uid.to_string())),
        ];
        let set = fields.into_iter().filter_map(|(name, value)| Some(format!("{name} {}", value?)));
        f.write_str(&set.collect::<Vec<_>>().join(", "))
    }
}

/// `POST /v1/freezes`, for administrators and root. It stays until it is lifted
/// (`POST /v1/freezes/ID/lift`), and stops no end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct NewFreeze {
    /// Which leases.
    #[serde(default)]
    pub scope: Scope,
    /// Said where the scope is everything, so that nobody freezes all by leaving something out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub all: bool,
    /// Why; those who are refused are told.
    pub reason: String,
}

/// `POST /v1/freezes/ID/lift`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LiftFreeze {
    /// Why, for the history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A freeze that stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Freeze {
    /// Its number; never used again.
    pub id: i64,
    /// Which leases.
    pub scope: Scope,
    /// The keys that the scope's alias named when it was frozen: they stay frozen when it is moved.
    /// None for another scope, and where KMS did not say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<KeyArn>,
    /// Why.
    pub reason: String,
    /// Who froze.
    pub by: Asker,
    /// When.
    pub at: Time,
}
