use serde_json::json;

use super::*;
use crate::testing::{T0, code, story, with};
use crate::{Propagation, Story, StoryOptions};

fn run(seed: u64) -> (Vec<Value>, Vec<Entry>) {
    let propagation = Propagation { min_ms: 0, max_ms: 5_000 };
    let mut s = Story::new(StoryOptions { seed, propagation, ..StoryOptions::default() }, T0);
    let grantd = s.grantd.caller.clone();
    let mut answers = Vec::new();
    for i in 0..40 {
        let body = with(s.terms(), "Name", json!(format!("n-{}", i % 7)));
        let at = T0 + i * 700;
        let made = s.core.call(&grantd, Op::CreateGrant, &body, at).expect("allowed");
        if i % 3 == 0 {
            let token = json!({ "GrantToken": made["GrantToken"] });
            s.core.call(&grantd, Op::RetireGrant, &token, at + 1).expect("it lives");
        }
        let list = json!({ "KeyId": s.key_arn });
        answers.push(s.core.call(&grantd, Op::ListGrants, &list, at + 2).expect("allowed"));
        answers.push(made);
    }
    (answers, s.core.journal().iter().cloned().collect())
}

#[test]
fn the_same_seed_gives_the_same_world() {
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}

#[test]
fn a_quota_is_the_accounts() {
    let mut s = story();
    s.core.settings_mut().accounts.push("444455556666".to_owned());
    s.core.settings_mut().quotas.insert(Op::ListKeys, 2);
    let (admin, grantd) = (s.admin.caller.clone(), s.grantd.caller.clone());
    s.by(&admin, Op::ListKeys, json!({})).expect("the first");
    s.by(&grantd, Op::ListKeys, json!({})).expect("the second");
    assert_eq!(code(s.by(&admin, Op::ListKeys, json!({}))), "ThrottlingException");
    let other = s.core.caller("arn:aws:iam::444455556666:root").expect("every account has a root");
    assert!(s.by(&other, Op::ListKeys, json!({})).is_ok());
    assert!(s.by(&admin, Op::ListAliases, json!({})).is_ok());
    assert!(s.core.call(&admin, Op::ListKeys, &json!({}), T0 + 1_000).is_ok());
}

#[test]
fn the_journal_keeps_mutations_and_refusals() {
    let mut s = story();
    let (grantd, b, body) = (s.grantd.caller.clone(), s.role_b.caller.clone(), s.terms());
    let before = s.core.journal().iter().count() as u64;
    let made = s.by(&grantd, Op::CreateGrant, body.clone()).expect("allowed");
    s.by(&grantd, Op::CreateGrant, body.clone()).expect("allowed");
    s.by(&b, Op::CreateGrant, body).expect_err("not allowed");
    s.by(&grantd, Op::ListGrants, json!({ "KeyId": s.key_arn })).expect("allowed");
    let entries: Vec<Entry> = s.core.journal().since(before).cloned().collect();
    let entry =
        |seq: u64, caller: &Caller, granted: bool, refused: Option<&str>, repeat: bool| Entry {
            seq: before + seq,
            at_ms: T0,
            op: Op::CreateGrant,
            caller: caller.arn().to_owned(),
            key_arn: Some(s.key_arn.clone()),
            grant_id: granted.then(|| made["GrantId"].as_str().unwrap_or_default().to_owned()),
            name: Some("grantd/prod/g-1/1/2026-11-23T18:00:00Z".to_owned()),
            refused: refused.map(str::to_owned),
            repeat,
        };
    assert_eq!(
        entries,
        [
            entry(1, &grantd, true, None, false),
            entry(2, &grantd, true, None, true),
            entry(3, &b, false, Some("AccessDeniedException"), false),
        ]
    );
}

/// Whatever is sent, there is an answer.
#[test]
fn no_body_makes_it_panic() {
    let mut s = story();
    s.core.settings_mut().quotas.clear();
    let made = s.admin_does(Op::CreateGrant, s.terms());
    let members = "KeyId GrantId GrantToken GrantTokens Name Operations Constraints Limit Marker \
                   GranteePrincipal RetiringPrincipal Plaintext CiphertextBlob EncryptionContext \
                   KeySpec NumberOfBytes AliasName TargetKeyId Policy PendingWindowInDays RoleArn \
                   RoleSessionName DurationSeconds DryRun";
    let values = [
        Value::Null,
        json!(true),
        json!(-1),
        json!(i64::MAX),
        json!(1.5),
        json!(""),
        json!("\u{0}é"),
        json!("arn:aws:kms:::"),
        json!("arn:aws:iam::111122223333:role/"),
        json!("="),
        json!([]),
        json!([null]),
        json!(["x"]),
        json!({}),
        json!({ "a": null }),
        json!({ "SourceArn": "arn" }),
        json!("x".repeat(10_000)),
        made["GrantToken"].clone(),
        made["GrantId"].clone(),
    ];
    let callers = [s.admin.caller.clone(), s.role_b.caller.clone()];
    for op in Op::ALL {
        for (member, value) in members.split(' ').flat_map(|m| values.iter().map(move |v| (m, v))) {
            let mut body = json!({
                "KeyId": s.key_arn, "GrantId": made["GrantId"], "AliasName": "alias/x",
                "TargetKeyId": s.key_id, "RoleArn": s.grantd.arn, "RoleSessionName": "session",
            });
            body[member] = value.clone();
            for caller in &callers {
                if let Err(error) = s.by(caller, *op, body.clone()) {
                    assert!([400, 403].contains(&error.status) && !error.message.is_empty());
                }
            }
        }
        for body in [json!(null), json!([]), json!("x"), json!(5)] {
            let answer = s.by(&callers[0], *op, body);
            assert!(*op == Op::GetCallerIdentity || code(answer) == "SerializationException");
        }
    }
}

/// Counted in steps of the core, not in seconds: 5,000 grants on one key stay cheap, since every
/// operation on one of them seeks. (The whole takes well under a second; quadratic work would not
/// end.)
#[test]
fn thousands_of_grants_on_one_key() {
    let mut s = story();
    s.core.settings_mut().quotas.clear();
    let grantd = s.grantd.caller.clone();
    let mut made = Vec::new();
    for i in 0..5_000 {
        let body = with(s.terms(), "Name", json!(format!("n-{i}")));
        made.push(s.by(&grantd, Op::CreateGrant, body).expect("allowed")["GrantId"].clone());
    }
    let mut marker = Value::Null;
    let mut listed = 0;
    loop {
        let body = json!({ "KeyId": s.key_arn, "Limit": 100, "Marker": marker });
        let page = s.by(&grantd, Op::ListGrants, body).expect("allowed");
        listed += page["Grants"].as_array().map_or(0, Vec::len);
        marker = page["NextMarker"].clone();
        if marker.is_null() {
            break;
        }
    }
    assert_eq!(listed, 5_000);
    for id in &made {
        let ask = json!({ "KeyId": s.key_arn, "GrantId": id });
        s.by(&grantd, Op::ListGrants, ask.clone()).expect("allowed");
        s.by(&grantd, Op::RetireGrant, ask).expect("it lives");
    }
    assert_eq!(s.core.count_alive(T0), 0);
    assert_eq!(s.core.journal().accepted(Op::RetireGrant).count(), 5_000);
}
