//! A lane, as the status shows it.

use serde::{Deserialize, Serialize};

use crate::ids::{AccountId, Principal, Region};
use crate::rules::time::Time;

/// One lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LaneStatus {
    /// The account.
    pub account: AccountId,
    /// The Region.
    pub region: Region,
    /// Where KMS is, if not at AWS.
    pub endpoint: Option<String>,
    /// Who retires our grants there.
    pub retiring_principal: Principal,
    /// When KMS last answered anything.
    pub answered_at: Option<Time>,
    /// What it last answered.
    pub answer: Option<String>,
    /// Ends at a deadline that it sends in a second at most.
    #[serde(default)]
    pub ends_per_second: u32,
    /// Set while no row of this lane is closed, with the reason.
    pub frozen: Option<String>,
    /// Set while its credentials cannot be refreshed, with the reason; those in hand may serve on.
    pub unrefreshed: Option<String>,
    /// After a start: grants that were made before it are searched for, and no lease is made yet.
    #[serde(default)]
    pub searching: bool,
    /// The last search could not list all grants that grantd's role may retire, and went by the
    /// policies' keys alone.
    #[serde(default)]
    pub incomplete: bool,
}
