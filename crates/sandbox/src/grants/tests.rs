use serde_json::{Value, json};

use crate::testing::{T0, code, lagging, story, with};
use crate::{Caller, EndUnseen, KmsError, Op, Story};

mod accounts;
mod children;
mod endpoints;
mod listing;
mod planted;
mod principals;
mod switches;
mod validation;

fn create(story: &mut Story, body: &Value, now: i64) -> Result<(String, String), KmsError> {
    let answer = story.core.call(&story.grantd.caller, Op::CreateGrant, body, now)?;
    let member = |name: &str| answer[name].as_str().unwrap().to_owned();
    Ok((member("GrantId"), member("GrantToken")))
}

fn by_id(story: &Story, id: &str) -> Value {
    json!({ "KeyId": story.key_arn, "GrantId": id })
}

fn list(story: &mut Story, extra: Value, now: i64) -> Value {
    let mut body = json!({ "KeyId": story.key_arn });
    body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    story.core.call(&story.grantd.caller, Op::ListGrants, &body, now).unwrap()
}

fn ids(page: &Value) -> Vec<String> {
    let grants = page["Grants"].as_array().unwrap();
    grants.iter().map(|g| g["GrantId"].as_str().unwrap().to_owned()).collect()
}

fn decrypt(story: &mut Story, caller: &Caller, now: i64) -> Result<Value, KmsError> {
    let secret = story.encrypt("the data", now);
    story.core.call(caller, Op::Decrypt, &json!({ "CiphertextBlob": secret }), now)
}

#[test]
fn a_grant_gives_and_its_end_takes_away() {
    let mut s = story();
    let (a, b, grantd) =
        (s.role_a.caller.clone(), s.role_b.caller.clone(), s.grantd.caller.clone());
    assert!(decrypt(&mut s, &a, T0).is_ok());
    let refused = decrypt(&mut s, &b, T0).unwrap_err();
    assert_eq!(refused.code, "AccessDeniedException");
    assert_eq!(
        refused.message,
        format!(
            "User: arn:aws:sts::111122223333:assumed-role/RoleB/story is not authorized to \
             perform: kms:Decrypt on resource: {} because no identity-based policy allows \
             the kms:Decrypt action",
            s.key_arn
        )
    );
    let body = s.terms();
    let (id, _) = create(&mut s, &body, T0).unwrap();
    let opened = decrypt(&mut s, &b, T0).unwrap();
    assert_eq!(opened["Plaintext"], json!("dGhlIGRhdGE="));
    let ask = by_id(&s, &id);
    assert_eq!(code(s.core.call(&grantd, Op::RevokeGrant, &ask, T0)), "AccessDeniedException");
    s.core.call(&grantd, Op::RetireGrant, &ask, T0 + 5).unwrap();
    assert_eq!(decrypt(&mut s, &b, T0 + 5).unwrap_err().code, "AccessDeniedException");
    assert_eq!(s.core.journal().ended_at(&id), Some(T0 + 5));
    assert!(s.core.grants_alive(T0 + 5).is_empty());
    assert_eq!(code(s.core.call(&grantd, Op::RetireGrant, &ask, T0 + 6)), "NotFoundException");
}

#[test]
fn the_same_name_and_terms_are_one_grant() {
    let mut s = story();
    let body = s.terms();
    let (first, token) = create(&mut s, &body, T0).unwrap();
    let (again, other_token) = create(&mut s, &body, T0 + 1).unwrap();
    assert_eq!(first, again);
    assert_ne!(token, other_token);
    let differs = [
        with(body.clone(), "Operations", json!(["Decrypt"])),
        with(body.clone(), "Operations", json!(["DescribeKey", "Decrypt"])),
        with(body.clone(), "RetiringPrincipal", json!(s.admin.arn)),
        with(body.clone(), "Constraints", json!({ "EncryptionContextSubset": { "a": "1" } })),
        with(body.clone(), "Name", Value::Null),
        with(body.clone(), "Name", Value::Null),
    ];
    let mut seen = vec![first];
    for other in differs {
        let (id, _) = create(&mut s, &other, T0 + 2).unwrap();
        assert!(!seen.contains(&id), "{other}");
        seen.push(id);
    }
    assert_eq!(s.core.count_alive(T0 + 2), 7);
    assert_eq!(s.core.journal().accepted(Op::CreateGrant).count(), 7);
}

#[test]
fn the_order_of_operations_is_a_switch() {
    let mut s = story();
    s.core.settings_mut().unconfirmed.operations_order_matters = false;
    let body = s.terms();
    let turned = with(body.clone(), "Operations", json!(["DescribeKey", "Decrypt"]));
    assert_eq!(create(&mut s, &body, T0).unwrap().0, create(&mut s, &turned, T0).unwrap().0);
}

