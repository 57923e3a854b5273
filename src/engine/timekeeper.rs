//! The guarded present of the engine, and waiting in it.

use std::cell::RefCell;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;

use futures_util::future::{Either, select};

use crate::clock::Clock;
use crate::ledger::Clocks as Stored;
use crate::rules::clocks::{Anchor, Clocks, Doubt, Judgement};
use crate::rules::time::{Now, Time};

/// As long as the clock lets: how long nobody looks at the time at the most is the clock's own rule
/// (a second on a machine, so that a jump that nobody told us of costs no more; reliability 1).
pub(crate) const NAP: i64 = i64::MAX;

/// The clock port with the time rule on top.
pub(crate) struct TimeKeeper {
    clock: Rc<dyn Clock>,
    clocks: RefCell<Clocks>,
}

impl TimeKeeper {
    /// With what the ledger remembers of the clocks.
    pub(crate) fn new(clock: Rc<dyn Clock>, stored: Option<&Stored>) -> Self {
        let clocks = match stored {
            Some(stored) => {
                let (wall, boot) = (stored.anchor_wall, stored.anchor_boot);
                let boot_id = Arc::clone(&stored.boot_id);
                Clocks::new(Some(Anchor { wall, boot, boot_id }), stored.high_water)
            }
            None => Clocks::new(None, Time(0)),
        };
        Self { clock, clocks: RefCell::new(clocks) }
    }

    pub(crate) fn judge(&self) -> Judgement {
        self.clocks.borrow_mut().judge(&self.clock.read())
    }

    /// The present for waits, alarms and people: before AWS has spoken the guarded clock stands
    /// still, and the wall clock is the best there is.
    pub(crate) fn shown(&self) -> Time {
        let judged = self.judge();
        match judged.doubt {
            Some(Doubt::Unconfirmed) => judged.now.latest.max(self.wall()),
            Some(Doubt::WallAlone(_) | Doubt::DateAlone(_)) | None => judged.now.latest,
        }
    }

    /// What the host's own clock says, to be shown and never judged by: on a new ledger the guarded
    /// present is not known before AWS's first `Date`.
    pub(crate) fn wall(&self) -> Time {
        self.clock.read().wall
    }

    /// The boot clock: paces and pauses count on it, since it never stands still nor jumps.
    pub(crate) fn ticks(&self) -> Time {
        Time(self.clock.read().boot)
    }

    pub(crate) fn now(&self) -> Now {
        self.judge().now
    }

    /// An answer of KMS carried this `Date`.
    pub(crate) fn heard(&self, date: Time) {
        self.clocks.borrow_mut().heard(date, &self.clock.read());
    }

    /// What the ledger is to remember.
    pub(crate) fn remember(&self) -> Stored {
        let clocks = self.clocks.borrow();
        let anchor = clocks.anchor.clone();
        // Never anchored: an unknown boot, so that nothing is carried forward from it.
        let anchor = anchor.unwrap_or(Anchor { wall: Time(0), boot: 0, boot_id: "".into() });
        Stored {
            high_water: clocks.high_water,
            boot_id: anchor.boot_id,
            anchor_wall: anchor.wall,
            anchor_boot: anchor.boot,
        }
    }

    /// At most `ms`, and no longer than the clock's own tick: the caller looks at the time again.
    pub(crate) async fn nap(&self, ms: i64) {
        self.clock.nap(ms.max(0)).await;
    }

    /// `ms` of elapsed time, by the boot clock: for pauses and time-outs, never for deadlines.
    pub(crate) async fn pause(&self, ms: i64) {
        let until = self.clock.read().boot.saturating_add(ms);
        loop {
            let left = until.saturating_sub(self.clock.read().boot);
            if left <= 0 {
                return;
            }
            self.nap(left).await;
        }
    }

    /// `work`, or `None` when it takes longer than `ms`; it is dropped then.
    pub(crate) async fn within<T>(&self, ms: i64, work: impl Future<Output = T>) -> Option<T> {
        match select(pin!(work), pin!(self.pause(ms))).await {
            Either::Left((done, _)) => Some(done),
            Either::Right(((), _)) => None,
        }
    }
}
