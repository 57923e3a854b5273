use super::*;
use crate::ListUnknown;

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

#[test]
fn a_token_and_the_end_of_its_grant() {
    for outlives in [true, false] {
        let mut s = lagging(1_000);
        s.core.settings_mut().unconfirmed.token_outlives_its_grant = outlives;
        let (body, b, grantd) = (s.terms(), s.role_b.caller.clone(), s.grantd.caller.clone());
        let (_, token) = create(&mut s, &body, T0).unwrap();
        let secret = s.encrypt("x", T0);
        let read = json!({ "CiphertextBlob": secret, "GrantTokens": [token] });
        let retire = json!({ "GrantToken": token });
        s.core.call(&grantd, Op::RetireGrant, &retire, T0 + 2_000).unwrap();
        let used = s.core.call(&b, Op::Decrypt, &read, T0 + 2_999);
        assert_eq!(used.is_ok(), outlives, "{used:?}");
        assert_eq!(
            code(s.core.call(&b, Op::Decrypt, &read, T0 + 3_000)),
            "InvalidGrantTokenException"
        );
        s.core.settings_mut().unconfirmed.spent_token_is_invalid = false;
        assert_eq!(code(s.core.call(&b, Op::Decrypt, &read, T0 + 3_000)), "AccessDeniedException");
    }
}

#[test]
fn the_issuing_account_with_and_without_the_token() {
    for needed in [false, true] {
        let mut s = story();
        s.core.settings_mut().unconfirmed.issuer_needs_the_token = needed;
        let (body, admin) = (with(s.terms(), "RetiringPrincipal", Value::Null), s.admin.clone());
        let (id, token) = create(&mut s, &body, T0).unwrap();
        let by_id = by_id(&s, &id);
        assert_eq!(s.by(&admin.caller, Op::RetireGrant, by_id).is_err(), needed);
        if needed {
            let by_token = json!({ "GrantToken": token });
            s.by(&admin.caller, Op::RetireGrant, by_token).unwrap();
        }
        assert_eq!(s.core.count_alive(T0), 0);
    }
}

#[test]
fn the_id_of_a_grant_that_is_gone() {
    for (invalid, wanted) in [(true, "InvalidGrantIdException"), (false, "NotFoundException")] {
        let mut s = story();
        s.core.settings_mut().unconfirmed.gone_grant_id_is_invalid = invalid;
        let (body, admin) = (s.terms(), s.admin.caller.clone());
        let (id, _) = create(&mut s, &body, T0).unwrap();
        let ask = by_id(&s, &id);
        s.by(&admin, Op::RevokeGrant, ask.clone()).unwrap();
        let never = by_id(&s, &"0".repeat(64));
        for (op, ask) in [
            (Op::RevokeGrant, &ask),
            (Op::RetireGrant, &ask),
            (Op::RevokeGrant, &never),
            (Op::RetireGrant, &never),
        ] {
            assert_eq!(code(s.by(&admin, op, ask.clone())), wanted, "{op:?}");
        }
    }
}

#[test]
fn listing_by_an_id_that_is_not_there() {
    for (choice, wanted) in [
        (ListUnknown::Empty, None),
        (ListUnknown::NotFound, Some("NotFoundException")),
        (ListUnknown::InvalidGrantId, Some("InvalidGrantIdException")),
    ] {
        let mut s = story();
        s.core.settings_mut().unconfirmed.list_unknown_grant_id = choice;
        let (body, grantd) = (s.terms(), s.grantd.caller.clone());
        let (id, _) = create(&mut s, &body, T0).unwrap();
        let ask = by_id(&s, &id);
        assert_eq!(ids(&s.by(&grantd, Op::ListGrants, ask.clone()).unwrap()), [id]);
        s.by(&grantd, Op::RetireGrant, ask.clone()).unwrap();
        match (s.by(&grantd, Op::ListGrants, ask), wanted) {
            (Ok(page), None) => assert!(ids(&page).is_empty()),
            (answer, wanted) => assert_eq!(Some(code(answer).as_str()), wanted),
        }
    }
}

#[test]
fn an_end_before_the_views_show_the_grant_may_be_accepted() {
    let mut s = lagging(1_000);
    s.core.settings_mut().unconfirmed.end_unseen = EndUnseen::Accepted;
    let (body, admin) = (s.terms(), s.admin.caller.clone());
    let (id, _) = create(&mut s, &body, T0).unwrap();
    let ask = by_id(&s, &id);
    s.core.call(&admin, Op::RevokeGrant, &ask, T0 + 1).unwrap();
    assert_eq!(s.core.grant(&id).unwrap().ended_at_ms, Some(T0 + 1));
}
