//! The clock port. Everything that reads a clock or waits is behind it (clippy's disallowed-methods
//! keeps it so).

use std::sync::Arc;

use futures_util::future::LocalBoxFuture;

use crate::rules::time::Time;

/// One look at the machine's clocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// `CLOCK_REALTIME`: what the administrator sees, and may set.
    pub wall: Time,
    /// `CLOCK_BOOTTIME` in ms: counts through suspend, is never set; means nothing across a boot.
    pub boot: i64,
    /// `/proc/sys/kernel/random/boot_id`: within which boot `boot` counts.
    pub boot_id: Arc<str>,
}

/// The clocks of this machine, or of the simulation.
pub trait Clock {
    /// Read all clocks at once.
    fn read(&self) -> Reading;

    /// Wait for at most `ms` milliseconds, and no longer than this clock's tick; returns early when
    /// the wall clock was set or the machine resumed. The caller re-reads and judges: a wake-up
    /// promises nothing.
    fn nap(&self, ms: i64) -> LocalBoxFuture<'_, ()>;
}

pub mod system;
