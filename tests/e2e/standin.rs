//! Two hosts of one group, which know nothing of each other: whatever happens to one, the other
//! ends what it made.

use kms_sandbox::Op;
use serde_json::Value;
use testbed::{Config, Host, Sandbox, until};

use crate::GRANTD;
use crate::lease::{Lease, ends, history_verifies};

/// Often enough that a test need not wait; production's is five minutes.
const RECONCILE: &str = "reconcile = \"1s\"";
/// What a stand-in leaves to the host that made it (DESIGN 8).
const STAND_IN_MS: i64 = 1_000;

fn member(sandbox: &Sandbox, account: &str) -> Host {
    let config = Config { account: account.to_owned(), ..Config::default() };
    let host = sandbox.host(GRANTD, &config);
    let text = sandbox.config(&config).replace("[daemon]\n", &format!("[daemon]\n{RECONCILE}\n"));
    host.configure(&text);
    host
}

fn pair() -> (Sandbox, Host, Host) {
    let sandbox = Sandbox::start();
    let (one, other) = (member(&sandbox, "hosts = 2"), member(&sandbox, "hosts = 2"));
    (sandbox, one, other)
}

/// Waits until `host` has the lease of another.
#[track_caller]
fn knows(host: &Host, lease: &Lease) -> Value {
    until("the other host has found it", || {
        let all = Lease::all(host).into_iter();
        all.map(|(found, shown)| (found.reference, shown))
            .find(|(found, _)| *found == lease.reference)
    })
    .1
}

/// What the daemon said above `INFO`, but for what a found grant is announced with.
fn noise(host: &Host) -> Vec<String> {
    let log = host.log();
    let loud = log.lines().filter(|line| line.contains(" WARN ") || line.contains(" ERROR "));
    let told = |line: &&str| !line.contains("found a grant of ours without a record");
    loud.filter(told).map(str::to_owned).collect()
}

#[test]
fn the_other_host_ends_on_time_what_a_dead_one_made() {
    let (sandbox, one, other) = pair();
    let dying = one.ready();
    let _standing_by = other.ready();
    let lease = Lease::make(&one, &sandbox, "8s");
    let found = knows(&other, &lease);
    assert_eq!(found["origin"], "found", "{found}");
    dying.kill();
    let grant = lease.ends_on_time(&sandbox);
    let late = grant.ended_at_ms.unwrap() - lease.deadline_ms;
    assert!(late >= STAND_IN_MS, "a stand-in leaves it to its maker for a second, not {late} ms");
    lease.closes(&other);
    history_verifies(&other);
}

/// The maker dies before the other could see the grant: the next search of the other finds it.
#[test]
fn what_was_made_a_moment_before_the_death_is_found_within_an_interval() {
    let (sandbox, one, other) = pair();
    let standing_by = other.ready();
    let dying = one.ready();
    let lease = Lease::make(&one, &sandbox, "6s");
    dying.kill();
    lease.ends_on_time(&sandbox);
    lease.closes(&other);
    assert_eq!(standing_by.stop(), Some(0));
}

/// Both live: one of them ends it, both agree, and neither complains.
#[test]
fn two_hosts_end_a_lease_once_and_in_peace() {
    let (sandbox, one, other) = pair();
    let (first, second) = (one.ready(), other.ready());
    let lease = Lease::make(&one, &sandbox, "5s");
    knows(&other, &lease);
    lease.ends_on_time(&sandbox);
    assert_eq!(ends(&sandbox).len(), 1, "KMS accepted one end");
    for host in [&one, &other] {
        let closed = lease.closes(host);
        assert_eq!(closed["grants"].as_array().unwrap().len(), 1, "{closed}");
        assert_eq!(host.get("/v1/status").body["health"], 0, "{}", host.get("/v1/status").body);
        history_verifies(host);
    }
    assert_eq!((first.stop(), second.stop()), (Some(0), Some(0)));
    assert_eq!((noise(&one), noise(&other)), (Vec::new(), Vec::new()));
}

/// `hosts = 2` on each: together they stay within what one alone may send.
/// A revoke on one host is told on the other as what it is, and alarms nobody.
#[test]
fn a_revoke_on_one_host_shows_on_the_other() {
    let (sandbox, one, other) = pair();
    let _both = (one.ready(), other.ready());
    let lease = Lease::make(&one, &sandbox, "1min");
    knows(&other, &lease);
    assert_eq!(one.grantd(&["revoke", &lease.reference]).code, Some(0));
    let shown = until("the other host sees it", || {
        let shown = lease.now(&other);
        shown["grants"][0]["missing-at"].is_string().then_some(shown)
    });
    assert_eq!(shown["state"], "active", "it keeps its end: {shown:#}");
    let show = other.grantd(&["show", &lease.reference]);
    assert!(show.stdout.contains("somebody else ended it"), "{show:?}");
    let history = other.grantd(&["history", &lease.reference]);
    assert!(history.stdout.contains("missing"), "{history:?}");
    let status = other.get("/v1/status").body;
    assert_eq!((&status["health"], &status["missing"]), (&0.into(), &0.into()), "{status:#}");
    assert_eq!(noise(&other), [] as [&str; 0]);
}

#[test]
fn two_hosts_share_the_quota() {
    let (sandbox, one, other) = pair();
    let (_first, _second) = (one.ready(), other.ready());
    std::thread::scope(|scope| {
        for host in [&one, &other] {
            let sandbox = &sandbox;
            scope.spawn(move || {
                for _ in 0..12 {
                    Lease::make(host, sandbox, "50s");
                }
            });
        }
    });
    let sent: Vec<i64> = sandbox
        .handle()
        .with(|core| core.journal().accepted(Op::CreateGrant).map(|entry| entry.at_ms).collect());
    assert!(sent.len() >= 24, "{sent:?}");
    // `create = 10` for the account; a request may be some time on its way, so at most one more.
    for window in sent.windows(12) {
        assert!(window[11] - window[0] >= 900, "twelve creates within {window:?}");
    }
}
