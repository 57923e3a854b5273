//! Grants made by grantees (kms-facts 1, "Grants that contain CreateGrant").

use super::*;

fn parent(s: &Story, constraints: Value) -> Value {
    let body = with(s.terms(), "Operations", json!(["Decrypt", "CreateGrant"]));
    with(body, "Constraints", constraints)
}

fn child(s: &Story, constraints: Value) -> Value {
    json!({
        "KeyId": s.key_arn, "GranteePrincipal": s.role_a.arn,
        "Operations": ["Decrypt"], "Constraints": constraints,
    })
}

/// A grantee with CreateGrant hands on no more than he has.
#[test]
fn a_child_is_no_laxer_than_its_parent() {
    let mut s = story();
    let bound = json!({ "EncryptionContextSubset": { "a": "1" } });
    let body = parent(&s, bound.clone());
    create(&mut s, &body, T0).unwrap();
    let b = s.role_b.caller.clone();
    let fits = child(&s, bound);
    assert!(s.by(&b, Op::CreateGrant, fits.clone()).is_ok());
    let exact = child(&s, json!({ "EncryptionContextEquals": { "a": "1", "b": "2" } }));
    assert!(s.by(&b, Op::CreateGrant, exact).is_ok());
    let on = with(fits.clone(), "Operations", json!(["CreateGrant"]));
    assert!(s.by(&b, Op::CreateGrant, on).is_ok(), "CreateGrant is among what the parent gives");
    for lax in [
        with(fits.clone(), "Operations", json!(["Decrypt", "Encrypt"])),
        with(fits.clone(), "Operations", json!(["RetireGrant"])),
        with(fits.clone(), "Constraints", Value::Null),
        child(&s, json!({ "EncryptionContextSubset": { "b": "2" } })),
    ] {
        assert_eq!(code(s.by(&b, Op::CreateGrant, lax.clone())), "AccessDeniedException", "{lax}");
    }
}

#[test]
fn one_of_several_parents_is_enough() {
    let mut s = story();
    for context in ["1", "2", "3"] {
        let bound = json!({ "EncryptionContextSubset": { "a": context } });
        let body = parent(&s, bound);
        create(&mut s, &body, T0).unwrap();
    }
    let b = s.role_b.caller.clone();
    for context in ["1", "2", "3"] {
        let body = child(&s, json!({ "EncryptionContextSubset": { "a": context } }));
        assert!(s.by(&b, Op::CreateGrant, body).is_ok(), "{context}");
    }
}

/// A grant token authorises CreateGrant before its grant has propagated.
#[test]
fn a_child_by_a_fresh_token() {
    let mut s = lagging(60_000);
    let body = parent(&s, Value::Null);
    let (_, token) = create(&mut s, &body, T0).unwrap();
    let (b, body) = (s.role_b.caller.clone(), child(&s, Value::Null));
    assert_eq!(code(s.by(&b, Op::CreateGrant, body.clone())), "AccessDeniedException");
    assert!(s.by(&b, Op::CreateGrant, with(body, "GrantTokens", json!([token]))).is_ok());
}

#[test]
fn the_end_of_a_parent() {
    for follow in [false, true] {
        let mut s = story();
        s.core.settings_mut().unconfirmed.children_end_with_parent = follow;
        let body = parent(&s, Value::Null);
        let (id, _) = create(&mut s, &body, T0).unwrap();
        let (a, b, admin) =
            (s.role_a.caller.clone(), s.role_b.caller.clone(), s.admin.caller.clone());
        let heir = with(child(&s, Value::Null), "Operations", json!(["Decrypt", "CreateGrant"]));
        let made = s.by(&b, Op::CreateGrant, heir).unwrap()["GrantId"].clone();
        let grandchild = with(child(&s, Value::Null), "GranteePrincipal", json!(s.grantd.arn));
        s.by(&a, Op::CreateGrant, grandchild).unwrap();
        assert_eq!(s.core.count_alive(T0), 3);
        let ask = by_id(&s, &id);
        s.by(&admin, Op::RevokeGrant, ask).unwrap();
        assert_eq!(s.core.count_alive(T0), if follow { 0 } else { 2 });
        let truth = s.core.grant(made.as_str().unwrap()).unwrap();
        assert_eq!(truth.end, follow.then_some(crate::End::WithParent));
        let body = child(&s, Value::Null);
        assert_eq!(code(s.by(&b, Op::CreateGrant, body)), "AccessDeniedException");
    }
}
