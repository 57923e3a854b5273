use super::*;
use crate::testing::{T0, code, story};
use crate::{Caller, IamPolicy, Story};

const DAY: i64 = 86_400_000;

fn key(s: &Story) -> Value {
    json!({ "KeyId": s.key_arn })
}

/// The table "Key states" of kms-facts 1.
#[test]
fn grants_in_every_state_of_the_key() {
    for (state, made, used) in [
        (KeyState::Enabled, "", ""),
        (KeyState::Disabled, "DisabledException", "DisabledException"),
        (KeyState::PendingDeletion, "KMSInvalidStateException", "KMSInvalidStateException"),
        (KeyState::PendingReplicaDeletion, "KMSInvalidStateException", "KMSInvalidStateException"),
        (KeyState::PendingImport, "KMSInvalidStateException", "KMSInvalidStateException"),
        (KeyState::Unavailable, "", "KeyUnavailableException"),
        (KeyState::Creating, "KMSInvalidStateException", "KMSInvalidStateException"),
        (KeyState::Updating, "", ""),
    ] {
        let mut s = story();
        let (grantd, admin) = (s.grantd.caller.clone(), s.admin.caller.clone());
        let one = s.admin_does(Op::CreateGrant, s.terms());
        let two =
            s.admin_does(Op::CreateGrant, crate::testing::with(s.terms(), "Name", json!("2")));
        let sealed = json!({ "CiphertextBlob": s.encrypt("x", T0) });
        assert!(s.core.set_key_state(&s.key_arn.clone(), state));
        let outcome = |r: Result<Value, KmsError>| r.err().map(|e| e.code).unwrap_or_default();
        let third = crate::testing::with(s.terms(), "Name", json!("3"));
        assert_eq!(outcome(s.by(&grantd, Op::CreateGrant, third)), made, "{state:?}");
        let b = s.role_b.caller.clone();
        assert_eq!(outcome(s.by(&b, Op::Decrypt, sealed)), used, "{state:?}");
        assert!(s.by(&grantd, Op::ListGrants, key(&s)).is_ok());
        assert!(s.by(&grantd, Op::DescribeKey, key(&s)).is_ok());
        let ask = |grant: &Value| json!({ "KeyId": s.key_arn, "GrantId": grant["GrantId"] });
        let (first, second) = (ask(&one), ask(&two));
        assert!(s.by(&grantd, Op::RetireGrant, first).is_ok(), "{state:?}");
        assert!(s.by(&admin, Op::RevokeGrant, second).is_ok(), "{state:?}");
    }
}

#[test]
fn pending_deletion_may_answer_disabled() {
    let mut s = story();
    s.core.settings_mut().unconfirmed.pending_deletion_is_disabled = true;
    s.admin_does(Op::ScheduleKeyDeletion, key(&s));
    let (grantd, body) = (s.grantd.caller.clone(), s.terms());
    assert_eq!(code(s.by(&grantd, Op::CreateGrant, body)), "DisabledException");
}

#[test]
fn a_key_dies_with_its_grants_and_aliases() {
    let mut s = story();
    let made = s.admin_does(Op::CreateGrant, s.terms());
    s.admin_does(Op::ScheduleKeyDeletion, json!({ "KeyId": s.key_arn, "PendingWindowInDays": 7 }));
    let (grantd, at) = (s.grantd.caller.clone(), T0 + 7 * DAY);
    assert!(s.core.call(&grantd, Op::ListGrants, &key(&s), at - 1).is_ok());
    assert_eq!(s.core.count_alive(at - 1), 1);
    assert_eq!(s.core.count_alive(at), 0);
    assert_eq!(code(s.core.call(&grantd, Op::ListGrants, &key(&s), at)), "NotFoundException");
    let truth = s.core.grant(made["GrantId"].as_str().expect("an id")).expect("remembered");
    assert_eq!((truth.ended_at_ms, truth.end), (Some(at), Some(crate::End::KeyDeleted)));
    let aliases = s.core.call(&grantd, Op::ListAliases, &json!({}), at).expect("allowed");
    let left: Vec<&Value> =
        aliases["Aliases"].as_array().into_iter().flatten().map(|a| &a["AliasName"]).collect();
    assert_eq!(left, ["alias/aws/ebs", "alias/aws/s3"]);
}

