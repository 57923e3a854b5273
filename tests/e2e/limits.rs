//! Hard limits, asked for by the command line.

use grantd::ids::KeyArn;
use grantd::ledger::{Census, Ledger};
use grantd::rules::time::{MINUTE, Time};
use serde_json::json;
use testbed::{Config, Host, Ran, Sandbox, now_ms, until};

use crate::GRANTD;
use crate::lease::Lease;

fn create(host: &Host, key: &str) -> Ran {
    let args =
        ["create", "--key", key, "--grantee", "role/RoleB", "--operations", "read", "--json"];
    host.grantd(&args)
}

/// Two at once: the transaction decides, so one passes.
#[test]
fn of_many_askers_at_once_as_many_pass_as_the_policy_lets_live() {
    let sandbox = Sandbox::start();
    let host = sandbox.host(GRANTD, &Config::default());
    let text = sandbox.config(&Config::default());
    host.configure(&text.replace("max-live-per-asker = 10000", "max-live-per-asker = 3"));
    let daemon = host.ready();
    let asked: Vec<Ran> = std::thread::scope(|scope| {
        let ask = || scope.spawn(|| create(&host, sandbox.story.alias));
        let all: Vec<_> = (0..6).map(|_| ask()).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let codes = |code| asked.iter().filter(|ran| ran.code == Some(code)).count();
    assert_eq!((codes(0), codes(75)), (3, 3), "{asked:?}");
    assert_eq!(sandbox.living().len(), 3);
    let refused = asked.iter().find(|ran| ran.code == Some(75)).unwrap().json();
    assert_eq!(refused["type"], "too-many-live");
    let made = asked.iter().find(|ran| ran.code == Some(0)).unwrap().json();
    assert_eq!(made["lease"]["operations"], serde_json::json!(["Decrypt", "DescribeKey"]));
    assert_eq!(daemon.stop(), Some(0));
}

/// A key that its last whole listing saw over 80% full gets no grant; a new listing sets it free.
#[test]
fn a_key_that_is_nearly_full_gets_no_more_grants_until_it_has_room() {
    let sandbox = Sandbox::start();
    let host = sandbox.host(GRANTD, &Config::default());
    let daemon = host.ready();
    assert_eq!(create(&host, sandbox.story.alias).code, Some(0));
    let key = KeyArn::parse(sandbox.story.key_arn.clone()).unwrap();
    assert_eq!(daemon.stop(), Some(0));
    let (mut ledger, _) = Ledger::open(&host.state_dir()).unwrap();
    let counted = ledger.census(&key).unwrap();
    // The count went on beside the probe and the lease, and may have seen none of them.
    assert!(counted.is_some_and(|seen| seen.grants <= 2), "{counted:?}");
    let long_ago = Time(now_ms()).plus(-5 * MINUTE);
    ledger.set_census(&key, Census { grants: 40_001, seen_at: long_ago }).unwrap();
    drop(ledger);
    let daemon = host.ready();
    let refused = create(&host, sandbox.story.alias);
    assert_eq!((refused.code, &refused.json()["type"]), (Some(75), &"key-full".into()));
    until("the key is counted again", || {
        (create(&host, sandbox.story.alias).code == Some(0)).then_some(())
    });
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_reason_is_one_line_whatever_it_is_given_for() {
    let sandbox = Sandbox::start();
    let host = sandbox.host(GRANTD, &Config::default());
    let _daemon = host.ready();
    let lease = Lease::make(&host, &sandbox, "5min").reference;
    let many = json!([lease]);
    for reason in ["two\nlines".to_owned(), "x".repeat(1_001)] {
        let one = host.post(&format!("/v1/leases/{lease}/revoke"), &json!({ "reason": reason }));
        let all = host.post("/v1/revoke", &json!({ "refs": many, "reason": reason }));
        for refused in [one, all] {
            assert_eq!(refused.status, 400, "{refused:?}");
            assert_eq!(refused.body["type"], "bad-argument", "{refused:?}");
        }
    }
    assert_eq!(sandbox.living().len(), 1, "a refused wish ends nothing");
    let fits =
        host.post(&format!("/v1/leases/{lease}/revoke"), &json!({ "reason": "é".repeat(1_000) }));
    assert_eq!(fits.status, 200, "{fits:?}");
}
