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

fn grantee_fits(named: &str, arn: &str) -> bool {
    grantee::names(named, &Principal::parse(arn).unwrap())
}

#[test]
fn a_pattern_of_grantees_is_one_as_in_the_policies() {
    let role = "arn:aws:iam::111122223333:role/RoleB";
    let in_team = "arn:aws:iam::111122223333:role/team/RoleB";
    let session = "arn:aws:sts::111122223333:assumed-role/RoleB/session-1";
    for (named, arn, wanted) in [
        ("role/*", role, true),
        ("role/Role?", role, true),
        ("role/{RoleA,RoleB}", role, true),
        ("Role*", role, true),
        ("arn:aws:iam::111122223333:role/*", role, true),
        ("role/*", in_team, false),
        ("role/team/*", in_team, true),
        ("role/**", in_team, true),
        ("Role*", in_team, true),
        ("role/*", session, true),
        ("role/team/R*", session, true),
        ("assumed-role/RoleB/*", session, true),
        ("user/*", role, false),
        ("user/*", session, false),
        ("role/A*", session, false),
        ("arn:aws:iam::444455556666:role/*", role, false),
    ] {
        assert_eq!(grantee_fits(named, arn), wanted, "{named} {arn}");
    }
}

const TWO: &str = r#"group = "prod"
[[account]]
id = "111122223333"
role-arn = "arn:aws:iam::111122223333:role/grantd"
regions = ["ap-northeast-1"]
[[account]]
id = "444455556666"
role-arn = "arn:aws:iam::444455556666:role/grantd"
regions = ["ap-northeast-1"]
[[policy]]
name = "readers"
keys = ["alias/app"]
grantees = ["role/RoleB", "role/team/*", "arn:aws:iam::777788889999:role/Far"]
operations = ["Decrypt"]
callers = ["user:1"]
max-ttl = "8h"
[[policy]]
name = "second"
keys = ["arn:aws:kms:ap-northeast-1:444455556666:key/*"]
grantees = ["user/*", "arn:aws:iam::444455556666:role/Literal"]
operations = ["Decrypt"]
callers = ["user:1"]
max-ttl = "8h"
"#;

fn judged(json: &str) -> Result<(), (String, String)> {
    let config = crate::config::parse("grantd.toml", TWO, &crate::config::tests::Nobody).unwrap();
    could_fit(Some(&config), &scope(json)).map_err(|f| (f.text, f.hint.unwrap_or_default()))
}

#[test]
fn a_freeze_that_some_policy_could_fit_is_taken() {
    for named in [
        "{}",
        r#"{"caller":7}"#,
        r#"{"grantee":"RoleB"}"#,
        r#"{"grantee":"role/RoleB"}"#,
        r#"{"grantee":"role/old/path/RoleB"}"#,
        r#"{"grantee":"role/*"}"#,
        r#"{"grantee":"*"}"#,
        r#"{"grantee":"role/team/any"}"#,
        r#"{"grantee":"any"}"#,
        r#"{"grantee":"arn:aws:iam::111122223333:role/Role*"}"#,
        r#"{"grantee":"arn:aws:iam::444455556666:user/*"}"#,
        r#"{"grantee":"role/Far"}"#,
        r#"{"grantee":"role/Literal","policy":"second"}"#,
        r#"{"account":"444455556666"}"#,
        r#"{"account":"111122223333","grantee":"role/RoleB"}"#,
    ] {
        assert_eq!(judged(named), Ok(()), "{named}");
    }
}

#[test]
fn a_freeze_that_no_policy_could_fit_is_refused_with_what_would_be_right() {
    let cases = [
        (r#"{"grantee":"role/RoleB "}"#, "has the character ' '", "did you mean role/RoleB?"),
        (r#"{"grantee":"rolE/RoleB"}"#, "of no kind", "did you mean role/RoleB?"),
        (r#"{"grantee":"group/ops"}"#, "of no kind", "write role/NAME"),
        (r#"{"grantee":"AROAEXAMPLEID1234567"}"#, "is a unique id", "as its ARN does"),
        (r#"{"grantee":"ec2.amazonaws.com"}"#, "is an AWS service", "write role/NAME"),
        (r#"{"grantee":"arn:aws:iam::*:role/RoleB"}"#, "for an account", "leave it out"),
        (r#"{"grantee":"arn:aws"}"#, "names no principal", "write role/NAME"),
        (r#"{"grantee":""}"#, "names no principal", "write role/NAME"),
        (r#"{"grantee":"role/{a"}"#, "is no pattern", "write role/NAME"),
        (r#"{"grantee":"role/Litteral","policy":"second"}"#, "", "role/Literal"),
        (r#"{"grantee":"role/other-*"}"#, "no policy gives access", "their grantees are"),
        (r#"{"grantee":"arn:aws:iam::222233334444:role/RoleB"}"#, "no policy gives", ""),
        (r#"{"grantee":"arn:aws:iam::111122223333:user/Any","policy":"second"}"#, "", ""),
        (
            r#"{"grantee":"arn:aws:sts::111122223333:assumed-role/RoleB/me"}"#,
            "no policy gives access",
            "name the role, arn:aws:iam::111122223333:role/RoleB",
        ),
        (r#"{"grantee":"role/RoleB","policy":"second"}"#, "none of these policies", "user/*"),
        (r#"{"policy":"raeders"}"#, "has no policy \"raeders\"", "are readers, second"),
        (r#"{"account":"222233334444"}"#, "no policy has keys", "are 111122223333, 444455556666"),
        (r#"{"account":"111122223333","policy":"second"}"#, "no policy has keys", ""),
    ];
    for (json, why, what) in cases {
        let (text, hint) = judged(json).expect_err(json);
        assert!(text.contains(why) && text.ends_with("freeze nothing"), "{json}: {text}");
        assert!(hint.contains(what), "{json}: {hint}");
    }
}
