//! When the world was good: KMS reachable, the daemon up, nothing in the way. What grantd promises
//! about time, it promises for these spans.

use std::cell::RefCell;

use crate::clock::START;
use crate::world::World;

/// What is in trouble. Each is the next one's as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trouble {
    /// KMS, and with it every host, also one that stands by.
    Kms,
    /// The first host: the daemon is down, or stands still.
    Host,
    /// Its disk takes nothing: no excuse but for what a rolled-back ledger has to learn again.
    Disk,
}

/// When each of them was in none.
pub(crate) struct Goods([(Trouble, RefCell<Good>); 3]);

impl Default for Goods {
    fn default() -> Self {
        let good = |of| (of, RefCell::new(Good::from(START)));
        Self([Trouble::Kms, Trouble::Host, Trouble::Disk].map(good))
    }
}

impl Goods {
    fn touched(&self, by: Trouble) -> impl Iterator<Item = &RefCell<Good>> {
        self.0.iter().filter(move |(of, _)| *of >= by).map(|(_, good)| good)
    }

    pub(crate) fn longest(&self, of: Trouble, from: i64, to: i64, now: i64) -> i64 {
        let good = self.touched(of).next().unwrap();
        good.borrow().longest(from, to, now)
    }
}

impl World {
    pub(crate) fn trouble(&self, of: Trouble) {
        let now = self.net.clock.now();
        self.goods.touched(of).for_each(|good| good.borrow_mut().trouble(now));
    }

    /// It is over; so long afterwards it may still be felt.
    pub(crate) fn over(&self, of: Trouble, after: i64) {
        let now = self.net.clock.now();
        self.goods.touched(of).for_each(|good| good.borrow_mut().over(now, after));
    }

    /// The longest time in one piece between the two in which nothing was in the way of the first
    /// host.
    pub(crate) fn good(&self, from: i64, to: i64) -> i64 {
        let learning = self.restored.get().is_some();
        let of = if learning { Trouble::Disk } else { Trouble::Host };
        self.goods.longest(of, from, to, self.net.clock.now())
    }

    /// The same of a host whose own clocks and disk are well.
    pub(crate) fn kms_good(&self, from: i64, to: i64) -> i64 {
        self.goods.longest(Trouble::Kms, from, to, self.net.clock.now())
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
