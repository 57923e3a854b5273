//! `explain --online`: the real key in the place of a supposed one, and what else AWS says of the
//! request; nothing is made.

use kms_sandbox::{Act, Fault, Match, Op, When};
use serde_json::{Value, json};
use testbed::{Config, Host, Ran, Sandbox, now_ms};

use crate::GRANTD;

fn world() -> (Sandbox, Host) {
    let sandbox = Sandbox::start();
    let host = sandbox.host(GRANTD, &Config::default());
    (sandbox, host)
}

fn explain(host: &Host, key: &str, more: &[&str]) -> Ran {
    let config = host.config().display().to_string();
    let mut args = vec!["explain", "--online", "--json", "--config", &config, "--key", key];
    args.extend(["--grantee", "role/RoleB", "--operations", "Decrypt"]);
    args.extend(more);
    host.grantd(&args)
}

/// What AWS says about `what`, whose words must hold `words`: how bad it is.
#[track_caller]
fn level(told: &Value, what: &str, words: &str) -> String {
    let all = told["online"].as_array().unwrap();
    let about = |finding: &&Value| finding["what"].as_str().unwrap().starts_with(what);
    let found = all.iter().find(about).unwrap_or_else(|| panic!("{what}: {told:#}"));
    assert!(found["seen"].as_str().unwrap().contains(words), "{found:#}");
    found["level"].as_str().unwrap().to_owned()
}

#[test]
fn the_real_key_stands_in_the_place_of_a_supposed_one() {
    let (sandbox, host) = world();
    let story = &sandbox.story;
    for key in [story.alias, &story.key_arn, &story.key_id] {
        let ran = explain(&host, key, &["--ttl", "30min"]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let told = ran.json();
        assert_eq!((&told["decision"], &told["policy"]), (&json!("allow"), &json!("readers")));
        assert_eq!(told["key-arn"], story.key_arn.as_str(), "also of the alias");
        assert_eq!((&told["aliases"], &told["assumed"]), (&json!([story.alias]), &json!([])));
        assert_eq!(level(&told, "credentials 111122223333", "assumed-role/grantd"), "ok");
        assert_eq!(level(&told, "clock against AWS", "0 s"), "ok");
        assert_eq!(level(&told, "key arn:", "Enabled, SYMMETRIC_DEFAULT"), "ok");
        assert_eq!(level(&told, "grants of arn:", "0 of 50000"), "ok");
        assert_eq!(level(&told, "grantee arn:", "0 grants of the key name it"), "ok");
    }
    let shown = host.grantd(&[
        "explain",
        "--online",
        "--config",
        &host.config().display().to_string(),
        "--key",
        story.alias,
        "--grantee",
        "role/RoleB",
        "--operations",
        "Decrypt",
    ]);
    let shown = shown.ok().stdout;
    assert!(shown.contains("what AWS says\nok       credentials"), "{shown}");
    let refused = explain(&host, story.alias, &["--ttl", "3h"]);
    assert_eq!(
        (refused.code, &refused.json()["fault"]["type"]),
        (Some(77), &"ttl-above-max".into())
    );
    let both = explain(&host, story.alias, &["--key-state", "Disabled"]);
    assert_eq!(both.code, Some(64), "what is asked for is not supposed: {both:?}");
    assert!(sandbox.grants().is_empty());
}

#[test]
fn what_the_daemon_would_find_besides_is_a_refusal() {
    let (sandbox, host) = world();
    let story = &sandbox.story;
    let (admin, key) = (story.admin.caller.clone(), json!({ "KeyId": story.key_id }));
    sandbox.handle().with(|core| core.call(&admin, Op::DisableKey, &key, now_ms())).unwrap();
    let disabled = explain(&host, story.alias, &[]);
    assert_eq!((disabled.code, &disabled.json()["fault"]["type"]), (Some(77), &"key-state".into()));
    assert_eq!(level(&disabled.json(), "key arn:", "Disabled"), "failure");
    sandbox.handle().with(|core| core.call(&admin, Op::EnableKey, &key, now_ms())).unwrap();
    let plant = json!({ "KeyId": story.key_arn, "GranteePrincipal": story.role_b.arn,
        "Operations": ["Decrypt"] });
    sandbox.handle().with(|core| core.plant(&plant, 40_001, now_ms())).unwrap();
    let full = explain(&host, story.alias, &[]);
    let told = full.json();
    assert_eq!((full.code, &told["decision"]), (Some(77), &json!("allow")), "the file allows it");
    assert_eq!(level(&told, "grants of arn:", "40001 of 50000"), "failure");
    assert_eq!(level(&told, "grantee arn:", "40001 grants of the key name it"), "ok");
}

#[test]
fn what_aws_does_not_tell_is_said_with_the_exit_code_of_a_create() {
    let (sandbox, host) = world();
    let code = |ran: Ran| (ran.code, ran.json()["type"].as_str().unwrap().to_owned());
    let none = code(explain(&host, "alias/none", &[]));
    assert_eq!(none, (Some(66), "key-not-found".to_owned()));
    let elsewhere = code(explain(&host, sandbox.story.alias, &["--region", "eu-west-1"]));
    assert_eq!(elsewhere, (Some(66), "key-not-found".to_owned()));
    let denied = Fault::new(Match::op(Op::ListAliases), When::Before, Act::Deny);
    let denied = sandbox.handle().inject(denied);
    let told = code(explain(&host, sandbox.story.alias, &[]));
    assert_eq!(told, (Some(77), "kms-denied".to_owned()));
    sandbox.handle().release(denied);
    host.configure(
        &std::fs::read_to_string(host.config())
            .unwrap()
            .replace(&sandbox.server.url(), "http://127.0.0.1:1"),
    );
    let silent = code(explain(&host, sandbox.story.alias, &[]));
    assert_eq!(silent, (Some(69), "kms-silent".to_owned()));
}

/// Whoever explains has no credentials of grantd's as a rule: that is said, not that the daemon's
/// lack something.
#[test]
fn whose_credentials_are_asked_with_is_said() {
    let (sandbox, mut host) = world();
    let alias = sandbox.story.alias;
    let remedy = |told: &Value| told["online"][0]["remedy"].as_str().unwrap().to_owned();
    let admin = &sandbox.story.admin;
    host.set("AWS_ACCESS_KEY_ID", &admin.access_key_id);
    host.set("AWS_SECRET_ACCESS_KEY", &admin.secret_access_key);
    let told = explain(&host, alias, &[]).json();
    assert!(told["online"].is_array(), "{told:#}");
    assert_eq!(level(&told, "credentials 111122223333", "admin"), "failure");
    assert!(remedy(&told).ends_with("asks AWS with your own credentials, not the daemon's"));
    let denied = Fault::new(Match::op(Op::ListAliases), When::Before, Act::Deny);
    sandbox.handle().inject(denied);
    let told = explain(&host, alias, &[]).json();
    assert!(told["detail"].as_str().unwrap().contains("this command may not look it up"));
    assert!(told["hint"].as_str().unwrap().starts_with("this command asks AWS with your own"));
    host.set("AWS_ACCESS_KEY_ID", "AKIDNOBODY");
    let told = explain(&host, alias, &[]).json();
    assert!(told["detail"].as_str().unwrap().contains("this command's credentials"), "{told:#}");
}
