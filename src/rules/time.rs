//! Instants: UTC, in whole milliseconds, as the ledger stores them.

mod instant;

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use instant::{BadInstant, parse as parse_instant};

/// Milliseconds of one second, so that no bare 1000 needs explaining.
pub const SECOND: i64 = 1_000;
/// Milliseconds of one minute.
pub const MINUTE: i64 = 60 * SECOND;
/// Milliseconds of one hour.
pub const HOUR: i64 = 60 * MINUTE;
/// Milliseconds of one day (UTC has no others: leap seconds are smeared by AWS and stepped by
/// Linux).
pub const DAY: i64 = 24 * HOUR;

/// An instant: milliseconds since the Unix epoch, UTC. On the wire and in JSON it is RFC 3339 with
/// `Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(pub i64);

impl Time {
    /// `ms` milliseconds later (or earlier, when negative). Saturates, so that no sum can wrap a
    /// deadline.
    #[must_use]
    pub const fn plus(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to here; negative when `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The same instant, rounded down to the whole second: a deadline must not promise more than
    /// its text says.
    #[must_use]
    pub const fn floor_second(self) -> Self {
        Self(self.0.saturating_sub(self.0.rem_euclid(SECOND)))
    }

    /// Read RFC 3339 with `Z` or an offset: no zone by its name, whose rules differ from host to
    /// host.
    ///
    /// # Errors
    /// [`BadInstant`] when the text is no instant or names no offset.
    pub fn parse(text: &str) -> Result<Self, BadInstant> {
        parse_instant(text, &|_| None)
    }

    /// For printing in a zone; `None` outside jiff's years −9999 to 9999.
    #[must_use]
    pub fn timestamp(self) -> Option<Timestamp> {
        Timestamp::from_millisecond(self.0).ok()
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.timestamp() {
            Some(at) => write!(f, "{at}"),
            None => write!(f, "{} ms", self.0),
        }
    }
}

impl Serialize for Time {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        Self::parse(&text)
            .map_err(|bad| serde::de::Error::custom(format!("{text:?} {bad} ({})", bad.help())))
    }
}

/// The guarded present (`rules::clocks`): two answers, because being wrong is safe in opposite
/// directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// The latest of the clocks that agree: what is *due* is judged by it, so that no backward step
    /// lengthens a grant.
    pub latest: Time,
    /// The earliest of them: what is *settled* is judged by it, so that no forward step closes a
    /// row too soon.
    pub least: Time,
}
