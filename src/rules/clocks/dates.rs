//! What AWS said of the time, carried forward by the boot clock.

use super::{AGREE, Anchor};
use crate::clock::Reading;
use crate::rules::time::{MINUTE, Time};

/// How long one `Date` header may be carried forward. The boot clock drifts by at most some 100
/// ppm: 0.4 s in this time.
const KEEPS: i64 = 60 * MINUTE;

/// The best `Date` of this half of the time that one is kept, and that of the half before. All are
/// early, since they are rounded down and answers travel, so that the latest is the best. The best
/// of all keeps later ones out; were it alone, nothing would follow it when it is too old, and a
/// clock set back by less than [`AGREE`] would lead.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Dates {
    now: Option<Anchor>,
    before: Option<Anchor>,
    /// The boot clock when this half began, in ms.
    since: i64,
}

impl Dates {
    /// What the best of them says of the present.
    pub(super) fn carried(&self, reading: &Reading) -> Option<Time> {
        let fresh = |date: &&Anchor| reading.boot.saturating_sub(date.boot) <= KEEPS;
        let kept = [&self.before, &self.now].into_iter().flatten().filter(fresh);
        kept.filter_map(|date| date.now(reading)).max()
    }

    /// Take in what was just said. An answer that took its time says less than what is kept; one
    /// that says something else altogether is alone believed.
    pub(super) fn take(&mut self, said: Anchor, reading: &Reading) {
        if self.carried(reading).is_some_and(|kept| said.wall.since(kept).abs() > AGREE) {
            *self = Self::default();
        }
        if reading.boot.saturating_sub(self.since) >= KEEPS / 2 {
            (self.before, self.since) = (self.now.take(), reading.boot);
        }
        let kept = self.now.as_ref().and_then(|date| date.now(reading));
        if kept.is_none_or(|kept| said.wall >= kept) {
            self.now = Some(said);
        }
    }
}
