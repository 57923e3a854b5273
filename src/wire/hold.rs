//! Holding a lease: it lives while the connection does.

use serde::{Deserialize, Serialize};

use crate::rules::time::Time;

/// One line of the answer to `POST /v1/leases/REF/hold`, which goes on for as long as the lease
/// lives and the caller stays: the lease as it is, at once and then every few seconds. When the
/// caller's connection closes before the lease is over, the lease is ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct HeldLease {
    /// As in the lease.
    pub state: String,
    /// When it ends at the latest.
    pub deadline: Time,
}

impl HeldLease {
    /// Whether nobody needs to hold it any more: it ends, or has ended.
    #[must_use]
    pub fn is_over(&self) -> bool {
        !matches!(self.state.as_str(), "creating" | "active")
    }
}
