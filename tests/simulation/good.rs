//! When the world was good: KMS reachable, the daemon up, nothing in the way. What grantd promises
//! about time, it promises for these spans.

use std::cell::RefCell;

use crate::clock::START;
use crate::world::World;

/// What has to be good for different promises.
pub(crate) struct Goods {
    /// KMS, and the first host but for its disk: what ends, ends on time.
    host: RefCell<Good>,
    /// Its disk as well: a ledger that was rolled back learns again what it lacks.
    disk: RefCell<Good>,
    /// KMS alone: a second host stands by.
    kms: RefCell<Good>,
}

impl Default for Goods {
    fn default() -> Self {
        let good = || RefCell::new(Good::from(START));
        Self { host: good(), disk: good(), kms: good() }
    }
}

impl World {
    /// The first host is in trouble.
    pub(crate) fn trouble(&self) {
        self.goods.host.borrow_mut().trouble(self.net.clock.now());
        self.disk_trouble();
    }

    pub(crate) fn over(&self, after: i64) {
        self.goods.host.borrow_mut().over(self.net.clock.now(), after);
        self.disk_over(after);
    }

    /// KMS is, and with it every host.
    pub(crate) fn kms_trouble(&self) {
        self.goods.kms.borrow_mut().trouble(self.net.clock.now());
        self.trouble();
    }

    pub(crate) fn kms_over(&self, after: i64) {
        self.goods.kms.borrow_mut().over(self.net.clock.now(), after);
        self.over(after);
    }

    /// The disk takes nothing: no excuse but for what a rolled-back ledger has to learn again.
    pub(crate) fn disk_trouble(&self) {
        self.goods.disk.borrow_mut().trouble(self.net.clock.now());
    }

    pub(crate) fn disk_over(&self, after: i64) {
        self.goods.disk.borrow_mut().over(self.net.clock.now(), after);
    }

    /// The longest time in one piece between the two in which nothing was in the way of the first
    /// host.
    pub(crate) fn good(&self, from: i64, to: i64) -> i64 {
        let learning = self.restored.get().is_some();
        let good = if learning { &self.goods.disk } else { &self.goods.host };
        good.borrow().longest(from, to, self.net.clock.now())
    }

    /// The same of a host whose own clocks and disk are well.
    pub(crate) fn kms_good(&self, from: i64, to: i64) -> i64 {
        self.goods.kms.borrow().longest(from, to, self.net.clock.now())
    }
}

/// Troubles overlap: the world is good while there is none.
#[derive(Debug, Default)]
struct Good {
    troubles: u32,
    since: i64,
    spans: Vec<(i64, i64)>,
}

impl Good {
    /// Good from then on.
    fn from(now: i64) -> Self {
        Self { troubles: 0, since: now, spans: Vec::new() }
    }

    /// A trouble begins.
    fn trouble(&mut self, now: i64) {
        if self.troubles == 0 && self.since < now {
            self.spans.push((self.since, now));
        }
        self.troubles += 1;
    }

    /// A trouble is over; so long afterwards it may still be felt.
    fn over(&mut self, now: i64, after: i64) {
        self.troubles -= 1;
        self.since = self.since.max(now + after);
    }

    /// The longest time in one piece that was good between the two.
    fn longest(&self, from: i64, to: i64, now: i64) -> i64 {
        let last = (self.troubles == 0 && self.since < now).then_some((self.since, now));
        let spans = self.spans.iter().copied().chain(last);
        spans.map(|(good, bad)| bad.min(to) - good.max(from)).max().unwrap_or(0).max(0)
    }
}
