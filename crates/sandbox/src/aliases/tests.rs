use super::*;
use crate::testing::{T0, code, story};

#[test]
fn an_alias_names_one_key_and_can_move() {
    let mut s = story();
    let admin = s.admin.caller.clone();
    let other = s.admin_does(Op::CreateKey, json!({}))["KeyMetadata"]["Arn"].clone();
    let described = s.admin_does(Op::DescribeKey, json!({ "KeyId": s.alias }));
    assert_eq!(described["KeyMetadata"]["Arn"], json!(s.key_arn));
    let mine = json!({ "AliasName": s.alias, "TargetKeyId": other });
    assert_eq!(code(s.by(&admin, Op::CreateAlias, mine.clone())), "AlreadyExistsException");
    s.admin_does(Op::UpdateAlias, mine);
    let described = s.admin_does(Op::DescribeKey, json!({ "KeyId": s.alias }));
    assert_eq!(described["KeyMetadata"]["Arn"], other);
    let of_key = s.admin_does(Op::ListAliases, json!({ "KeyId": s.key_arn }));
    assert_eq!(of_key["Aliases"], json!([]));
    s.admin_does(Op::DeleteAlias, json!({ "AliasName": s.alias }));
    assert_eq!(
        code(s.by(&admin, Op::DescribeKey, json!({ "KeyId": s.alias }))),
        "NotFoundException"
    );
}

#[test]
fn names_are_checked_and_permission_is_asked() {
    let mut s = story();
    let (admin, b) = (s.admin.caller.clone(), s.role_b.caller.clone());
    for (name, wanted) in [
        ("no-prefix", "ValidationException"),
        ("alias/", "ValidationException"),
        ("alias/a b", "ValidationException"),
        ("alias/aws/s3", "NotAuthorizedException"),
    ] {
        let body = json!({ "AliasName": name, "TargetKeyId": s.key_id });
        assert_eq!(code(s.by(&admin, Op::CreateAlias, body)), wanted, "{name}");
    }
    let moved = json!({ "AliasName": s.alias, "TargetKeyId": s.key_id });
    assert_eq!(code(s.by(&b, Op::UpdateAlias, moved)), "AccessDeniedException");
    assert_eq!(code(s.by(&b, Op::ListAliases, json!({}))), "AccessDeniedException");
}

#[test]
fn aliases_are_listed_in_pages() {
    let mut s = story();
    for name in ["alias/b", "alias/a"] {
        s.admin_does(Op::CreateAlias, json!({ "AliasName": name, "TargetKeyId": s.key_id }));
    }
    let first = s.admin_does(Op::ListAliases, json!({ "Limit": 2 }));
    let rest = s.admin_does(Op::ListAliases, json!({ "Limit": 2, "Marker": first["NextMarker"] }));
    assert_eq!(first["Aliases"][0]["AliasName"], json!("alias/a"));
    assert_eq!(first["Aliases"][0]["TargetKeyId"], json!(s.key_id));
    assert_eq!(first["Aliases"][1]["AliasName"], json!("alias/aws/ebs"));
    let names: Vec<&Value> =
        rest["Aliases"].as_array().into_iter().flatten().map(|a| &a["AliasName"]).collect();
    assert_eq!(names, ["alias/aws/s3", "alias/b"]);
    let last = s.admin_does(Op::ListAliases, json!({ "Limit": 2, "Marker": rest["NextMarker"] }));
    assert_eq!(last["Aliases"][0]["AliasName"], json!(s.alias));
    assert_eq!(last["Truncated"], json!(false));
}

