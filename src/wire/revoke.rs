//! Ending many leases at once.

use serde::{Deserialize, Serialize};

use crate::ids::Ref;

/// `POST /v1/leases/REF/revoke` answers with the lease, once KMS accepted the end or 10 s have
/// passed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RevokeLease {
    /// Why, in the asker's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// `POST /v1/revoke`: all of these or, where the caller may not end one of them, none. Answers with
/// a page of the leases as they are then, in the order of `refs`: the wish is recorded, and KMS's
/// yes comes as the pace allows. A repeat is harmless.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RevokeLeases {
    /// Whole refs, 1 to [`REVOKE_MAX`].
    pub refs: Vec<Ref>,
    /// Why, in the asker's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Only check that the caller may, and answer with the leases as they are.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
}

/// Leases of one `POST /v1/revoke`: a page of a listing, and one commit of some milliseconds.
pub const REVOKE_MAX: usize = 100;
