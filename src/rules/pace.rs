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

/// The sends of one operation on one lane within the last second. Lives in memory: after a restart
/// a second may hold twice the rate, which is still below AWS's quota (the defaults are half of
/// it).
#[derive(Debug, Clone)]
pub struct Pace {
    full: u32,
    kept: u32,
    rate: u32,
    /// When, and whether urgent.
    sent: VecDeque<(Time, bool)>,
    changed: Time,
}

impl Pace {
    /// `full` sends per second, of which `kept` are for urgent ones alone.
    #[must_use]
    pub fn new(full: u32, kept: u32) -> Self {
        let kept = kept.min(full.saturating_sub(SLOWEST));
        Self { full, kept, rate: full, sent: VecDeque::new(), changed: Time(0) }
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

    /// When the next send may leave: `now` or earlier means at once.
    #[must_use]
    pub fn next(&mut self, urgent: bool, now: Time) -> Time {
        self.forget(now);
        let kept = self.kept.min(self.rate.saturating_sub(SLOWEST));
        // Urgent ones may have what is kept and half of all: deadlines are never left without.
        let share = if urgent { kept.max(self.rate / 2) } else { self.rate - kept };
        let all = self.sent.iter().map(|(at, _)| *at);
        let own = self.sent.iter().filter(|(_, was)| *was == urgent).map(|(at, _)| *at);
        let own = if self.kept == 0 { None } else { free_at(own, share) };
        [free_at(all, self.rate), own].into_iter().flatten().fold(now, Time::max)
    }

    /// Note a send.
    pub fn sent(&mut self, urgent: bool, now: Time) {
        self.sent.push_back((now, urgent));
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
}

/// When one more of `allowed` per second may leave; `None`: at once.
fn free_at(mut sent: impl Iterator<Item = Time> + Clone, allowed: u32) -> Option<Time> {
    let allowed = usize::try_from(allowed.max(SLOWEST)).unwrap_or(1);
    let over = sent.clone().count().checked_sub(allowed)?;
    sent.nth(over).map(|at| at.plus(SECOND))
}

#[cfg(test)]
mod tests;
