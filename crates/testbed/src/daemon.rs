//! A running `grantd run`.

use std::fs::OpenOptions;
use std::process::{Child, Command, ExitStatus};

use rustix::process::{Pid, Signal, kill_process};

use crate::host::Host;
use crate::relay::Relay;
use crate::until;

/// A running daemon; killed when dropped.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    /// Between it and [`Host::socket`]; none where the host is direct.
    _relay: Option<Relay>,
}

impl Daemon {
    pub(crate) fn start(host: &Host, mut command: Command) -> Self {
        let log = OpenOptions::new().create(true).append(true).open(host.log_path());
        let log = log.expect("the log is writable");
        command.arg("run").arg("--config").arg(host.config());
        command.arg("--state-dir").arg(host.state_dir());
        command.arg("--socket").arg(host.daemon_socket());
        command.stdout(log.try_clone().expect("a second handle"));
        command.stderr(log);
        let child = command.spawn().expect("the binary starts");
        Self { child, _relay: host.relay() }
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it did.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child of ours")
    }

    /// Waits for its end, and gives the exit code.
    #[track_caller]
    pub fn code(mut self) -> Option<i32> {
        until("the daemon ends", || self.exited()).code()
    }

    /// `kill -9`, as a power cut would.
    pub fn kill(mut self) {
        self.child.kill().expect("a child of ours");
        self.child.wait().expect("a child of ours");
    }

    /// Sends SIGTERM and does not wait.
    pub fn terminate(&self) {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let sent = id.map(|id| kill_process(id, Signal::TERM));
        assert!(matches!(sent, Some(Ok(()))), "{sent:?}");
    }

    /// SIGTERM, and the exit code.
    #[track_caller]
    pub fn stop(self) -> Option<i32> {
        self.terminate();
        self.code()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
