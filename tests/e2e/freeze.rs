//! An incident: frozen, ended, and lifted again.

use testbed::{Config, Host, Sandbox, until};

use crate::GRANTD;
use crate::lease::{Lease, history_verifies, request};

fn world() -> (Sandbox, Host) {
    let sandbox = Sandbox::start();
    let host = sandbox.host(GRANTD, &Config::default());
    (sandbox, host)
}

#[track_caller]
fn done(host: &Host, words: &[&str]) {
    assert_eq!(host.grantd(words).code, Some(0), "{words:?}");
}

#[test]
fn a_freeze_outlives_the_daemon_and_stops_no_end() {
    let (sandbox, host) = world();
    let daemon = host.ready();
    let lease = Lease::make(&host, &sandbox, "8s");
    let key = sandbox.story.alias;
    done(&host, &["freeze", "--key", key, "--reason", "incident 12"]);
    let made = sandbox.leased().len();
    let arn = sandbox.story.key_arn.as_str();
    let create = ["create", "--key", arn, "--grantee", "role/RoleB", "--operations", "Decrypt"];
    let refused = host.grantd(&create);
    assert_eq!(refused.code, Some(75), "by the ARN too: {refused:?}");
    assert!(refused.stderr.contains("incident 12 (freeze 1)"), "{refused:?}");
    daemon.kill();
    let _daemon = host.ready();
    let refused = host.post("/v1/leases", &request(&sandbox, "1m"));
    assert_eq!((refused.status, &refused.body["type"]), (503, &"frozen".into()), "{refused:?}");
    assert_eq!(sandbox.leased().len(), made, "nothing was made");
    let status = host.grantd(&["status"]);
    assert_eq!(status.code, Some(1), "{status:?}");
    assert!(status.stdout.contains("`grantd unfreeze 1` lifts it"), "{status:?}");
    lease.ends_on_time(&sandbox);
    let listed = host.grantd(&["freeze", "--list", "--json"]).ok().json();
    assert_eq!(listed[0]["scope"]["key"], key);
    done(&host, &["unfreeze", "--all"]);
    done(&host, &create);
    history_verifies(&host);
}

#[test]
fn one_command_freezes_and_ends_what_lives() {
    let (sandbox, host) = world();
    let _daemon = host.ready();
    for _ in 0..3 {
        Lease::make(&host, &sandbox, "1h");
    }
    let alone = host.grantd(&["freeze", "--all", "--revoke", "--reason", "incident 12"]);
    assert_eq!(alone.code, Some(64), "nobody said yes: {alone:?}");
    assert_eq!(sandbox.living().len(), 3);
    let stopped =
        ["freeze", "--grantee", "role/RoleB", "--revoke", "--yes", "--reason", "incident 12"];
    let stopped = host.grantd(&stopped).ok();
    assert!(
        stopped.stderr.contains("no lease is made there until `grantd unfreeze 2`"),
        "{stopped:?}"
    );
    assert_eq!(stopped.stdout.matches("  ended: KMS accepted at ").count(), 3, "{stopped:?}");
    until("all are ended", || sandbox.living().is_empty().then_some(()));
    assert_eq!(host.post("/v1/leases", &request(&sandbox, "1m")).status, 503);
    done(&host, &["unfreeze", "1", "2"]);
    Lease::of(&host.post("/v1/leases", &request(&sandbox, "1m")), 201);
    history_verifies(&host);
}
