//! Another deadline for a lease, asked for and given.

use serde::{Deserialize, Serialize};

use super::Lease;
use crate::rules::time::Time;

/// `POST /v1/leases/REF/extend`: another deadline, later or earlier. The header `Idempotency-Key`
/// makes a repeat return what came of the first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ExtendLease {
    /// How long from now, such as `2h`. Either this or `until`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<String>,
    /// Until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
    /// Why, in the asker's words; kept in the history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether an administrator wants to go beyond the policy's maximum from the first creation.
    #[serde(default)]
    pub beyond_policy: bool,
    /// Whether the reply is to carry the new grant's token.
    #[serde(default)]
    pub token: bool,
}

/// The reply to an extension. While the outcome is unknown the reply is 202 with a
/// [`super::Problem`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LeaseExtended {
    /// The lease, with its new deadline.
    pub lease: Lease,
    /// The new grant's token, where it was asked for. Given once, kept nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// True when nothing was made: an idempotency key found the extension that it made before, or
    /// the lease ended at that instant already.
    #[serde(default)]
    pub repeated: bool,
    /// When access may be refused although the lease lives; none where that cannot be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap: Option<Gap>,
}

/// The old grant's end may show before the new grant does. The new grant's token gives access all
/// the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Gap {
    /// When the old grant's end is or was sent.
    pub from: Time,
    /// When the new grant shows everywhere, as a rule.
    pub until: Time,
}

impl std::fmt::Debug for LeaseExtended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let token = self.token.as_ref().map(|_| "…"); // no log line shows a token
        f.debug_struct("LeaseExtended")
            .field("lease", &self.lease)
            .field("token", &token)
            .field("repeated", &self.repeated)
            .field("gap", &self.gap)
            .finish()
    }
}
