//! The process stands still past a deadline: a stopped container, a debugger, a starved host.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use testbed::{Config, Daemon, PATIENCE, Sandbox, now_ms, until, until_within};

use crate::GRANTD;
use crate::lease::{Lease, history_verifies};

/// How far past the deadline it stands still.
const PAST_MS: i64 = 3_000;

fn signal(daemon: &Daemon, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(daemon.pid()).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

#[test]
fn a_daemon_that_stood_still_ends_what_is_overdue_as_soon_as_it_goes_on() {
    let sandbox = Sandbox::start();
    let host = sandbox.host(GRANTD, &Config::default());
    let daemon = host.ready();
    let lease = Lease::make(&host, &sandbox, "4s");
    signal(&daemon, Signal::STOP);
    let until_then = lease.deadline_ms + PAST_MS;
    let left = Duration::from_millis(u64::try_from(until_then - now_ms()).unwrap());
    until_within(left + PATIENCE, "the deadline is past", || (now_ms() > until_then).then_some(()));
    assert_eq!(sandbox.living().len(), 1, "nobody else ends it");
    let went_on = now_ms();
    signal(&daemon, Signal::CONT);
    let ended = until("it is ended", || sandbox.leased()[0].ended_at_ms);
    let late = ended - went_on;
    assert!((0..10_000).contains(&late), "{late} ms after it went on");
    lease.closes(&host);
    history_verifies(&host);
    assert_eq!(daemon.stop(), Some(0));
}
