//! Stopping, and starting in a bad way: the ledger in use, the ledger lost, the configuration
//! broken.

use kms_sandbox::{Act, Fault, Match, Op, When};
use testbed::{Config, Host, Sandbox, until};

use crate::GRANTD;
use crate::lease::{Lease, ends, history_verifies, request};

fn world() -> (Sandbox, Host) {
    let sandbox = Sandbox::start();
    let host = sandbox.host(GRANTD, &Config::default());
    (sandbox, host)
}

#[test]
fn an_idle_daemon_stops_with_0_on_sigterm() {
    let (_sandbox, host) = world();
    let daemon = host.ready();
    assert_eq!(daemon.stop(), Some(0));
    assert!(host.try_get("/v1/health").is_none(), "nobody listens any more");
    // The next one finds the socket's file, if it is still there, to be nobody's.
    assert_eq!(host.ready().stop(), Some(0));
}

#[test]
fn a_create_in_flight_at_sigterm_is_left_for_the_next_start() {
    let (sandbox, host) = world();
    let daemon = host.ready();
    let for_role_b = Match { grantee: Some("RoleB".to_owned()), ..Match::op(Op::CreateGrant) };
    let rule = sandbox.handle().inject(Fault::new(for_role_b, When::After, Act::Hold));
    std::thread::scope(|scope| {
        let asker = scope.spawn(|| host.try_post("/v1/leases", &request(&sandbox, "30s")));
        until("the create is held", || (!sandbox.handle().held().is_empty()).then_some(()));
        daemon.terminate();
        // Up to 10 s for calls in flight, then it goes all the same.
        let code = testbed::until_within(2 * testbed::PATIENCE, "the daemon stops", {
            let mut daemon = daemon;
            move || daemon.exited()
        });
        assert_eq!(code.code(), Some(0), "stopping is no failure");
        // The asker hears that it is recorded, or that the daemon stops; never that it failed for
        // good.
        if let Ok(reply) = asker.join().unwrap() {
            assert!(matches!(reply.status, 202 | 503), "{reply:?}");
        }
    });
    sandbox.handle().discard(rule);
    let _daemon = host.ready();
    let lease = Lease::only(&host);
    lease.ends_on_time(&sandbox);
    history_verifies(&host);
}

#[test]
fn a_second_daemon_on_the_ledger_is_told_so() {
    let (sandbox, host) = world();
    let _first = host.ready();
    let second = sandbox.host(GRANTD, &Config::default());
    let ran = second.grantd(&[
        "run",
        "--config",
        &second.config().display().to_string(),
        "--state-dir",
        &host.state_dir().display().to_string(),
    ]);
    assert_eq!(ran.code, Some(73), "{ran:?}");
    assert!(ran.stderr.contains("systemctl status grantd"), "{ran:?}");
    assert_eq!(host.get("/v1/health").status, 200, "the first one does not mind");
}

#[test]
fn a_broken_config_does_not_stop_endings() {
    let (sandbox, host) = world();
    let daemon = host.ready();
    let lease = Lease::make(&host, &sandbox, "6s");
    daemon.kill();
    host.configure("group = \"test\"\nthis is no TOML\n");
    let daemon = host.ready();
    let refused = host.post("/v1/leases", &request(&sandbox, "5s"));
    assert_eq!(refused.status, 503, "{refused:?}");
    assert_eq!(refused.body["type"], "end-only", "{refused:?}");
    let status = host.get("/v1/status").body;
    assert_eq!(status["health"], 2, "{status}");
    assert!(status["end-only"].as_str().unwrap().contains("grantd.toml:2"), "{status}");
    lease.ends_on_time(&sandbox);
    lease.closes(&host);
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_config_that_no_longer_names_the_account_does_not_stop_endings() {
    let (sandbox, host) = world();
    let daemon = host.ready();
    let lease = Lease::make(&host, &sandbox, "6s");
    daemon.kill();
    let text = sandbox.config(&Config::default());
    host.configure(&text.replace("111122223333", "444455556666"));
    let _daemon = host.ready();
    lease.ends_on_time(&sandbox);
    assert_eq!(ends(&sandbox).len(), 1);
}

#[test]
fn a_broken_config_without_a_live_lease_is_exit_78() {
    let (_sandbox, host) = world();
    host.configure("group = \"test\"\nthis is no TOML\n");
    let daemon = host.start();
    assert_eq!(daemon.code(), Some(78));
    assert!(host.log().contains("grantd.toml:2"), "{}", host.log());
}

#[test]
fn a_lost_ledger_loses_no_deadline() {
    let (sandbox, host) = world();
    let daemon = host.ready();
    let lease = Lease::make(&host, &sandbox, "10s");
    daemon.kill();
    std::fs::remove_dir_all(host.state_dir()).unwrap();
    std::fs::create_dir(host.state_dir()).unwrap();
    let _daemon = host.ready();
    let found = until("the grant is found by its Name", || {
        let all = Lease::all(&host);
        all.into_iter().find(|(found, _)| found.reference == lease.reference)
    });
    assert_eq!(found.0.deadline_ms, lease.deadline_ms);
    assert_eq!(found.1["origin"], "found", "{found:?}");
    lease.ends_on_time(&sandbox);
    lease.closes(&host);
    history_verifies(&host);
}
