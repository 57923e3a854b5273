//! The ledger: the SQLite database of one host, and the only module that knows SQL.
//!
//! - `place` finds and guards the files, `open` opens them, `base` is the one connection with its
//!   transactions.
//! - `grants`, `succeed`, `found` and `adopt` move rows (always through `rules::life::step`),
//!   `columns` maps a life to columns and back.
//! - `limits` refuses what is above a hard limit, in the transaction that would pass it.
//! - `refusals` keeps what is refused until the history has it.
//! - `history` is the hash chain, written in the same transaction as the change it tells of;
//!   `verify` walks it.
//! - `reads` and `pages` answer questions, each bounded; `sql` holds every statement, so that a
//!   test can ask for its plan.
//! - `pump` batches jobs into commits and answers after them; [`Handle`] is how the rest of
//!   grantd talks to it.
//!
//! **What is durable.** Whatever a [`Handle`] call has answered `Ok` (WAL, `synchronous=FULL`). A
//! crash leaves whole transactions: never a row without its history, never a grant without its
//! lease.
//!
//! **In doubt.** An error at COMMIT may still turn out as a commit after a restart (reliability
//! 0.3). Then nobody may act on either outcome: every job of the batch gets
//! [`LedgerError::InDoubt`], and the file is closed and read afresh. `SQLITE_FULL` alone is a
//! definite rollback.

mod adopt;
mod ahead;
mod backup;
mod base;
mod columns;
mod copy;
mod drift;
mod error;
mod found;
mod freeze;
mod grants;
mod history;
mod hold;
mod limits;
mod memos;
mod new;
mod open;
mod pages;
mod place;
mod pump;
mod reads;
mod refusals;
mod sql;
mod succeed;
mod verify;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::ids::{GrantId, KeyArn, Principal, Ref};
use crate::kms::Lane;
use crate::rules::found::Overdue;
use crate::rules::life::{self, Event, Facts, Illegal, Life};
use crate::rules::time::Now;
use crate::terms::GrantRequest;

pub use adopt::{AdoptedGrant, Adopting, Passage};
pub use backup::{BackedUp, BackupError};
pub use base::Ledger;
pub use drift::Listable;
pub use error::{LedgerError, OpenError};
pub use found::Sighting;
pub use grants::Stepped;
pub use history::Head;
pub use limits::Census;
pub use memos::{Clocks, Stall, Waiting};
pub use new::{FoundGrant, LaneFacts, NewLease, Note, Successor};
pub use open::Opened;
pub use place::{broken_files, has_ballast, set_aside};
pub use pump::{Handle, Urgency};
pub use reads::Checked;
pub use verify::Walk;

/// A row of `kms_grant` with what is needed to act on it. Made only by the ledger, from what is
/// stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    id: i64,
    reference: Ref,
    lane: Arc<Lane>,
    key_arn: KeyArn,
    grantee: Principal,
    serial: u32,
    twin: u32,
    name: Option<String>,
    request: Option<GrantRequest>,
    facts: Facts,
    life: Life,
}

/// The proof that a create is on the disk: only a commit makes one, and without one there is no
/// CreateGrant.
#[derive(Debug)]
pub struct Intent {
    grant: i64,
    lane: Arc<Lane>,
    request: GrantRequest,
}

/// The proof that a grant is ours to end: only a row of ours makes one, or what [`found`] proves to
/// be ours. There is no way to name a foreign grant.
///
/// [`found`]: crate::rules::found
#[derive(Debug, Clone)]
pub struct Warrant {
    lane: Arc<Lane>,
    key_arn: KeyArn,
    id: GrantId,
}

impl Intent {
    /// Private to the ledger: `pump` calls it, after the commit.
    fn of(row: &Row) -> Option<Self> {
        Some(Self { grant: row.id, lane: Arc::clone(&row.lane), request: row.request.clone()? })
    }

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
    /// Without a row, for a grant that is provably ours and past its deadline (`grantd sweep`).
    #[must_use]
    pub fn of_overdue(proof: &Overdue) -> Self {
        Self {
            lane: Arc::new(proof.lane().clone()),
            key_arn: proof.key_arn().clone(),
            id: proof.id().clone(),
        }
    }

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
    /// Who has access by its lease.
    #[must_use]
    pub const fn grantee(&self) -> &Principal {
        &self.grantee
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
    /// The grant's Name, as KMS shows it.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
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
    /// The row as it would be after `event`, in memory alone: for ends that go out while the disk
    /// does not answer. It stays a row of ours, so it keeps its warrant; nothing is written.
    ///
    /// # Errors
    /// [`Illegal`] as [`life::step`].
    pub fn stepped(&self, event: &Event, now: Now) -> Result<Self, Illegal> {
        let life = life::step(&self.facts, &self.life, event, now)?.life;
        Ok(Self { life, ..self.clone() })
    }

    /// The right to end its grant; none while KMS has named no grant.
    #[must_use]
    pub fn warrant(&self) -> Option<Warrant> {
        let id = self.life.state.grant_id()?.clone();
        Some(Warrant { lane: Arc::clone(&self.lane), key_arn: self.key_arn.clone(), id })
    }
}
