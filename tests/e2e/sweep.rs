//! `scan` and `sweep`: what is on the keys, told apart; and the cheapest stand-in, without daemon
//! and ledger.

use kms_sandbox::{Act, Fault, Match, Op, When};
use serde_json::json;
use testbed::{Config, Host, Ran, Sandbox, now_ms};

use crate::GRANTD;
use crate::lease::plant;

const MINUTE: i64 = 60_000;

fn run(host: &Host, words: &[&str]) -> Ran {
    let config = host.config().display().to_string();
    host.grantd(&[words, &["--config", &config]].concat())
}

/// One of ours, whose hosts are gone: its deadline was `ago_ms` ago.
fn left_behind(sandbox: &Sandbox, digit: char, ago_ms: i64) -> String {
    let at = (now_ms() - ago_ms).div_euclid(1_000);
    let deadline = jiff::Timestamp::from_second(at).unwrap();
    let name = format!("grantd/test/g-{}/1/{deadline}", digit.to_string().repeat(12));
    plant(sandbox, &name, &json!({ "RetiringPrincipal": sandbox.story.grantd.arn }))
}

fn ended(sandbox: &Sandbox, id: &str) -> bool {
    let grants = sandbox.grants();
    let grant = grants.iter().find(|grant| grant.grant_id == id).unwrap();
    grant.ended_at_ms.is_some()
}

fn deny(sandbox: &Sandbox, op: Op) -> kms_sandbox::FaultId {
    sandbox.handle().inject(Fault::new(Match::op(op), When::Before, Act::Deny))
}

#[test]
fn sweep_ends_what_is_overdue_and_ours_and_nothing_else() {
    let sandbox = Sandbox::start();
    let host = sandbox.host(GRANTD, &Config::default());
    let late = left_behind(&sandbox, '1', 5 * MINUTE);
    let just = left_behind(&sandbox, '2', 4_000);
    let past = "1/2020-01-01T00:00:00Z";
    let others = [
        left_behind(&sandbox, '3', -5 * MINUTE),
        plant(&sandbox, "ttl:1s", &json!({})),
        plant(&sandbox, &format!("grantd/other/g-444444444444/{past}"), &json!({})),
        plant(&sandbox, &format!("grantd/test/g-555555555555/{past}"), &json!({})),
    ];

    let dry = run(&host, &["sweep", "--dry-run", "--json"]);
    assert_eq!(dry.code, Some(1), "{dry:?}");
    let document = dry.json();
    let overdue = document["overdue"].as_array().unwrap();
    let words: Vec<_> = overdue.iter().map(|one| one["end"].as_str().unwrap()).collect();
    assert_eq!(words, ["not-tried", "not-tried"], "{document:#}");
    assert!(sandbox.accepted(Op::RetireGrant).is_empty(), "a dry run ends nothing");

    let swept = run(&host, &["sweep"]);
    assert_eq!(swept.code, Some(0), "{swept:?}");
    assert!(swept.stdout.contains("retired  g-111111111111"), "{swept:?}");
    assert!(swept.stdout.contains("ended: 2, overdue and left: 0"), "{swept:?}");
    assert!(ended(&sandbox, &late) && ended(&sandbox, &just));
    for id in &others {
        assert!(!ended(&sandbox, id), "{id}");
    }
    let again = run(&host, &["sweep", "--json"]);
    assert_eq!((again.code, &again.json()["overdue"]), (Some(0), &json!([])), "{again:?}");
}

#[test]
fn what_sweep_cannot_end_or_look_at_it_tells_and_exits_1() {
    let sandbox = Sandbox::start();
    let host = sandbox.host(GRANTD, &Config::default());
    let late = left_behind(&sandbox, '1', 5 * MINUTE);
    let denied = deny(&sandbox, Op::RetireGrant);
    let swept = run(&host, &["sweep", "--json"]);
    assert_eq!(swept.code, Some(1), "{swept:?}");
    let one = &swept.json()["overdue"][0];
    assert_eq!(one["end"], "failed", "{one}");
    assert!(one["why"].as_str().unwrap().contains("AccessDenied"), "{one}");
    assert!(!ended(&sandbox, &late));
    sandbox.handle().release(denied);

    // Where all that names our role cannot be listed, the policies' keys can.
    deny(&sandbox, Op::ListRetirableGrants);
    let denied = deny(&sandbox, Op::ListGrants);
    let swept = run(&host, &["sweep"]);
    assert_eq!(swept.code, Some(1), "{swept:?}");
    assert!(swept.stdout.contains("failure  grants of arn:"), "{swept:?}");
    assert!(!ended(&sandbox, &late));
    sandbox.handle().release(denied);
    let swept = run(&host, &["sweep"]);
    assert_eq!((swept.code, ended(&sandbox, &late)), (Some(0), true), "{swept:?}");
}

