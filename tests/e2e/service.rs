//! What systemd is told by the real binary.

use testbed::{Config, NotifySocket, Sandbox, until};

use crate::GRANTD;
use crate::lease::Lease;

#[test]
fn systemd_is_told_ready_status_alive_and_stopping() {
    let sandbox = Sandbox::start();
    let mut host = sandbox.host(GRANTD, &Config::default());
    let path = host.dir().join("notify");
    let mut notify = NotifySocket::bind(&path);
    host.set("NOTIFY_SOCKET", path.display().to_string());
    // 4 s: several beats fit into the test. The unit has 30 s.
    host.set("WATCHDOG_USEC", "4000000");
    let daemon = host.start();
    notify.wait("READY=1", 1);
    // Ready means that it answers, without another wait.
    assert_eq!(host.get("/v1/health").status, 200);
    notify.wait("STATUS=", 1);
    notify.wait("WATCHDOG=1", 3);

    // The status says what lives, and follows it.
    let before = notify.seen().len();
    let lease = Lease::make(&host, &sandbox, "5min");
    until("the status tells of the lease", || {
        let later = &notify.seen()[before..];
        later.iter().any(|line| line.starts_with("STATUS=1 due")).then_some(())
    });

    daemon.terminate();
    notify.wait("STOPPING=1", 1);
    assert_eq!(daemon.code(), Some(0));
    let seen = notify.seen();
    let at = |text: &str| seen.iter().position(|line| line == text);
    assert!(at("READY=1") < at("STOPPING=1"), "{seen:?}");
    assert_eq!(sandbox.living().len(), 1, "stopping ends no lease: {lease:?}");
}

#[test]
fn without_systemd_nothing_is_missed() {
    let sandbox = Sandbox::start();
    let host = sandbox.host(GRANTD, &Config::default());
    let daemon = host.ready();
    assert_eq!(daemon.stop(), Some(0));
    assert!(!host.log().contains("NOTIFY_SOCKET"), "{}", host.log());
}
