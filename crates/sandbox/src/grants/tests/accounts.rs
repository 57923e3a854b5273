//! Keys and grantees of different accounts (kms-facts 1, 3 and 5).

use super::*;
use crate::IamPolicy;

const OTHER: &str = "444455556666";
const GUEST: &str = "arn:aws:iam::444455556666:role/Guest";

/// A key that lets the other account in, and that account's role with these permissions.
fn open_to_guest(allowed: &[&str]) -> (Story, Caller) {
    let mut s = story();
    s.core.settings_mut().accounts.push(OTHER.to_owned());
    s.core.put_role(GUEST, IamPolicy::allow(allowed.iter().copied()), &[], None);
    let open = json!({ "Statement": [{
        "Effect": "Allow", "Action": "kms:*", "Resource": "*",
        "Principal": { "AWS": ["111122223333", "arn:aws:iam::444455556666:root"] },
    }] });
    s.admin_does(Op::PutKeyPolicy, json!({ "KeyId": s.key_arn, "Policy": open.to_string() }));
    let guest = s.core.caller(GUEST).unwrap();
    (s, guest)
}

#[test]
fn the_callers_account_is_charged() {
    let (mut s, guest) = open_to_guest(&["kms:*"]);
    s.core.settings_mut().quotas.insert(Op::ListGrants, 2);
    let (grantd, ask) = (s.grantd.caller.clone(), json!({ "KeyId": s.key_arn }));
    for _ in 0..2 {
        s.by(&guest, Op::ListGrants, ask.clone()).unwrap();
    }
    let throttled = s.by(&guest, Op::ListGrants, ask.clone()).unwrap_err();
    assert_eq!((throttled.code.as_str(), throttled.status), ("ThrottlingException", 400));
    for _ in 0..2 {
        s.by(&grantd, Op::ListGrants, ask.clone()).expect("the key's own account pays nothing");
    }
    assert_eq!(code(s.by(&grantd, Op::ListGrants, ask)), "ThrottlingException");
}

/// A refused call and a dry run count like any other.
#[test]
fn what_comes_to_nothing_is_charged_too() {
    let mut s = story();
    s.core.settings_mut().quotas.insert(Op::CreateGrant, 3);
    let (grantd, b, body) = (s.grantd.caller.clone(), s.role_b.caller.clone(), s.terms());
    let dry = with(body.clone(), "DryRun", json!(true));
    assert_eq!(code(s.by(&grantd, Op::CreateGrant, dry)), "DryRunOperationException");
    assert_eq!(code(s.by(&b, Op::CreateGrant, body.clone())), "AccessDeniedException");
    assert_eq!(code(s.by(&grantd, Op::CreateGrant, json!({}))), "ValidationException");
    assert_eq!(code(s.by(&grantd, Op::CreateGrant, body)), "ThrottlingException");
}

#[test]
fn a_guest_makes_and_ends_grants_by_the_keys_arn() {
    let (mut s, guest) = open_to_guest(&["kms:CreateGrant", "kms:RevokeGrant", "kms:ListGrants"]);
    let body = with(s.terms(), "RetiringPrincipal", Value::Null);
    let bare = with(body.clone(), "KeyId", json!(s.key_id));
    assert_eq!(code(s.by(&guest, Op::CreateGrant, bare)), "NotFoundException");
    let made = s.by(&guest, Op::CreateGrant, body.clone()).unwrap();
    let ask = json!({ "KeyId": s.key_arn, "GrantId": made["GrantId"] });
    let listed = s.by(&guest, Op::ListGrants, ask.clone()).unwrap();
    assert_eq!(listed["Grants"][0]["IssuingAccount"], json!("arn:aws:iam::444455556666:root"));
    let (id, _) = create(&mut s, &body, T0).unwrap();
    assert_ne!(made["GrantId"], json!(id), "issued by another account: another grant");
    s.by(&guest, Op::RevokeGrant, ask).unwrap();
    s.by(&guest, Op::RevokeGrant, by_id(&s, &id)).unwrap();
    assert_eq!(s.core.count_alive(T0), 0);
}

#[test]
fn a_retiring_principal_of_another_account() {
    let (mut s, guest) = open_to_guest(&["kms:ListRetirableGrants"]);
    let body = with(s.terms(), "RetiringPrincipal", json!(GUEST));
    let (id, _) = create(&mut s, &body, T0).unwrap();
    let mine = json!({ "RetiringPrincipal": GUEST });
    assert_eq!(
        ids(&s.by(&guest, Op::ListRetirableGrants, mine).unwrap()),
        std::slice::from_ref(&id)
    );
    let ask = by_id(&s, &id);
    s.by(&guest, Op::RetireGrant, ask).expect("by the grant alone: no policy of either side");
}

#[test]
fn a_grantee_of_another_account_uses_the_key() {
    let mut s = story();
    s.core.settings_mut().accounts.push(OTHER.to_owned());
    s.core.put_role(GUEST, IamPolicy::default(), &[], None);
    let guest = s.core.caller(GUEST).unwrap();
    assert_eq!(decrypt(&mut s, &guest, T0).unwrap_err().code, "AccessDeniedException");
    let body = with(s.terms(), "GranteePrincipal", json!(GUEST));
    create(&mut s, &body, T0).unwrap();
    assert!(decrypt(&mut s, &guest, T0).is_ok());
    // The root of an account as grantee: whom that account lets.
    let root = with(s.terms(), "GranteePrincipal", json!("arn:aws:iam::444455556666:root"));
    create(&mut s, &with(root, "Operations", json!(["GenerateDataKey"])), T0).unwrap();
    let ask = json!({ "KeyId": s.key_arn, "KeySpec": "AES_256" });
    assert_eq!(code(s.by(&guest, Op::GenerateDataKey, ask.clone())), "AccessDeniedException");
    s.core.put_role(GUEST, IamPolicy::allow(["kms:GenerateDataKey"]), &[], None);
    assert!(s.by(&guest, Op::GenerateDataKey, ask).is_ok());
}
