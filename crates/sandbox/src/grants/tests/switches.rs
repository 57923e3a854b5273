use super::*;

#[test]
fn ending_again_while_the_views_lag() {
    for accepted in [false, true] {
        let mut s = lagging(1_000);
        s.core.settings_mut().unconfirmed.end_again_accepted = accepted;
        let body = s.terms();
        let (id, _) = create(&mut s, &body, T0).unwrap();
        let (ask, grantd) = (by_id(&s, &id), s.grantd.caller.clone());
        s.core.call(&grantd, Op::RetireGrant, &ask, T0 + 1_000).unwrap();
        let again = s.core.call(&grantd, Op::RetireGrant, &ask, T0 + 1_500);
        assert_eq!(again.is_ok(), accepted);
        assert_eq!(
            code(s.core.call(&grantd, Op::RetireGrant, &ask, T0 + 2_000)),
            "NotFoundException"
        );
        assert_eq!(s.core.grant(&id).unwrap().ended_at_ms, Some(T0 + 1_000), "ended once");
    }
}

#[test]
fn a_spent_token() {
    for (invalid, wanted) in [(true, "InvalidGrantTokenException"), (false, "NotFoundException")] {
        let mut s = story();
        s.core.settings_mut().unconfirmed.spent_token_is_invalid = invalid;
        let body = s.terms();
        let (_, token) = create(&mut s, &body, T0).unwrap();
        let (ask, grantd) = (json!({ "GrantToken": token }), s.grantd.caller.clone());
        s.by(&grantd, Op::RetireGrant, ask.clone()).unwrap();
        assert_eq!(code(s.by(&grantd, Op::RetireGrant, ask)), wanted);
    }
}

#[test]
fn the_id_of_another_keys_grant() {
    for (invalid, wanted) in [(true, "InvalidGrantIdException"), (false, "NotFoundException")] {
        let mut s = story();
        s.core.settings_mut().unconfirmed.foreign_grant_id_is_invalid = invalid;
        let other = s.admin_does(Op::CreateKey, json!({}))["KeyMetadata"]["Arn"].clone();
        let body = s.terms();
        let (id, _) = create(&mut s, &body, T0).unwrap();
        let (admin, ask) = (s.admin.caller.clone(), json!({ "KeyId": other, "GrantId": id }));
        assert_eq!(code(s.by(&admin, Op::RevokeGrant, ask.clone())), wanted);
        assert_eq!(code(s.by(&admin, Op::RetireGrant, ask)), wanted);
    }
}

#[test]
fn retire_by_a_bare_key_id() {
    let mut s = story();
    s.core.settings_mut().unconfirmed.retire_takes_bare_key_id = true;
    let body = s.terms();
    let (id, _) = create(&mut s, &body, T0).unwrap();
    let (ask, grantd) = (json!({ "KeyId": s.key_id, "GrantId": id }), s.grantd.caller.clone());
    assert!(s.by(&grantd, Op::RetireGrant, ask).is_ok());
}

#[test]
fn how_an_entry_looks() {
    let mut s = story();
    let body = with(s.terms(), "Name", Value::Null);
    create(&mut s, &body, T0 + 419).unwrap();
    let entry = |s: &mut Story| list(s, json!({}), T0 + 419)["Grants"][0].clone();
    assert_eq!(entry(&mut s)["Name"], json!(""));
    s.core.settings_mut().unconfirmed.unset_name_is_empty = false;
    s.core.settings_mut().unconfirmed.whole_second_dates = true;
    let shown = entry(&mut s);
    assert_eq!((shown.get("Name"), &shown["CreationDate"]), (None, &json!(1_795_000_000.0)));
}

#[test]
fn the_filter_and_a_decayed_grantee() {
    for matches in [false, true] {
        let mut s = story();
        s.core.settings_mut().unconfirmed.filter_matches_decayed = matches;
        let body = s.terms();
        create(&mut s, &body, T0).unwrap();
        let filter = json!({ "GranteePrincipal": s.role_b.arn });
        assert_eq!(ids(&list(&mut s, filter.clone(), T0)).len(), 1);
        s.core.delete_principal(&s.role_b.arn.clone());
        assert_eq!(ids(&list(&mut s, filter, T0)).len(), usize::from(matches));
    }
}

#[test]
fn a_hot_key() {
    let mut s = story();
    s.core.settings_mut().unconfirmed.hot_key_per_second = Some(2);
    let body = with(s.terms(), "Name", Value::Null);
    create(&mut s, &body, T0).unwrap();
    let (id, _) = create(&mut s, &body, T0).unwrap();
    let (ask, grantd) = (by_id(&s, &id), s.grantd.caller.clone());
    assert_eq!(code(s.by(&grantd, Op::RetireGrant, ask.clone())), "ThrottlingException");
    assert!(s.core.call(&grantd, Op::RetireGrant, &ask, T0 + 1_000).is_ok());
}

#[test]
fn context_keys_in_another_case() {
    for ignored in [true, false] {
        let mut s = story();
        s.core.settings_mut().unconfirmed.context_keys_ignore_case = ignored;
        let bound = json!({ "EncryptionContextSubset": { "Tenant": "one" } });
        let body = with(s.terms(), "Constraints", bound);
        create(&mut s, &body, T0).unwrap();
        let context = json!({ "tenant": "one" });
        let sealed = s.admin_does(
            Op::Encrypt,
            json!({ "KeyId": s.key_arn, "Plaintext": "eA==", "EncryptionContext": context }),
        );
        let body =
            json!({ "CiphertextBlob": sealed["CiphertextBlob"], "EncryptionContext": context });
        let b = s.role_b.caller.clone();
        assert_eq!(s.by(&b, Op::Decrypt, body).is_ok(), ignored);
    }
}

/// A grantee with CreateGrant hands on no more than he has.
#[test]
fn a_child_grant() {
    let mut s = story();
    let bound = json!({ "EncryptionContextSubset": { "a": "1" } });
    let parent = with(s.terms(), "Operations", json!(["Decrypt", "CreateGrant"]));
    let (parent_id, _) = create(&mut s, &with(parent, "Constraints", bound.clone()), T0).unwrap();
    let b = s.role_b.caller.clone();
    let child = json!({
        "KeyId": s.key_arn, "GranteePrincipal": s.role_a.arn,
        "Operations": ["Decrypt"], "Constraints": bound,
    });
    assert!(s.by(&b, Op::CreateGrant, child.clone()).is_ok());
    let more = with(child.clone(), "Operations", json!(["Decrypt", "Encrypt"]));
    assert_eq!(code(s.by(&b, Op::CreateGrant, more)), "AccessDeniedException");
    let looser = with(child.clone(), "Constraints", Value::Null);
    assert_eq!(code(s.by(&b, Op::CreateGrant, looser)), "AccessDeniedException");
    let (ask, admin) = (by_id(&s, &parent_id), s.admin.caller.clone());
    s.by(&admin, Op::RevokeGrant, ask).unwrap();
    assert_eq!(code(s.by(&b, Op::CreateGrant, child)), "AccessDeniedException");
    assert_eq!(s.core.count_alive(T0), 1, "a child outlives its parent");
}
