//! The chain of a lease's grants. KMS cannot change a grant, so another deadline is another grant
//! under the same lease: a *successor*, with the next serial and a Name of its own.
//!
//! A later deadline: both give the same access, and the old one simply ends at its own. An earlier
//! one: the successor has to be there first, then the old one is ended at once. Which of the two it
//! is needs no mark, since serials and deadlines say it; so a crash, a restart or a host that knows
//! nothing but the Names comes to the same end: *what a later serial with an earlier deadline has
//! replaced is ended.*

use crate::fault::{Fault, Kind};
use crate::ids::Ref;
use crate::rules::life::{Facts, How, Life, State};
use crate::rules::time::{MINUTE, Time};

/// How long a change may take to show (kms-facts 4: usually seconds, in most cases within five
/// minutes).
pub const PROPAGATION: i64 = 5 * MINUTE;
/// The highest serial: reads of a lease show no more grants. Who needs more needs another lease.
pub const SERIAL_MAX: u32 = 100;

/// Where a grant of the chain is, as far as its successors care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Its create has no known outcome yet.
    Unknown,
    /// It gives access.
    Live,
    /// A settled look missed it: somebody else may have ended it.
    Missing,
    /// It is being ended, or was.
    Over,
    /// KMS never made it.
    Never,
}

/// One grant of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Its serial.
    pub serial: u32,
    /// Its deadline.
    pub deadline: Time,
    /// When its end is sent.
    pub due_at: Time,
    /// Where it is.
    pub place: Place,
}

impl Link {
    /// The link that this row is.
    #[must_use]
    pub const fn of(serial: u32, facts: &Facts, life: &Life) -> Self {
        let place = match &life.state {
            State::Creating { .. } => Place::Unknown,
            State::Active { missing: None, .. } => Place::Live,
            State::Active { missing: Some(_), .. } => Place::Missing,
            State::Closed { how: How::NeverExisted, .. } => Place::Never,
            State::Ending { .. } | State::Ended { .. } | State::Closed { .. } => Place::Over,
        };
        Self { serial, deadline: facts.deadline, due_at: facts.due_at(), place }
    }

    /// Whether this grant has taken the place of `older`. One of unknown outcome has done so once
    /// it is due: who asked for the earlier end is to have it, whatever KMS made of the successor.
    #[must_use]
    pub fn replaces(&self, older: &Self, now: Time) -> bool {
        let there = match self.place {
            Place::Live | Place::Missing | Place::Over => true,
            Place::Unknown => now >= self.due_at,
            Place::Never => false,
        };
        there && self.serial > older.serial && self.deadline < older.deadline
    }
}

/// Where a lease stands that may have a successor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The successor's serial.
    pub next: u32,
    /// The deadline as it is now.
    pub deadline: Time,
    /// When the end of the current grant is sent.
    pub due_at: Time,
    /// How often the deadline was made later.
    pub extensions: u32,
}

/// Why a lease can have no successor now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unready {
    /// The outcome of the last create is not known yet.
    Unknown,
    /// It is ending, has ended, or is due.
    Over,
    /// KMS does not list its grant any more.
    Missing,
    /// It has had [`SERIAL_MAX`] grants.
    Many,
}

/// Where the lease of these grants stands.
///
/// # Errors
/// [`Unready`].
pub fn standing(links: &[Link], now: Time) -> Result<Standing, Unready> {
    let last = links.iter().map(|link| link.serial).max().unwrap_or(0);
    let mut real: Vec<&Link> = links.iter().filter(|link| link.place != Place::Never).collect();
    real.sort_by_key(|link| link.serial);
    let later = real.windows(2).filter(|pair| match pair {
        [one, next] => next.deadline > one.deadline,
        _ => false,
    });
    let extensions = u32::try_from(later.count()).unwrap_or(u32::MAX);
    let current = real.last().ok_or(Unready::Over)?;
    match current.place {
        Place::Unknown => return Err(Unready::Unknown),
        Place::Missing => return Err(Unready::Missing),
        Place::Over | Place::Never => return Err(Unready::Over),
        Place::Live if now >= current.due_at => return Err(Unready::Over),
        Place::Live if last >= SERIAL_MAX => return Err(Unready::Many),
        Place::Live => {}
    }
    let Link { deadline, due_at, .. } = **current;
    Ok(Standing { next: last + 1, deadline, due_at, extensions })
}

impl Unready {
    /// As the asker reads it.
    #[must_use]
    pub fn fault(self, reference: &Ref) -> Fault {
        let (kind, text) = match self {
            Self::Unknown => (
                Kind::Busy,
                format!("KMS has not answered for the last grant of lease {reference} yet"),
            ),
            Self::Over => (Kind::LeaseOver, format!("lease {reference} is ending, or has ended")),
            Self::Missing => (
                Kind::LeaseOver,
                format!("KMS lists the grant of lease {reference} no more: another has ended it"),
            ),
            Self::Many => {
                (Kind::LeaseOver, format!("lease {reference} has had {SERIAL_MAX} grants"))
            }
        };
        let fault = Fault::new(kind, text).about(reference.clone());
        match self {
            Self::Unknown => {
                fault.hint(format!("`grantd show {reference}` tells when it is known"))
            }
            Self::Over | Self::Missing | Self::Many => fault,
        }
    }
}

/// When access may be refused although the lease lives, if at all: the old grant's end may show
/// before the successor, accepted at `accepted`, does. `old_end`: when that end is (or was) sent.
/// `settle` bounds propagation where the endpoint is on this host and knows none.
#[must_use]
pub fn gap(old_end: Time, accepted: Time, settle: i64) -> Option<(Time, Time)> {
    let shown = accepted.plus(PROPAGATION.min(settle));
    (shown > old_end).then_some((old_end, shown))
}

#[cfg(test)]
mod tests;
