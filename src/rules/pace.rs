//! Pacing: how fast one operation may be sent on one lane.
//!
//! KMS counts per second, so this is a sliding second, not a token bucket: a bucket of 49/s with a
//! burst of 10 lets 58 through in one second (lab). Throttling halves the rate; quiet seconds bring
//! it back.

use std::collections::VecDeque;

use crate::rules::time::{SECOND, Time};

/// While throttled, the rate never falls below this: an end must still go out.
const SLOWEST: u32 = 1;
/// One step of recovery per this long without a throttle.
const RECOVER_EVERY: i64 = 5 * SECOND;
/// So many ends of what was only found leave in a second, however much of ours is due (of a rate of
/// 24; of a smaller one a sixth). A dead host's leases end, and ours hardly feel it.
const FOUND_LEAST: u32 = 4;

/// Which part of a pace a send takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// What is due, and whatever has no other part.
    Due,
    /// What a person asks for now.
    Urgent,
    /// The end of what was only found. Whoever may create grants on a key can make thousands of
    /// them, so they take what the others leave.
    Found,
}

/// The sends of one operation on one lane within the last second. Lives in memory: after a restart
/// a second may hold twice the rate, which is still below AWS's quota (the defaults are half of
/// it).
#[derive(Debug, Clone)]
pub struct Pace {
    full: u32,
    kept: u32,
    rate: u32,
    sent: VecDeque<(Time, Part)>,
    changed: Time,
    /// Ends of what was only found are due.
    found_waits: bool,
}

impl Pace {
    /// `full` sends per second, of which `kept` are for urgent ones alone.
    #[must_use]
    pub fn new(full: u32, kept: u32) -> Self {
        let kept = kept.min(full.saturating_sub(SLOWEST));
        let (sent, changed, found_waits) = (VecDeque::new(), Time(0), false);
        Self { full, kept, rate: full, sent, changed, found_waits }
    }

    /// Another pace from now on; what was sent within the last second counts.
    pub fn refill(&mut self, full: u32, kept: u32) {
        if (full, kept.min(full.saturating_sub(SLOWEST))) != (self.full, self.kept) {
            *self = Self { sent: std::mem::take(&mut self.sent), ..Self::new(full, kept) };
        }
    }

    /// Sends per second that are not urgent, where KMS does not throttle.
    #[must_use]
    pub const fn ordinary(&self) -> u32 {
        self.full.saturating_sub(self.kept)
    }

    /// Whether ends of what was only found are due: their least share is kept for them then.
    pub const fn found_waits(&mut self, waits: bool) {
        self.found_waits = waits;
    }

    /// When the next send may leave: `now` or earlier means at once.
    #[must_use]
    pub fn next(&mut self, part: Part, now: Time) -> Time {
        self.forget(now);
        let kept = self.kept.min(self.rate.saturating_sub(SLOWEST));
        let least = FOUND_LEAST.min(self.rate / 6);
        let at = match part {
            Part::Found => {
                // Half of the pace stays free, so that what is due now leaves now.
                let spare = self.free_at(None, (self.rate / 2).max(SLOWEST));
                let soon = match least {
                    0 => spare,
                    least => self.free_at(Some(part), least).min(spare),
                };
                self.free_at(None, self.rate).max(soon)
            }
            Part::Due | Part::Urgent => {
                // Urgent ones may have what is kept and half of all: deadlines are never left
                // without.
                let urgent = part == Part::Urgent;
                let share = if urgent { kept.max(self.rate / 2) } else { self.rate - kept };
                let own = self.free_at(Some(part), share).filter(|_| self.kept > 0);
                let found = u32::try_from(self.count(Part::Found)).unwrap_or(u32::MAX);
                let owed = if self.found_waits { least.saturating_sub(found) } else { 0 };
                self.free_at(None, self.rate - owed).max(own)
            }
        };
        at.map_or(now, |at| at.max(now))
    }

    /// Note a send.
    pub fn sent(&mut self, part: Part, now: Time) {
        self.sent.push_back((now, part));
    }

    /// KMS throttled: half the rate from now on.
    pub fn throttled(&mut self, now: Time) {
        // What was under way together is throttled together: that is one word, not twenty.
        if self.slowed() && now.since(self.changed) < SECOND {
            return;
        }
        self.rate = (self.rate / 2).max(SLOWEST);
        self.changed = now;
    }

    /// Whether KMS throttled us lately.
    #[must_use]
    pub const fn slowed(&self) -> bool {
        self.rate < self.full
    }

    fn forget(&mut self, now: Time) {
        while self.sent.front().is_some_and(|(at, _)| now.since(*at) >= SECOND) {
            self.sent.pop_front();
        }
        // A clock that was set back must not hold the lane: what was "sent in the future" is
        // forgotten.
        while self.sent.back().is_some_and(|(at, _)| at.since(now) > SECOND) {
            self.sent.pop_back();
        }
        let step = (self.full / 8).max(1);
        while self.rate < self.full && now.since(self.changed) >= RECOVER_EVERY {
            self.rate = (self.rate + step).min(self.full);
            self.changed = self.changed.plus(RECOVER_EVERY);
        }
    }

    fn count(&self, part: Part) -> usize {
        self.sent.iter().filter(|(_, was)| *was == part).count()
    }

    /// When one more of `allowed` per second may leave, of this part or of all; `None`: at once.
    fn free_at(&self, part: Option<Part>, allowed: u32) -> Option<Time> {
        let sent = || self.sent.iter().filter(|(_, was)| part.is_none_or(|part| part == *was));
        let allowed = usize::try_from(allowed.max(SLOWEST)).unwrap_or(1);
        let over = sent().count().checked_sub(allowed)?;
        sent().nth(over).map(|(at, _)| at.plus(SECOND))
    }
}

#[cfg(test)]
mod tests;