#[test]
fn a_deletion_can_be_cancelled() {
    let mut s = story();
    let admin = s.admin.caller.clone();
    assert_eq!(code(s.by(&admin, Op::CancelKeyDeletion, key(&s))), "KMSInvalidStateException");
    s.admin_does(Op::ScheduleKeyDeletion, key(&s));
    assert_eq!(code(s.by(&admin, Op::EnableKey, key(&s))), "KMSInvalidStateException");
    s.admin_does(Op::CancelKeyDeletion, key(&s));
    let shown = s.admin_does(Op::DescribeKey, key(&s));
    assert_eq!(shown["KeyMetadata"]["KeyState"], json!("Disabled"));
    s.admin_does(Op::EnableKey, key(&s));
    let state = &s.admin_does(Op::DescribeKey, key(&s))["KeyMetadata"];
    assert_eq!((&state["KeyState"], state.get("DeletionDate")), (&json!("Enabled"), None));
}

#[test]
fn a_policy_without_delegation_shuts_iam_out() {
    let mut s = story();
    let only_a = json!({ "Statement": [
        {
            "Effect": "Allow", "Principal": { "AWS": s.role_a.arn },
            "Action": "kms:*", "Resource": "*",
        },
    ] });
    s.admin_does(Op::PutKeyPolicy, json!({ "KeyId": s.key_arn, "Policy": only_a.to_string() }));
    let (admin, a) = (s.admin.caller.clone(), s.role_a.caller.clone());
    let refused = s.by(&admin, Op::ListGrants, key(&s)).expect_err("IAM does not count");
    assert!(
        refused
            .message
            .ends_with("because no resource-based policy allows the kms:ListGrants action")
    );
    assert!(s.by(&a, Op::ListGrants, key(&s)).is_ok());
    let shown = s.by(&a, Op::GetKeyPolicy, key(&s)).expect("allowed");
    assert_eq!(shown["Policy"], json!(only_a.to_string()));
}

#[test]
fn a_stranger_needs_both_sides_or_a_grant() {
    let mut s = story();
    s.core.settings_mut().accounts.push("444455556666".to_owned());
    let arn = "arn:aws:iam::444455556666:role/Guest";
    let guest = |s: &mut Story, allowed: &[&str]| -> Caller {
        s.core.put_role(arn, IamPolicy::allow(allowed.iter().copied()), &[], None);
        s.core.caller(arn).expect("it was just put")
    };
    let me = guest(&mut s, &["kms:*"]);
    assert_eq!(code(s.by(&me, Op::ListGrants, key(&s))), "AccessDeniedException");
    let open = json!({ "Statement": [
        {
            "Effect": "Allow", "Principal": { "AWS": ["111122223333", arn] },
            "Action": "kms:*", "Resource": "*",
        },
    ] });
    s.admin_does(Op::PutKeyPolicy, json!({ "KeyId": s.key_arn, "Policy": open.to_string() }));
    assert!(s.by(&me, Op::ListGrants, key(&s)).is_ok());
    assert_eq!(code(s.by(&me, Op::ListGrants, json!({ "KeyId": s.key_id }))), "NotFoundException");
    let made = s.by(&me, Op::CreateGrant, s.terms()).expect("both sides allow");
    let listed = s.by(&me, Op::ListGrants, key(&s)).expect("both sides allow");
    assert_eq!(listed["Grants"][0]["IssuingAccount"], json!("arn:aws:iam::444455556666:root"));
    let me = guest(&mut s, &[]);
    assert_eq!(code(s.by(&me, Op::ListGrants, key(&s))), "AccessDeniedException");
    // The issuing account is the guest's, so the key's own administrator cannot retire it.
    let (admin, ask) = (s.admin.caller.clone(), json!({ "GrantToken": made["GrantToken"] }));
    assert_eq!(code(s.by(&admin, Op::RetireGrant, ask)), "AccessDeniedException");
}