#[test]
fn a_name_after_the_end() {
    use crate::RepeatAfterEnd::{DeadForEver, DeadUntilPropagated, NewGrant};
    for (choice, soon, late) in
        [(NewGrant, false, false), (DeadUntilPropagated, true, false), (DeadForEver, true, true)]
    {
        let mut s = lagging(1_000);
        s.core.settings_mut().unconfirmed.repeat_after_end = choice;
        let (body, grantd) = (s.terms(), s.grantd.caller.clone());
        let (first, token) = create(&mut s, &body, T0).unwrap();
        s.core.call(&grantd, Op::RetireGrant, &json!({ "GrantToken": token }), T0).unwrap();
        assert_eq!(create(&mut s, &body, T0 + 500).unwrap().0 == first, soon, "{choice:?}");
        assert_eq!(create(&mut s, &body, T0 + 5_000).unwrap().0 == first, late, "{choice:?}");
    }
}

/// The same Name is another grant on another key, and for another account that issues it.
#[test]
fn a_name_is_the_keys_and_the_issuers() {
    let mut s = story();
    let body = s.terms();
    let (first, _) = create(&mut s, &body, T0).unwrap();
    let other = s.admin_does(Op::CreateKey, json!({}))["KeyMetadata"]["Arn"].clone();
    let (second, _) = create(&mut s, &with(body.clone(), "KeyId", other), T0).unwrap();
    assert_ne!(first, second);
    let (again, _) = create(&mut s, &body, T0).unwrap();
    assert_eq!(first, again);
    let root = s.core.caller("arn:aws:iam::111122223333:root").unwrap();
    let by_root = s.by(&root, Op::CreateGrant, body).unwrap();
    assert_eq!(by_root["GrantId"], json!(first), "the issuer is the account, not the person");
}

#[test]
fn the_views_lag_and_a_token_does_not() {
    let mut s = lagging(1_000);
    let (b, grantd) = (s.role_b.caller.clone(), s.grantd.caller.clone());
    let body = s.terms();
    let (id, token) = create(&mut s, &body, T0).unwrap();
    let ask = by_id(&s, &id);
    assert!(ids(&list(&mut s, json!({}), T0 + 999)).is_empty());
    assert_eq!(decrypt(&mut s, &b, T0 + 999).unwrap_err().code, "AccessDeniedException");
    assert_eq!(code(s.core.call(&grantd, Op::RetireGrant, &ask, T0 + 999)), "NotFoundException");
    s.core.settings_mut().unconfirmed.end_unseen = EndUnseen::AccessDenied;
    assert_eq!(
        code(s.core.call(&grantd, Op::RetireGrant, &ask, T0 + 999)),
        "AccessDeniedException"
    );
    let secret = s.encrypt("x", T0);
    let use_token = json!({ "CiphertextBlob": secret, "GrantTokens": [token] });
    assert!(s.core.call(&b, Op::Decrypt, &use_token, T0).is_ok());

    assert_eq!(ids(&list(&mut s, json!({}), T0 + 1_000)), std::slice::from_ref(&id));
    assert!(decrypt(&mut s, &b, T0 + 1_000).is_ok());
    s.core.call(&grantd, Op::RetireGrant, &ask, T0 + 2_000).unwrap();
    assert!(s.core.grants_alive(T0 + 2_000).is_empty());
    assert_eq!(ids(&list(&mut s, json!({}), T0 + 2_999)), [id]);
    assert!(decrypt(&mut s, &b, T0 + 2_999).is_ok());
    assert!(decrypt(&mut s, &b, T0 + 3_000).is_err());
    assert!(ids(&list(&mut s, json!({}), T0 + 3_000)).is_empty());
    assert_eq!(
        code(s.core.call(&b, Op::Decrypt, &use_token, T0 + 3_000)),
        "InvalidGrantTokenException"
    );
}

#[test]
fn a_twin_before_propagation_is_a_switch() {
    let mut s = lagging(1_000);
    s.core.settings_mut().unconfirmed.twins_before_propagation = true;
    let body = s.terms();
    let (first, _) = create(&mut s, &body, T0).unwrap();
    let (twin, _) = create(&mut s, &body, T0 + 10).unwrap();
    assert_ne!(first, twin);
    let (later, _) = create(&mut s, &body, T0 + 1_500).unwrap();
    assert!(later == first || later == twin);
}

