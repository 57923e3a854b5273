use serde_json::json;

use super::*;
use crate::testing::story;

#[test]
fn patterns() {
    for (pattern, action, fits) in [
        ("kms:*", "kms:Decrypt", true),
        ("*", "sts:AssumeRole", true),
        ("kms:List*", "kms:ListGrants", true),
        ("kms:List*", "kms:CreateGrant", false),
        ("KMS:decrypt", "kms:Decrypt", true),
        ("kms:*Grant", "kms:CreateGrant", true),
        ("kms:*Grant", "kms:ListGrants", false),
        ("kms:*Gran*s", "kms:ListGrants", true),
        ("kms:Decrypt", "kms:DecryptX", false),
    ] {
        assert_eq!(matches(pattern, action), fits, "{pattern} {action}");
    }
    assert!(matches(&"*".repeat(100_000), "kms:Decrypt"), "no pattern is too long");
    assert!(!matches(&"*m".repeat(100_000), "kms:Decrypt"));
}

#[test]
fn a_policy_allows_denies_delegates_or_says_nothing() {
    let s = story();
    let b = &s.role_b;
    let policy = |statements: Value| {
        KeyPolicy::parse(&json!({ "Version": "2012-10-17", "Statement": statements }).to_string())
            .expect("it is well-formed")
    };
    let of = |effect: &str, principal: &str, action: &str| {
        let principal = json!({ "AWS": principal });
        json!({ "Effect": effect, "Principal": principal, "Action": action, "Resource": "*" })
    };
    let root = "arn:aws:iam::111122223333:root";
    let verdict = |statements: Value| policy(statements).verdict(&b.caller, "kms:Decrypt");
    assert_eq!(verdict(json!([])), Verdict::Silent);
    assert_eq!(verdict(json!([of("Allow", &b.arn, "kms:Decrypt")])), Verdict::Allowed);
    assert_eq!(verdict(of("Allow", b.caller.arn(), "kms:*")), Verdict::Allowed);
    assert_eq!(verdict(of("Allow", "*", "kms:*")), Verdict::Allowed);
    assert_eq!(verdict(of("Allow", root, "kms:*")), Verdict::Delegated);
    assert_eq!(verdict(of("Allow", "111122223333", "kms:*")), Verdict::Delegated);
    assert_eq!(verdict(of("Allow", &b.arn, "kms:Encrypt")), Verdict::Silent);
    let both = json!([of("Allow", &b.arn, "kms:*"), of("Deny", root, "kms:Decrypt")]);
    assert_eq!(verdict(both), Verdict::Denied);
}

#[test]
fn what_is_not_understood_is_refused() {
    let everyone = json!({ "AWS": "*" });
    let fine =
        json!({ "Effect": "Allow", "Principal": everyone, "Action": "kms:*", "Resource": "*" });
    let changed = |name: &str, value: Value| {
        let mut statement = fine.clone();
        statement[name] = value;
        json!({ "Statement": [statement] }).to_string()
    };
    assert!(KeyPolicy::parse(&changed("Sid", json!("x"))).is_ok());
    for text in [
        "no json".to_owned(),
        "{}".to_owned(),
        changed("Condition", json!({ "Bool": {} })),
        changed("NotAction", json!("kms:*")),
        changed("Effect", json!("Maybe")),
        changed("Principal", json!({ "Service": "s3.amazonaws.com" })),
        changed("Action", Value::Null),
        changed("Resource", json!("arn:aws:kms:::key/x")),
    ] {
        let error = KeyPolicy::parse(&text).expect_err(&text);
        assert_eq!(error.code, "MalformedPolicyDocumentException");
    }
}