/// An alias of AWS's own has no key until somebody describes it (kms-facts 2).
#[test]
fn a_predefined_alias_gets_its_key_when_described() {
    let mut s = story();
    let admin = s.admin.caller.clone();
    let entry = |s: &mut crate::Story| {
        let listed = s.admin_does(Op::ListAliases, json!({}));
        listed["Aliases"][0].clone()
    };
    let arn = "arn:aws:kms:ap-northeast-1:111122223333:alias/aws/ebs";
    assert_eq!(entry(&mut s), json!({ "AliasName": "alias/aws/ebs", "AliasArn": arn }));
    assert_eq!(s.core.key_arns().len(), 1);
    let made = s.admin_does(Op::DescribeKey, json!({ "KeyId": arn }))["KeyMetadata"].clone();
    assert_eq!((&made["KeyManager"], &made["KeyState"]), (&json!("AWS"), &json!("Enabled")));
    let again = s.admin_does(Op::DescribeKey, json!({ "KeyId": "alias/aws/ebs" }));
    assert_eq!(again["KeyMetadata"]["Arn"], made["Arn"]);
    assert_eq!(entry(&mut s)["TargetKeyId"], made["KeyId"]);
    let key = json!({ "KeyId": made["Arn"] });
    assert!(s.by(&admin, Op::GetKeyPolicy, key.clone()).is_ok());
    assert!(s.by(&admin, Op::ListGrants, key.clone()).is_ok());
    for op in [Op::DisableKey, Op::ScheduleKeyDeletion] {
        assert_eq!(code(s.by(&admin, op, key.clone())), "AccessDeniedException", "{op:?}");
    }
    let away = json!({ "AliasName": "alias/aws/ebs" });
    assert_eq!(code(s.by(&admin, Op::DeleteAlias, away)), "NotAuthorizedException");
    let unknown = json!({ "KeyId": "alias/aws/nothing" });
    assert_eq!(code(s.by(&admin, Op::DescribeKey, unknown)), "NotFoundException");
}

/// Both keys have a say in who moves an alias: the one that gets it and the one that loses it.
#[test]
fn the_key_that_loses_an_alias_is_asked() {
    let mut s = story();
    let mine = s.admin_does(Op::CreateKey, json!({}))["KeyMetadata"]["Arn"].clone();
    let only_a = json!({ "Statement": [{
        "Effect": "Allow", "Principal": { "AWS": s.role_a.arn }, "Action": "kms:*", "Resource": "*",
    }] });
    s.admin_does(Op::PutKeyPolicy, json!({ "KeyId": s.key_id, "Policy": only_a.to_string() }));
    let (admin, moved) =
        (s.admin.caller.clone(), json!({ "AliasName": s.alias, "TargetKeyId": mine }));
    assert_eq!(code(s.by(&admin, Op::UpdateAlias, moved)), "AccessDeniedException");
}

/// What DescribeKey and ListAliases of one endpoint say of the story's alias; they agree.
fn target(s: &mut crate::Story, endpoint: usize, at: i64) -> Option<Value> {
    s.core.settings_mut().answering_endpoint = Some(endpoint);
    let (admin, ask) = (s.admin.caller.clone(), json!({ "KeyId": s.alias }));
    let described = s.core.call(&admin, Op::DescribeKey, &ask, at).ok();
    let listed = s.core.call(&admin, Op::ListAliases, &json!({}), at).expect("allowed");
    let entries = listed["Aliases"].as_array().expect("a list");
    let entry = entries.iter().find(|entry| entry["AliasName"] == json!(s.alias));
    assert_eq!(
        entry.map(|entry| &entry["TargetKeyId"]),
        described.as_ref().map(|key| &key["KeyMetadata"]["KeyId"])
    );
    described.map(|key| key["KeyMetadata"]["Arn"].clone())
}

/// An alias moved and deleted, seen from an endpoint that stands a minute behind.
#[test]
fn a_lagging_endpoint_knows_the_old_alias() {
    let mut s = story();
    s.core.settings_mut().endpoint_lags_ms = vec![0, 60_000];
    let (admin, old) = (s.admin.caller.clone(), json!(s.key_arn));
    let new = s.admin_does(Op::CreateKey, json!({}))["KeyMetadata"]["Arn"].clone();
    let moved = json!({ "AliasName": s.alias, "TargetKeyId": new });
    s.core.call(&admin, Op::UpdateAlias, &moved, T0 + 1_000).expect("allowed");
    assert_eq!(target(&mut s, 0, T0 + 60_999), Some(new.clone()));
    assert_eq!(target(&mut s, 1, T0 + 60_999), Some(old));
    assert_eq!(target(&mut s, 1, T0 + 61_000), Some(new.clone()));
    let gone = json!({ "AliasName": s.alias });
    s.core.call(&admin, Op::DeleteAlias, &gone, T0 + 100_000).expect("allowed");
    assert_eq!(target(&mut s, 0, T0 + 100_000), None);
    assert_eq!(target(&mut s, 1, T0 + 159_999), Some(new));
    assert_eq!(target(&mut s, 1, T0 + 160_000), None);
}