/// It has two clocks to go by. Where they disagree, one of them would end a lease early.
#[test]
fn with_a_false_clock_sweep_ends_nothing() {
    let sandbox = Sandbox::start();
    let host = sandbox.host(GRANTD, &Config::default());
    let live = left_behind(&sandbox, '1', -MINUTE);
    let late = left_behind(&sandbox, '2', 5 * MINUTE);
    sandbox.handle().set_date_skew(2 * MINUTE);
    let swept = run(&host, &["sweep"]);
    assert_eq!(swept.code, Some(1), "{swept:?}");
    assert!(swept.stdout.contains("clock against AWS"), "{swept:?}");
    assert!(!ended(&sandbox, &live) && !ended(&sandbox, &late));
}

#[test]
fn scan_tells_each_grant_apart_and_touches_none() {
    let sandbox = Sandbox::start();
    let host = sandbox.host(GRANTD, &Config::default());
    let config = std::fs::read_to_string(host.config()).unwrap();
    host.configure(&config.replace("name = \"readers\"", "name = \"readers\"\nadopt = \"report\""));
    let service = "dynamodb.ap-northeast-1.amazonaws.com";
    let context = json!({ "EncryptionContextSubset": { "aws:dynamodb:tableName": "t" } });
    let from_service = json!({ "GranteeServicePrincipal": service, "GranteePrincipal": null,
        "RetiringServicePrincipal": service, "Constraints": context });
    let ids = [
        (left_behind(&sandbox, '1', -MINUTE), "ours", "ends"),
        (plant(&sandbox, "ttl:2h/by-the-cli", &json!({})), "person-made", "would-end"),
        (plant(&sandbox, "ttl:soon", &json!({})), "person-made", "left-alone"),
        (plant(&sandbox, "", &from_service), "service-made", "left-alone"),
        (
            plant(&sandbox, "ttl:1s", &json!({ "GranteePrincipal": "AWS Internal" })),
            "internal",
            "left-alone",
        ),
        (
            plant(&sandbox, "ttl:1s", &json!({ "GranteePrincipal": "AROAEXAMPLEEXAMPLE123" })),
            "ghost-principal",
            "left-alone",
        ),
        (
            plant(&sandbox, "ttl:1s", &json!({ "Constraints": { "SourceAccount": "1" } })),
            "unknown",
            "left-alone",
        ),
    ];
    let scanned = run(&host, &["scan", "--json"]);
    assert_eq!(scanned.code, Some(0), "{scanned:?}");
    let document = scanned.json();
    let grants = document["grants"].as_array().unwrap();
    assert_eq!(grants.len(), ids.len(), "{document:#}");
    for (id, class, fate) in &ids {
        let grant = grants.iter().find(|grant| grant["grant-id"] == **id).unwrap();
        assert_eq!((&grant["class"], &grant["fate"]), (&json!(class), &json!(fate)), "{grant:#}");
        let reasons = grant["reasons"].as_array().unwrap();
        assert_eq!(reasons.is_empty(), *fate == "ends", "the reasons are shown: {grant:#}");
        assert!(!ended(&sandbox, id));
    }
    let soon = grants.iter().find(|grant| grant["name"] == "ttl:soon").unwrap();
    assert!(soon["reasons"][0].as_str().unwrap().contains("no span of time"), "{soon:#}");

    let shown = run(&host, &["scan", "--key", sandbox.story.alias]);
    assert_eq!(shown.code, Some(0), "{shown:?}");
    assert!(shown.stdout.contains("policy readers would end it"), "{shown:?}");
    for (id, ..) in &ids {
        assert!(shown.stdout.contains(id), "whole, to be pasted behind adopt: {shown:?}");
    }
    let grantee = "  for   arn:aws:iam::111122223333:role/RoleB";
    assert!(shown.stdout.contains(grantee), "with its account: {shown:?}");
    let wide = shown.stdout.lines().find(|line| line.chars().count() > 100);
    assert_eq!(wide, None, "bounded in width");
    assert!(shown.stdout.contains("grants: 7, on keys: 1: 1 internal, 1 service-made, 1 ours"));
    let none = run(&host, &["scan", "--key", "alias/none"]);
    assert_eq!(none.code, Some(66), "{none:?}");
    deny(&sandbox, Op::ListGrants);
    assert_eq!(run(&host, &["scan"]).code, Some(1));
}
