//! Tokio's paused clock as the machine's clocks: it jumps to the next timer whenever every task
//! waits.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use grantd::clock::{Clock, Reading};
use grantd::rng::Rng;
use grantd::rules::time::{SECOND, Time};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

/// 2026-11-23T12:00:00Z.
pub(crate) const START: i64 = 1_795_435_200_000;

/// Reads the same instant everywhere, until a script sets its clocks apart.
pub(crate) struct SimClock {
    began: Instant,
    /// How far the wall clock is off, in ms.
    pub(crate) step: Cell<i64>,
    /// The true time at which the boot clock was nothing.
    booted: Cell<i64>,
    boots: Cell<u32>,
    boot_id: RefCell<Arc<str>>,
    /// The longest nap.
    tick: i64,
    stepped: Notify,
}

impl SimClock {
    /// With the tick of a machine.
    pub(crate) fn new() -> Rc<Self> {
        Self::ticking(SECOND)
    }

    /// With naps of up to `tick` ms: who has nothing due sleeps that long.
    pub(crate) fn ticking(tick: i64) -> Rc<Self> {
        Rc::new(Self {
            began: Instant::now(),
            step: Cell::new(0),
            booted: Cell::new(START - 1),
            boots: Cell::new(0),
            boot_id: RefCell::new(boot_id(0)),
            tick,
            stepped: Notify::new(),
        })
    }

    /// The true time.
    pub(crate) fn now(&self) -> i64 {
        START + i64::try_from(self.began.elapsed().as_millis()).unwrap()
    }

    /// Set the wall clock so far off; whoever naps is woken, as the kernel's timer does it.
    pub(crate) fn set_wall(&self, off: i64) {
        self.step.set(off);
        self.stepped.notify_waiters();
    }

    /// The boot clock missed so much: the hypervisor had stopped the machine.
    pub(crate) fn lose(&self, ms: i64) {
        self.booted.set(self.booted.get() + ms);
        self.stepped.notify_waiters();
    }

    /// Another boot: its clock begins anew.
    pub(crate) fn reboot(&self) {
        self.booted.set(self.now() - 20 * SECOND);
        self.boots.set(self.boots.get() + 1);
        self.boot_id.replace(boot_id(self.boots.get()));
    }
}

fn boot_id(boot: u32) -> Arc<str> {
    format!("simulated-{boot}").into()
}

impl Clock for SimClock {
    fn read(&self) -> Reading {
        let now = self.now();
        Reading {
            wall: Time(now.saturating_add(self.step.get())),
            boot: now - self.booted.get(),
            boot_id: Arc::clone(&self.boot_id.borrow()),
        }
    }

    fn nap(&self, ms: i64) -> LocalBoxFuture<'_, ()> {
        // A whole millisecond at least: a nap of none must still let the others run.
        let ms = u64::try_from(ms.clamp(1, self.tick)).unwrap();
        Box::pin(async move {
            tokio::select! {
                biased;
                () = self.stepped.notified() => {}
                () = sleep(Duration::from_millis(ms)) => {}
            }
        })
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
