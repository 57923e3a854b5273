//! The life of one KMS grant: `creating → active → ending → ended → closed`.
//!
//! [`step()`] is one pure, total function from (facts, state, event, now) to the next state, the
//! next act with its time, and the history row. A restart has no code of its own: the row says what
//! comes next.
//!
//! Two rules carry the weight (reliability 0.2 and section 5, found by model checking):
//! - *"Not found" and an empty listing prove nothing until the row is settled*: a delayed
//!   CreateGrant may still be accepted within its signature window, and needs one propagation
//!   window more to show.
//! - *CreateGrant is never sent at or after the deadline*, so the last send bounds the wait.

mod ending;
mod outcome;
mod step;

use serde::{Deserialize, Serialize};

use crate::ids::GrantId;
use crate::rules::time::{Now, SECOND, Time};

pub use outcome::{Class, Outcome};
pub use step::step;

/// No call takes longer: the attempt time-out (≤ 10 s, kms/aws) and slack for the commits.
pub const PATIENCE: i64 = 12 * SECOND;
/// What was sent and has no recorded answer is looked into this soon. Only a restart comes to it: a
/// sender that lives holds its row.
pub const END_AGAIN: i64 = SECOND;
/// An end that KMS cannot yet match to a young grant is tried again this soon (DESIGN 6).
pub const UNSETTLED_RETRY: i64 = 2 * SECOND;
/// An end of what KMS lists and does not find comes again no sooner.
pub const UNFOUND_RETRY: i64 = 5 * SECOND;
/// The first look after an accepted end or an unanswered create: most changes propagate within
/// seconds (kms-facts 4).
pub const FIRST_LOOK: i64 = SECOND;
/// Looks never come farther apart than this while something is awaited.
pub const LOOK_EVERY: i64 = 30 * SECOND;
/// The longest pause between two tries of one row. There is no limit to their number.
pub const ROW_BACKOFF_MAX: i64 = 60 * SECOND;
/// A grant that was only *found* is ended this much after its deadline, so that the host that owns
/// the row goes first.
pub const STAND_IN_DELAY: i64 = SECOND;

/// What a row asks for next. Creating is no act: only the desk sends it, while an asker waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Act {
    /// Send RetireGrant or RevokeGrant.
    End,
    /// Ask KMS whether the grant is there.
    Look,
}

/// The two ways to end a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Via {
    /// RetireGrant: ours by being the retiring principal; it cannot touch anybody else's grant.
    Retire,
    /// RevokeGrant: needs a permission that covers every grant of the key.
    Revoke,
}

/// In which order the ways out are tried: by whose grant it is, and what its lane has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndOrder {
    /// Our own grant: we are its retiring principal.
    Retire,
    /// Our own grant on a lane with a revoke role: retire, and when that is refused, revoke.
    RetireThenRevoke,
    /// Somebody else's grant under our policy.
    Revoke,
}

impl EndOrder {
    /// The way to try first.
    #[must_use]
    pub const fn first(self) -> Via {
        match self {
            Self::Retire | Self::RetireThenRevoke => Via::Retire,
            Self::Revoke => Via::Revoke,
        }
    }

    /// The way to try after `via` was refused: the other one where there is one, else the same for
    /// ever.
    #[must_use]
    pub const fn after(self, via: Via) -> Via {
        match (self, via) {
            (Self::RetireThenRevoke, Via::Retire) | (Self::Revoke, _) => Via::Revoke,
            (Self::RetireThenRevoke, Via::Revoke) | (Self::Retire, _) => Via::Retire,
        }
    }
}

/// Why a grant is being ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// Its deadline less its lead has come.
    Deadline,
    /// A named person asked; the history says who.
    Asked,
    /// It was made to prove the way out, and has served.
    Probe,
    /// It is a second grant under one Name.
    Twin,
}

/// How a grant came to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// RetireGrant was answered 200, and a later look found nothing.
    Retired,
    /// RevokeGrant was answered 200, and a later look found nothing.
    Revoked,
    /// Nobody told us that it ended; two looks settle apart found nothing.
    Gone,
    /// The create never took effect, and no copy of it can still arrive.
    NeverExisted,
}

/// Where a row comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// A person asked for it here.
    Asked,
    /// Ours by its Name, found without a row: another host of the group made it, or the ledger was
    /// lost.
    Found,
    /// Made by grantd to prove that it can end grants on this key.
    Probe,
    /// Somebody else's, under the deadline of a policy, or of a person of this host.
    Adopted,
}

/// What never changes about a row, or only by the host's own choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// UTC, whole seconds.
    pub deadline: Time,
    /// How long before the deadline the end is sent, in ms.
    pub lead: i64,
    /// How long after the last CreateGrant send a stray copy may still appear, in ms.
    pub settle: i64,
    /// The ways out.
    pub order: EndOrder,
    /// Where the row comes from.
    pub origin: Origin,
}

impl Facts {
    /// When the end is to be sent.
    #[must_use]
    pub const fn due_at(&self) -> Time {
        self.origin.due_at(self.deadline, self.lead)
    }
}

