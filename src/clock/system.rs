//! The machine's own clocks: the only place of the daemon that reads one.
//!
//! A nap is at most [`TICK`] long, so that no step, suspend or VM pause, noticed or not, delays
//! anything by more. A timerfd that the kernel cancels when somebody sets the clock, or the machine
//! resumes, makes the common cases instant (timerfd_create(2), `TFD_TIMER_CANCEL_ON_SET`).
//! Rejected: one long timer per deadline (tokio's clock stops in suspend and ignores steps), and
//! inotify on `/etc/adjtime` (not every tool writes it).

use std::cell::{Cell, OnceCell};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{FutureExt as _, LocalBoxFuture, select};
use rustix::io::Errno;
use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::{Clock, Reading};
use crate::rules::time::{SECOND, Time};

/// The longest nap: it bounds the lateness after any jump that nothing announced.
pub const TICK: i64 = SECOND;

/// Where the kernel says which boot this is (proc_sys_kernel(5)).
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// The clocks of this machine. One per thread: its timer belongs to the thread's tokio runtime.
#[derive(Debug)]
pub struct SystemClock {
    boot_id: Arc<str>,
    /// Made at the first nap; `None` where the kernel refused it, and then the tick alone notices
    /// steps.
    alarm: OnceCell<Option<AsyncFd<OwnedFd>>>,
    /// How often the wall clock was set under us: tells a nap that another nap has read the alarm
    /// before it.
    steps: Cell<u64>,
}

impl SystemClock {
    /// Reads the boot id, once.
    ///
    /// # Errors
    /// `/proc` is not mounted or not readable: without a boot id, no boot-time can be trusted.
    pub fn new() -> io::Result<Self> {
        let text = std::fs::read_to_string(BOOT_ID)
            .map_err(|e| io::Error::new(e.kind(), format!("cannot read {BOOT_ID}: {e}")))?;
        Ok(Self { boot_id: text.trim().into(), alarm: OnceCell::new(), steps: Cell::new(0) })
    }

    fn alarm(&self) -> Option<&AsyncFd<OwnedFd>> {
        let made = self.alarm.get_or_init(|| match make_alarm() {
            Ok(alarm) => Some(alarm),
            Err(error) => {
                tracing::warn!(%error, "no timerfd: a clock step is noticed up to 1 s later");
                None
            }
        });
        made.as_ref()
    }

    /// Returns when the wall clock was set or the machine resumed; else never.
    async fn stepped(&self) {
        let Some(alarm) = self.alarm() else {
            return std::future::pending().await;
        };
        let before = self.steps.get();
        loop {
            let Ok(mut ready) = alarm.readable().await else {
                return std::future::pending().await; // the runtime is shutting down
            };
            match ready.try_io(|fd| Ok(rustix::io::read(fd, &mut [0; 8])?)) {
                // Another nap was quicker; the step is as true for this one.
                Err(_would_block) if self.steps.get() == before => {}
                Err(_would_block) => return,
                // ECANCELED is the step. An expiry cannot be (it is set for the end of time); were
                // it one, or any other error, then to arm afresh and look at the clocks is right as
                // well.
                Ok(_) => {
                    self.steps.set(self.steps.get().wrapping_add(1));
                    if let Err(error) = arm(alarm.get_ref()) {
                        tracing::warn!(%error, "cannot arm the timerfd; the 1 s tick goes on");
                    }
                    return;
                }
            }
        }
    }
}

impl Clock for SystemClock {
    fn read(&self) -> Reading {
        Reading {
            wall: Time(millis(rustix::time::clock_gettime(ClockId::Realtime))),
            boot: millis(rustix::time::clock_gettime(ClockId::Boottime)),
            boot_id: Arc::clone(&self.boot_id),
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock port: the one sleep, never longer than a tick"
    )]
    fn nap(&self, ms: i64) -> LocalBoxFuture<'_, ()> {
        let ms = u64::try_from(ms.clamp(0, TICK)).unwrap_or_default();
        let tick = async move { tokio::time::sleep(Duration::from_millis(ms)).await };
        async move {
            select(tick.boxed_local(), self.stepped().boxed_local()).await;
        }
        .boxed_local()
    }
}

#[expect(
    deprecated,
    reason = "tokio's successor is unsafe, for descriptors that may change; an OwnedFd cannot"
)]
fn make_alarm() -> io::Result<AsyncFd<OwnedFd>> {
    let fd = rustix::time::timerfd_create(
        TimerfdClockId::Realtime,
        TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC,
    )?;
    arm(&fd)?;
    AsyncFd::with_interest(fd, Interest::READABLE)
}

/// Set it for the end of time: only a cancellation is wanted.
fn arm(fd: &OwnedFd) -> Result<(), Errno> {
    let never = Itimerspec {
        it_interval: Timespec::default(),
        it_value: Timespec { tv_sec: i64::MAX, tv_nsec: 0 },
    };
    let flags = TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET;
    match rustix::time::timerfd_settime(fd, flags, &never) {
        // Armed, and told that the clock was set since the last look: the caller is about to look
        // anyway.
        Ok(_) | Err(Errno::CANCELED) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Whole milliseconds, rounded down.
fn millis(at: Timespec) -> i64 {
    at.tv_sec.saturating_mul(SECOND).saturating_add(at.tv_nsec / 1_000_000)
}

#[cfg(test)]
mod tests;
