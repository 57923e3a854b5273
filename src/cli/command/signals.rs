//! The signals that are meant for COMMAND.
//!
//! A terminal sends its Ctrl-C and Ctrl-\ to COMMAND as well as to us: to pass those on would
//! interrupt twice, and a second interrupt means "at once" to many programs. What is ignored when
//! we start (nohup) stays ignored for both.

use rustix::fs::{Mode, OFlags, open};
use rustix::process::{Signal, getpgrp};
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

use crate::fault::{Fault, Kind};

/// The signals that are passed on while COMMAND runs; they do not end us.
pub(super) struct Signals {
    hangup: Option<Stream>,
    interrupt: Option<Stream>,
    quit: Option<Stream>,
    terminate: Option<Stream>,
}

impl Signals {
    /// Listen.
    ///
    /// # Errors
    /// `Io` when the system lets us not.
    pub(super) fn new() -> Result<Self, Fault> {
        let ignored = ignored();
        let listen = |kind: SignalKind| {
            let bit = 1_u64.checked_shl(kind.as_raw_value().unsigned_abs().saturating_sub(1));
            if bit.is_some_and(|bit| ignored & bit != 0) {
                return Ok(None);
            }
            signal(kind).map(Some).map_err(|error| {
                Fault::new(Kind::Io, format!("cannot listen for signals: {error}"))
            })
        };
        Ok(Self {
            hangup: listen(SignalKind::hangup())?,
            interrupt: listen(SignalKind::interrupt())?,
            quit: listen(SignalKind::quit())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    /// The next one that COMMAND does not get by itself.
    pub(super) async fn next(&mut self) -> Signal {
        loop {
            let signal = tokio::select! {
                () = came(&mut self.hangup) => Signal::HUP,
                () = came(&mut self.interrupt) => Signal::INT,
                () = came(&mut self.quit) => Signal::QUIT,
                () = came(&mut self.terminate) => Signal::TERM,
            };
            if !matches!(signal, Signal::INT | Signal::QUIT) || !in_foreground() {
                return signal;
            }
        }
    }
}

async fn came(stream: &mut Option<Stream>) {
    let came = match stream {
        Some(stream) => stream.recv().await,
        None => None,
    };
    if came.is_none() {
        std::future::pending::<()>().await;
    }
}

/// Whether a terminal's keys come to us, and so to COMMAND, which is in our process group.
fn in_foreground() -> bool {
    let terminal =
        open("/dev/tty", OFlags::RDONLY | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty());
    let group = terminal.and_then(rustix::termios::tcgetpgrp);
    group.is_ok_and(|group| group == getpgrp())
}

/// The signals that are ignored in this process, as proc(5) tells: signal n is bit n - 1.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
