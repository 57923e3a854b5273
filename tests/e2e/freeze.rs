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

/// What a freeze is for has to be there, and an alias is its key, wherever it is moved.
#[test]
fn a_freeze_that_would_freeze_nothing_is_refused() {
    let (sandbox, host) = world();
    let _daemon = host.ready();
    let freeze =
        |words: &[&str]| host.grantd(&[&["freeze", "--reason", "incident 12"][..], words].concat());
    for (words, exit, text) in [
        (["--key", "app"], 66, "there is no key app where grantd looks, so this would freeze"),
        (["--key", "alias/ap"], 66, "there is no key alias/ap where grantd looks"),
        (["--key", "alias"], 66, "there is no key alias where"),
        (["--key", "alias/a:b"], 64, "is not a key"),
        (["--policy", "raeders"], 64, "the configuration has no policy \"raeders\""),
        (["--grantee", "role/RoleB "], 64, "did you mean role/RoleB?"),
        (["--grantee", "rolE/RoleB"], 64, "did you mean role/RoleB?"),
        (["--grantee", "AROAEXAMPLEID1234567"], 64, "is a unique id"),
        (["--grantee", "user/RoleB"], 64, "no policy gives access to \"user/RoleB\""),
        (["--account", "999999999999"], 64, "no policy has keys of account 999999999999"),
    ] {
        let refused = freeze(&words);
        assert_eq!(refused.code, Some(exit), "{refused:?}");
        assert!(refused.stderr.contains(text), "{refused:?}");
    }
    let arn = sandbox.story.key_arn.as_str();
    let create = ["create", "--key", arn, "--grantee", "role/RoleB", "--operations", "Decrypt"];
    done(&host, &create);
    let stands = freeze(&["--key", sandbox.story.alias]).ok();
    assert!(stands.stderr.contains("open leases that it fits, and that live on: 1"), "{stands:?}");
    let listed = host.grantd(&["freeze", "--list", "--json"]).ok().json();
    assert_eq!(listed[0]["keys"], serde_json::json!([arn]));
    // By the alias what was asked for by the ARN is ended too.
    let ended = freeze(&["--key", sandbox.story.alias, "--revoke", "--yes"]).ok();
    assert_eq!(ended.stdout.matches("  ended: KMS accepted at ").count(), 1, "{ended:?}");
}

/// An incident does not wait for a configuration that loads, nor for KMS.
#[test]
fn a_daemon_that_only_ends_freezes_and_lifts() {
    let (sandbox, host) = world();
    let daemon = host.ready();
    let lease = Lease::make(&host, &sandbox, "8s");
    assert_eq!(daemon.stop(), Some(0));
    host.configure("group = 7");
    let _daemon = host.ready();
    let words = ["freeze", "--policy", "any", "--key", sandbox.story.alias, "--reason", "x"];
    done(&host, &words);
    done(&host, &["unfreeze", "1"]);
    lease.ends_on_time(&sandbox);
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
    done(&host, &["freeze", "--grantee", "role/*", "--reason", "incident 13"]);
    assert_eq!(host.post("/v1/leases", &request(&sandbox, "1m")).status, 503, "by a pattern");
    done(&host, &["unfreeze", "--all"]);
    Lease::of(&host.post("/v1/leases", &request(&sandbox, "1m")), 201);
    history_verifies(&host);
}