#[test]
fn who_may_retire() {
    let mut s = story();
    let body = with(s.terms(), "Operations", json!(["Decrypt"]));
    let (b, a) = (s.role_b.caller.clone(), s.role_a.caller.clone());
    let (id, token) = create(&mut s, &body, T0).unwrap();
    for caller in [&a, &b] {
        let by_token = json!({ "GrantToken": token });
        assert_eq!(
            code(s.core.call(caller, Op::RetireGrant, &by_token, T0)),
            "AccessDeniedException"
        );
        let ask = by_id(&s, &id);
        assert_eq!(code(s.core.call(caller, Op::RetireGrant, &ask, T0)), "AccessDeniedException");
    }
    // The issuing account: an administrator whose IAM policy allows it.
    let (ask, admin) = (by_id(&s, &id), s.admin.caller.clone());
    s.core.call(&admin, Op::RetireGrant, &ask, T0).unwrap();
    // The grantee, if RetireGrant is among the operations.
    let body = with(s.terms(), "Operations", json!(["Decrypt", "RetireGrant"]));
    let (_, token) = create(&mut s, &body, T0).unwrap();
    s.core.call(&b, Op::RetireGrant, &json!({ "GrantToken": token }), T0).unwrap();
    assert_eq!(
        code(s.core.call(&b, Op::RetireGrant, &json!({ "GrantToken": token }), T0)),
        "InvalidGrantTokenException"
    );
}

/// A deny wins over the key policy, over a grant, and over being the retiring principal.
#[test]
fn a_deny_in_iam_wins() {
    let mut s = story();
    let body = s.terms();
    let (id, _) = create(&mut s, &body, T0).unwrap();
    let nothing = crate::IamPolicy::default();
    let (a, b, grantd) =
        (s.role_a.caller.clone(), s.role_b.caller.clone(), s.grantd.caller.clone());
    for (arn, action) in [
        (&s.role_a.arn, "kms:Decrypt"),
        (&s.role_b.arn, "kms:Decrypt"),
        (&s.grantd.arn, "kms:Retire*"),
    ] {
        s.core.put_role(arn, nothing.clone().deny([action]), &[], None);
    }
    let text = "with an explicit deny in an identity-based policy";
    assert!(decrypt(&mut s, &a, T0).unwrap_err().message.ends_with(text));
    assert!(decrypt(&mut s, &b, T0).unwrap_err().message.ends_with(text));
    let ask = by_id(&s, &id);
    assert_eq!(code(s.core.call(&grantd, Op::RetireGrant, &ask, T0)), "AccessDeniedException");
}

#[test]
fn retire_wants_a_token_or_an_arn_with_an_id() {
    let mut s = story();
    let body = s.terms();
    let (id, token) = create(&mut s, &body, T0).unwrap();
    let (grantd, arn, key_id) = (s.grantd.caller.clone(), s.key_arn.clone(), s.key_id.clone());
    let mut retire = |body: Value| code(s.core.call(&grantd, Op::RetireGrant, &body, T0));
    assert_eq!(retire(json!({})), "ValidationException");
    assert_eq!(retire(json!({ "GrantId": id })), "ValidationException");
    assert_eq!(retire(json!({ "KeyId": arn, "GrantToken": token })), "ValidationException");
    assert_eq!(retire(json!({ "KeyId": key_id, "GrantId": id })), "InvalidArnException");
    assert_eq!(retire(json!({ "KeyId": arn, "GrantId": "no-hex" })), "InvalidGrantIdException");
    assert_eq!(retire(json!({ "GrantToken": "bm9uZQ==" })), "InvalidGrantTokenException");
    assert_eq!(retire(json!({ "KeyId": arn, "GrantId": "0".repeat(64) })), "NotFoundException");
    assert_eq!(
        retire(json!({ "KeyId": arn, "GrantId": id, "DryRun": true })),
        "DryRunOperationException"
    );
    assert_eq!(s.core.count_alive(T0), 1);
}

#[test]
fn quotas_count_seconds_and_keys_count_grants() {
    let mut s = story();
    s.core.settings_mut().grants_per_key = 51;
    for i in 0..50 {
        let body = with(s.terms(), "Name", json!(format!("n-{i}")));
        create(&mut s, &body, T0 + i).unwrap();
    }
    let body = s.terms();
    let throttled = create(&mut s, &body, T0 + 999).unwrap_err();
    assert_eq!((throttled.code.as_str(), throttled.status), ("ThrottlingException", 400));
    create(&mut s, &body, T0 + 1_000).unwrap();
    create(&mut s, &body, T0 + 1_000).expect("a repeat needs no room");
    let full = create(&mut s, &with(body, "Name", json!("more")), T0 + 1_000).unwrap_err();
    assert_eq!(full.code, "LimitExceededException");
    assert_eq!(s.core.tally(Op::CreateGrant).throttled, 1);
}
