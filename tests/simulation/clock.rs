//! Tokio's paused clock as the machine's clocks: it jumps to the next timer whenever every task
//! waits.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use grantd::clock::{Clock, Reading};
use grantd::rng::Rng;
use grantd::rules::time::Time;
use tokio::time::{Instant, sleep};

/// 2026-11-23T12:00:00Z.
pub(crate) const START: i64 = 1_795_435_200_000;

/// Reads the same instant everywhere; the wall can be stepped apart from it.
pub(crate) struct SimClock {
    began: Instant,
    /// How far the wall clock is off, in ms.
    pub(crate) step: Cell<i64>,
}

impl SimClock {
    pub(crate) fn new() -> Rc<Self> {
        Rc::new(Self { began: Instant::now(), step: Cell::new(0) })
    }

    /// The true time.
    pub(crate) fn now(&self) -> i64 {
        START + i64::try_from(self.began.elapsed().as_millis()).unwrap()
    }
}

impl Clock for SimClock {
    fn read(&self) -> Reading {
        let now = self.now();
        Reading {
            wall: Time(now + self.step.get()),
            boot: now - START + 1,
            boot_id: "simulated".to_owned(),
        }
    }

    fn nap(&self, ms: i64) -> LocalBoxFuture<'_, ()> {
        // A whole millisecond at least: a nap of none must still let the others run.
        Box::pin(sleep(Duration::from_millis(u64::try_from(ms.max(1)).unwrap())))
    }
}

/// splitmix64: a seed, and everything follows.
pub(crate) struct SimRng(Cell<u64>);

impl SimRng {
    pub(crate) fn new(seed: u64) -> Rc<Self> {
        Rc::new(Self(Cell::new(seed ^ 0x9e37_79b9_7f4a_7c15)))
    }

    /// True `n` times in a thousand.
    pub(crate) fn chance(&self, n: i64) -> bool {
        self.up_to(999) < n
    }

    pub(crate) fn between(&self, from: i64, to: i64) -> i64 {
        from + self.up_to(to - from)
    }
}

impl Rng for SimRng {
    fn next_u64(&self) -> u64 {
        self.0.set(self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15));
        let mut z = self.0.get();
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

pub(crate) async fn pause(ms: i64) {
    sleep(Duration::from_millis(u64::try_from(ms.max(1)).unwrap())).await;
}