/// The CreateGrant sends of a row. Counted and committed *before* each send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Sends {
    /// How many left, answered or not.
    pub count: u32,
    /// How many of them KMS has not answered with a definite word: each may still take effect.
    pub open: u32,
    /// When the last one left; bounds how long a stray copy may arrive.
    pub last: Time,
}

impl Sends {
    /// Sent once and answered: the grant id is the whole truth, and a look by id is enough.
    /// Otherwise a twin may exist, and only the key's whole listing shows it.
    #[must_use]
    pub const fn by_id(&self) -> bool {
        self.count == 1 && self.open == 0
    }

    /// No stray copy can appear any more.
    #[must_use]
    pub const fn settled(&self, settle: i64, least: Time) -> bool {
        least.since(self.last) >= settle
    }
}

/// The end attempts of a row. Counted and committed before each send (or, while the disk does not
/// answer, after it).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Tries {
    /// How many left.
    pub count: u32,
    /// When the first one left.
    pub first: Option<Time>,
    /// When the last one left.
    pub last: Option<Time>,
}

/// Where a grant is in its life. Each variant holds what is known then, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum State {
    /// The intent is durable; a grant may exist, or still appear.
    Creating {
        /// The sends so far.
        create: Sends,
        /// Set when the grant, should it appear, is to be ended at once.
        unwanted: Option<Why>,
    },
    /// KMS has it.
    Active {
        /// KMS's id.
        id: GrantId,
        /// The sends that made it.
        create: Sends,
        /// When a settled look first missed it: somebody else may have ended it. It keeps its end
        /// at the deadline.
        missing: Option<Time>,
    },
    /// It is to end now; tries go on until KMS says that it did.
    Ending {
        /// KMS's id.
        id: GrantId,
        /// The sends that made it.
        create: Sends,
        /// Why it ends.
        why: Why,
        /// The way being tried.
        via: Via,
        /// The tries so far.
        end: Tries,
    },
    /// KMS accepted the end, or no longer knows the grant; the listing has to agree before it is
    /// closed.
    Ended {
        /// KMS's id.
        id: GrantId,
        /// The sends that made it.
        create: Sends,
        /// Why it ended.
        why: Why,
        /// The way that was accepted.
        via: Via,
        /// When the accepted (or last) end was sent.
        issued: Option<Time>,
        /// When KMS said yes; `None` when it only said "not found".
        accepted: Option<Time>,
        /// When the first listing that lacks it was begun.
        gone: Option<Time>,
    },
    /// Nothing lives, and nothing can still arrive.
    Closed {
        /// What closed it.
        how: How,
        /// When the first listing that lacks it was begun; `None` where there was no grant.
        gone: Option<Time>,
        /// When.
        at: Time,
    },
}

impl State {
    /// KMS's id, once known.
    #[must_use]
    pub const fn grant_id(&self) -> Option<&GrantId> {
        match self {
            Self::Active { id, .. } | Self::Ending { id, .. } | Self::Ended { id, .. } => Some(id),
            Self::Creating { .. } | Self::Closed { .. } => None,
        }
    }

    /// The word for tables, history and the ledger's `state` column.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Creating { .. } => "creating",
            Self::Active { .. } => "active",
            Self::Ending { .. } => "ending",
            Self::Ended { .. } => "ended",
            Self::Closed { .. } => "closed",
        }
    }
}

/// What happened to a row.
#[derive(Debug, Clone)]
pub enum Event {
    /// A create or an end leaves now.
    Sending,
    /// CreateGrant was answered, or was not.
    Created(Outcome<GrantId>),
    /// The asker no longer waits for a create: nothing will be sent again.
    Abandoned,
    /// The end was answered, or was not.
    Answered(Outcome<()>),
    /// A complete look: every id on the key that bears this row's id, or its Name and request.
    Looked {
        /// When the look began: changes after it are not in it.
        began: Now,
        /// What it found.
        ids: Vec<GrantId>,
    },
    /// `deadline - lead` has come, by the guarded clock.
    Due,
    /// A person, a finished probe or a twin asks for the end.
    End(Why),
}

/// The next act of a row, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Next {
    /// What to do.
    pub act: Act,
    /// When, UTC.
    pub at: Time,
}

/// What the history says about a step. A step that tells a reader nothing new has none: a retry for
/// ever must not fill the disk, and the row counts the attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record(pub &'static str);

/// The part of a row that changes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Life {
    /// Where the grant is.
    pub state: State,
    /// What comes next; `None` exactly when closed.
    pub next: Option<Next>,
    /// Why the row waits, as the last answer put it; `None` when nothing is wrong.
    pub fault: Option<Class>,
}

/// The result of [`step()`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Step {
    /// The row's new life.
    pub life: Life,
    /// Other grants under our Name and request: each becomes a row that is ended at once.
    pub twins: Vec<GrantId>,
    /// The history row.
    pub record: Option<Record>,
}

/// An event that cannot befall a row in this state: a bug of ours, refused before it reaches the
/// ledger.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{event} cannot happen to a grant that is {state}: this is a bug in grantd, please report it"
)]
pub struct Illegal {
    /// The word of the state.
    pub state: &'static str,
    /// The event's name.
    pub event: &'static str,
}

#[cfg(test)]
mod ending_tests;
#[cfg(test)]
mod histories;
#[cfg(test)]
mod tests;
