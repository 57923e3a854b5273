//! The ledger: the SQLite database of one host.

use std::sync::Arc;

use crate::ids::{GrantId, KeyArn, Ref};
use crate::kms::Lane;
use crate::rules::life::{Facts, Life};
use crate::terms::GrantRequest;

/// A row of `kms_grant` with what is needed to act on it. Made only by the ledger, from what is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    id: i64,
    reference: Ref,
    lane: Arc<Lane>,
    key_arn: KeyArn,
    serial: u32,
    twin: u32,
    request: Option<GrantRequest>,
    facts: Facts,
    life: Life,
}

/// The proof that a create is on the disk: only a commit makes one, and without one there is no CreateGrant.
#[derive(Debug)]
pub struct Intent {
    grant: i64,
    lane: Arc<Lane>,
    request: GrantRequest,
}

/// The proof that a grant is ours to end: only a row of ours makes one. There is no way to name a foreign grant.
#[derive(Debug, Clone)]
pub struct Warrant {
    lane: Arc<Lane>,
    key_arn: KeyArn,
    id: GrantId,
}

impl Intent {
    /// The row.
    #[must_use]
    pub const fn grant(&self) -> i64 {
        self.grant
    }
    /// Where to send it.
    #[must_use]
    pub fn lane(&self) -> &Lane {
        &self.lane
    }
    /// What to send, to the letter.
    #[must_use]
    pub const fn request(&self) -> &GrantRequest {
        &self.request
    }
}

impl Warrant {
    /// Where to send it.
    #[must_use]
    pub fn lane(&self) -> &Lane {
        &self.lane
    }
    /// The key.
    #[must_use]
    pub const fn key_arn(&self) -> &KeyArn {
        &self.key_arn
    }
    /// The grant.
    #[must_use]
    pub const fn id(&self) -> &GrantId {
        &self.id
    }
}

impl Row {
    /// Its id in the ledger.
    #[must_use]
    pub const fn id(&self) -> i64 {
        self.id
    }
    /// Its lease.
    #[must_use]
    pub const fn reference(&self) -> &Ref {
        &self.reference
    }
    /// Its lane.
    #[must_use]
    pub const fn lane(&self) -> &Arc<Lane> {
        &self.lane
    }
    /// Its key.
    #[must_use]
    pub const fn key_arn(&self) -> &KeyArn {
        &self.key_arn
    }
    /// 1, and one more for each extension.
    #[must_use]
    pub const fn serial(&self) -> u32 {
        self.serial
    }
    /// Above 0: a second grant under the same Name.
    #[must_use]
    pub const fn twin(&self) -> u32 {
        self.twin
    }
    /// The CreateGrant as it was sent; none for what was only found.
    #[must_use]
    pub const fn request(&self) -> Option<&GrantRequest> {
        self.request.as_ref()
    }
    /// What never changes about it.
    #[must_use]
    pub const fn facts(&self) -> &Facts {
        &self.facts
    }
    /// What does.
    #[must_use]
    pub const fn life(&self) -> &Life {
        &self.life
    }
    /// The right to end its grant; none while KMS has named no grant.
    #[must_use]
    pub fn warrant(&self) -> Option<Warrant> {
        let id = self.life.state.grant_id()?.clone();
        Some(Warrant { lane: Arc::clone(&self.lane), key_arn: self.key_arn.clone(), id })
    }
}
