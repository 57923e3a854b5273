//! The time rule: from clocks that may lie, the present that may be acted upon.
//!
//! Four witnesses: the wall clock, the boot clock since an anchor, AWS's `Date` carried forward by
//! the boot clock, and the ledger's high-water mark. *Due* is judged by the latest of those that
//! agree, so that a backward step, a suspend or a restored snapshot never lengthens a grant;
//! *settled* by the earliest, so that a forward step never closes a row too soon. A wall clock that
//! stands alone against the others is not believed until AWS's `Date` agrees, so that a forward
//! step ends no lease early; where AWS cannot be asked, nothing can be ended either. Nor is a
//! single `Date` that stands alone against two clocks of this host that agree: a second answer has
//! to say the same. (A machine that was paused knows the time by nobody else.) (DESIGN 10,
//! reliability 1.)

mod dates;

use std::sync::Arc;

use crate::clock::Reading;
use crate::rules::time::{MINUTE, Now, SECOND, Time};

use dates::Dates;

/// Clocks this close agree. AWS's `Date` has a resolution of one second and may travel for ten (the
/// attempt time-out); the rest is slack for slewing.
pub const AGREE: i64 = 30 * SECOND;
/// A `Date` is rounded down to the second: on the average half of one too early. The latest clock
/// may not lead by it.
const DATE_STEP: i64 = SECOND;
/// Two dates this far apart come from two questions.
const DATE_APART: i64 = SECOND;
/// For so long a `Date` that stood alone waits for a second one.
const DATE_WAITS: i64 = MINUTE;

/// A wall time and the boot clock at that moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    /// A believed wall time.
    pub wall: Time,
    /// The boot clock then, in ms.
    pub boot: i64,
    /// The boot it was read in.
    pub boot_id: Arc<str>,
}

impl Anchor {
    fn now(&self, reading: &Reading) -> Option<Time> {
        let elapsed = reading.boot.checked_sub(self.boot)?;
        (self.boot_id == reading.boot_id && elapsed >= 0).then(|| self.wall.plus(elapsed))
    }
}

/// Why the clocks are not to be trusted with new promises. Endings go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// The wall clock stands alone; by so many ms (positive: it runs ahead).
    WallAlone(i64),
    /// One answer of AWS stands alone; by so many ms (positive: it runs ahead).
    DateAlone(i64),
    /// Nobody has confirmed the wall clock in this boot yet.
    Unconfirmed,
}

/// What the witnesses said so far. The ledger keeps `anchor` and `high_water`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clocks {
    /// Set when the wall clock was last believed.
    pub anchor: Option<Anchor>,
    dates: Dates,
    /// A `Date` that stood alone: a second one decides.
    pub suspect: Option<Anchor>,
    /// The latest time ever believed: time does not run backwards over a restart.
    pub high_water: Time,
}

/// The judgement of one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Judgement {
    /// The guarded present.
    pub now: Now,
    /// Set while new leases are to be refused and AWS is to be asked.
    pub doubt: Option<Doubt>,
}

impl Clocks {
    /// What the ledger remembers; AWS has not spoken yet.
    #[must_use]
    pub fn new(anchor: Option<Anchor>, high_water: Time) -> Self {
        Self { anchor, dates: Dates::default(), suspect: None, high_water }
    }

    /// Take note of AWS's `Date`, as it came with an answer.
    pub fn heard(&mut self, date: Time, reading: &Reading) {
        let said = Anchor { wall: date, boot: reading.boot, boot_id: Arc::clone(&reading.boot_id) };
        if self.stands_alone(date, reading) && !self.says_it_again(date, reading) {
            self.suspect.get_or_insert(said);
            return;
        }
        self.suspect = None;
        self.dates.take(said, reading);
    }

    /// Whether the wall clock and the boot clock agree with each other and not with this `Date`.
    fn stands_alone(&self, date: Time, reading: &Reading) -> bool {
        let anchored = self.anchor.as_ref().and_then(|anchor| anchor.now(reading));
        anchored.is_some_and(|boot| {
            reading.wall.since(boot).abs() <= AGREE && date.since(boot).abs() > AGREE
        })
    }

    /// Whether an earlier `Date` that stood alone said the same. One that said something else is
    /// forgotten: whoever contradicts himself decides nothing.
    fn says_it_again(&mut self, date: Time, reading: &Reading) -> bool {
        let Some(suspect) = &self.suspect else { return false };
        let waited = reading.boot.saturating_sub(suspect.boot);
        let same = suspect.now(reading).is_some_and(|then| date.since(then).abs() <= AGREE);
        if !same || waited > DATE_WAITS {
            self.suspect = None;
        }
        same && (DATE_APART..=DATE_WAITS).contains(&waited)
    }

    /// By how much a `Date` stands alone just now.
    fn doubted(&self, reading: &Reading, latest: Time) -> Option<Doubt> {
        let suspect = self.suspect.as_ref()?;
        let waits = reading.boot.saturating_sub(suspect.boot) <= DATE_WAITS;
        let said = suspect.now(reading).filter(|_| waits)?;
        Some(Doubt::DateAlone(said.since(latest)))
    }

    /// Judge the present, and remember what was believed.
    pub fn judge(&mut self, reading: &Reading) -> Judgement {
        let date = self.dates.carried(reading);
        let anchored = self.anchor.as_ref().and_then(|anchor| anchor.now(reading));
        // AWS decides where it has spoken; before that, the anchor; before that, nobody.
        let Some(witness) = date.or(anchored) else {
            let now = Now { latest: self.high_water, least: self.high_water };
            return Judgement { now, doubt: Some(Doubt::Unconfirmed) };
        };
        let agrees = |time: Time| time.since(witness).abs() <= AGREE;
        let wall = Some(reading.wall).filter(|wall| agrees(*wall));
        let anchored = anchored.filter(|time| agrees(*time));
        // The date alone is early by up to its step; where a finer clock agrees, that one is the
        // judge.
        let finest = [wall, anchored].into_iter().flatten().max();
        let believed = finest.unwrap_or(witness);
        let latest = match date {
            Some(date) => believed.max(date),
            None => believed,
        };
        let least = [wall, anchored, date.map(|date| date.plus(-DATE_STEP))]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(witness);
        // Anchored anew at each judgement, so that slewing does not pile up; small backward steps
        // could pile up instead, which is why the engine asks AWS for its date every few minutes.
        if let Some(wall) = wall {
            let boot_id = Arc::clone(&reading.boot_id);
            self.anchor = Some(Anchor { wall, boot: reading.boot, boot_id });
        }
        self.high_water = self.high_water.max(latest);
        let wall_alone = wall.is_none().then(|| Doubt::WallAlone(reading.wall.since(witness)));
        let doubt = wall_alone.or_else(|| self.doubted(reading, latest));
        Judgement { now: Now { latest: self.high_water, least: least.min(self.high_water) }, doubt }
    }
}

#[cfg(test)]
mod tests;