/// A key made for material from outside has none yet.
#[test]
fn a_key_that_waits_for_its_material() {
    let mut s = story();
    let made = s.admin_does(Op::CreateKey, json!({ "Origin": "EXTERNAL" }))["KeyMetadata"].clone();
    assert_eq!(
        (&made["KeyState"], &made["Origin"], &made["Enabled"]),
        (&json!("PendingImport"), &json!("EXTERNAL"), &json!(false))
    );
    let (admin, body) = (s.admin.caller.clone(), s.terms());
    let body = crate::testing::with(body, "KeyId", made["Arn"].clone());
    assert_eq!(code(s.by(&admin, Op::CreateGrant, body)), "KMSInvalidStateException");
    assert!(s.by(&admin, Op::ListGrants, json!({ "KeyId": made["Arn"] })).is_ok());
}

#[test]
fn a_multi_region_key_says_so() {
    let mut s = story();
    let made = s.admin_does(Op::CreateKey, json!({ "MultiRegion": true }))["KeyMetadata"].clone();
    let id = made["KeyId"].as_str().expect("an id");
    assert!(id.starts_with("mrk-") && id.len() == 36 && !id[4..].contains('-'), "{id}");
    assert_eq!(made["MultiRegionConfiguration"]["PrimaryKey"]["Arn"], made["Arn"]);
    let body = crate::testing::with(s.terms(), "KeyId", json!(id));
    s.admin_does(Op::CreateGrant, body);
}

/// All ends of a grant on a key that is gone, and on one that never was.
#[test]
fn a_key_that_is_not_there() {
    let mut s = story();
    let made = s.admin_does(Op::CreateGrant, s.terms());
    s.admin_does(Op::ScheduleKeyDeletion, key(&s));
    let (admin, gone) = (s.admin.caller.clone(), T0 + 30 * DAY);
    let ask = json!({ "KeyId": s.key_arn, "GrantId": made["GrantId"] });
    for op in [Op::RevokeGrant, Op::RetireGrant] {
        assert_eq!(code(s.core.call(&admin, op, &ask, gone)), "NotFoundException", "{op:?}");
    }
    let token = json!({ "GrantToken": made["GrantToken"] });
    assert_eq!(
        code(s.core.call(&admin, Op::RetireGrant, &token, gone)),
        "InvalidGrantTokenException"
    );
}

#[test]
fn keys_are_listed_in_pages() {
    let mut s = story();
    for _ in 0..4 {
        s.admin_does(Op::CreateKey, json!({}));
    }
    let first = s.admin_does(Op::ListKeys, json!({ "Limit": 3 }));
    let rest = s.admin_does(Op::ListKeys, json!({ "Limit": 3, "Marker": first["NextMarker"] }));
    let count = |page: &Value| page["Keys"].as_array().map(Vec::len);
    assert_eq!(
        (count(&first), count(&rest), &rest["Truncated"]),
        (Some(3), Some(2), &json!(false))
    );
}

/// Keys that other accounts share: an empty page that is not the last.
#[test]
fn an_empty_page_may_be_followed() {
    let mut s = story();
    let admin = s.admin.caller.clone();
    let own = json!({ "ResourceOwners": ["SELF", "OTHER_ACCOUNTS_VIA_RAM"] });
    assert_eq!(s.admin_does(Op::ListKeys, own)["Keys"][0]["KeyArn"], json!(s.key_arn));
    let shared = json!({ "ResourceOwners": ["OTHER_ACCOUNTS_VIA_RAM"] });
    let first = s.admin_does(Op::ListKeys, shared.clone());
    assert_eq!((&first["Keys"], &first["Truncated"]), (&json!([]), &json!(true)));
    let next = crate::testing::with(shared, "Marker", first["NextMarker"].clone());
    let last = s.admin_does(Op::ListKeys, next);
    assert_eq!(last, json!({ "Keys": [], "Truncated": false }));
    for wrong in [json!([]), json!(["OTHERS"]), json!(["SELF", "SELF", "SELF"])] {
        let body = json!({ "ResourceOwners": wrong });
        assert_eq!(code(s.by(&admin, Op::ListKeys, body)), "ValidationException", "{wrong}");
    }
}
