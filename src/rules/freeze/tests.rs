use super::*;

const ARN: &str = "arn:aws:kms:ap-northeast-1:111122223333:key/1234abcd";

fn scope(json: &str) -> Scope {
    serde_json::from_str(json).unwrap()
}

#[test]
fn a_freeze_fits_by_all_that_it_names() {
    let (arn, account) = (KeyArn::parse(ARN).unwrap(), AccountId::parse("444455556666").unwrap());
    let grantee = Principal::parse("arn:aws:iam::111122223333:role/team/RoleB").unwrap();
    let subject = Subject {
        key_arn: &arn,
        key: ARN,
        aliases: &["alias/app".to_owned(), "alias/old".to_owned()],
        grantee: &grantee,
        policy: Some("readers"),
        account: &account,
        caller: Some(1000),
    };
    for yes in [
        "{}",
        r#"{"key":"alias/app"}"#,
        r#"{"key":"alias/old"}"#,
        r#"{"key":"arn:aws:kms:ap-northeast-1:111122223333:alias/app"}"#,
        r#"{"key":"1234abcd"}"#,
        &format!(r#"{{"key":"{ARN}"}}"#),
        r#"{"grantee":"RoleB"}"#,
        r#"{"grantee":"role/RoleB"}"#,
        r#"{"grantee":"role/team/RoleB"}"#,
        r#"{"grantee":"arn:aws:iam::111122223333:role/RoleB"}"#,
        r#"{"grantee":"arn:aws:iam::111122223333:role/team/RoleB"}"#,
        r#"{"policy":"readers"}"#,
        r#"{"account":"111122223333"}"#,
        r#"{"account":"444455556666"}"#,
        r#"{"caller":1000}"#,
        r#"{"key":"alias/app","grantee":"RoleB","policy":"readers","caller":1000}"#,
    ] {
        assert!(fits(&scope(yes), &[], &subject), "{yes}");
    }
    for no in [
        r#"{"key":"alias/other"}"#,
        r#"{"key":"app"}"#,
        r#"{"key":"arn:aws:kms:eu-west-1:111122223333:alias/app"}"#,
        r#"{"grantee":"Role"}"#,
        r#"{"grantee":"user/RoleB"}"#,
        r#"{"grantee":"arn:aws:iam::444455556666:role/RoleB"}"#,
        r#"{"policy":"writers"}"#,
        r#"{"account":"777788889999"}"#,
        r#"{"caller":0}"#,
        r#"{"key":"alias/app","caller":1001}"#,
    ] {
        assert!(!fits(&scope(no), &[], &subject), "{no}");
    }
    let found = Subject { policy: None, caller: None, ..subject };
    assert!(!fits(&scope(r#"{"policy":"readers"}"#), &[], &found));
    assert!(!fits(&scope(r#"{"caller":1000}"#), &[], &found));
}

#[test]
fn who_is_frozen_out_does_not_get_in_by_another_name() {
    let (arn, account) = (KeyArn::parse(ARN).unwrap(), AccountId::parse("444455556666").unwrap());
    let other = KeyArn::parse("arn:aws:kms:ap-northeast-1:111122223333:key/5678").unwrap();
    let session =
        Principal::parse("arn:aws:sts::111122223333:assumed-role/RoleB/session-1").unwrap();
    let subject = Subject {
        key_arn: &arn,
        key: ARN,
        aliases: &[],
        grantee: &session,
        policy: None,
        account: &account,
        caller: None,
    };
    for (named, wanted) in [
        ("RoleB", true),
        ("role/RoleB", true),
        ("role/team/RoleB", true),
        ("arn:aws:iam::111122223333:role/RoleB", true),
        ("assumed-role/RoleB/session-1", true),
        ("session-1", true),
        (session.as_str(), true),
        ("arn:aws:iam::444455556666:role/RoleB", false),
        ("assumed-role/RoleB/session-2", false),
        ("arn:aws:sts::111122223333:assumed-role/RoleB/session-2", false),
        ("user/RoleB", false),
        ("role/session-1", false),
        ("RoleC", false),
    ] {
        let scope = Scope { grantee: Some(named.to_owned()), ..Scope::default() };
        assert_eq!(fits(&scope, &[], &subject), wanted, "{named}");
    }
    // The alias has been moved since.
    let moved = scope(r#"{"key":"alias/app"}"#);
    assert!(fits(&moved, &[other.clone(), arn.clone()], &subject));
    assert!(!fits(&moved, &[other], &subject));
}

#[test]
fn a_scope_is_told_in_words() {
    assert_eq!(Scope::default().to_string(), "everything");
    let some = scope(r#"{"key":"alias/app","caller":1000}"#);
    assert_eq!(some.to_string(), "key alias/app, caller 1000");
}
