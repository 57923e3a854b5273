//! When the world was good: KMS reachable, the daemon up, nothing in the way. What grantd promises
//! about time, it promises for these spans.

/// Troubles overlap: the world is good while there is none.
#[derive(Debug, Default)]
pub(crate) struct Good {
    troubles: u32,
    since: i64,
    spans: Vec<(i64, i64)>,
}

impl Good {
    /// Good from then on.
    pub(crate) fn from(now: i64) -> Self {
        Self { troubles: 0, since: now, spans: Vec::new() }
    }

    /// A trouble begins.
    pub(crate) fn trouble(&mut self, now: i64) {
        if self.troubles == 0 && self.since < now {
            self.spans.push((self.since, now));
        }
        self.troubles += 1;
    }

    /// A trouble is over; so long afterwards it may still be felt.
    pub(crate) fn over(&mut self, now: i64, after: i64) {
        self.troubles -= 1;
        self.since = self.since.max(now + after);
    }

    /// The longest time in one piece that was good between the two.
    pub(crate) fn longest(&self, from: i64, to: i64, now: i64) -> i64 {
        let last = (self.troubles == 0 && self.since < now).then_some((self.since, now));
        let spans = self.spans.iter().copied().chain(last);
        spans.map(|(good, bad)| bad.min(to) - good.max(from)).max().unwrap_or(0).max(0)
    }
}
