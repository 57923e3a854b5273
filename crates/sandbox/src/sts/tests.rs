use super::*;
use crate::IamPolicy;
use crate::testing::{T0, code, story, with};

#[test]
fn who_may_assume_whom() {
    let mut s = story();
    let ask = |role: &str| json!({ "RoleArn": role, "RoleSessionName": "session" });
    let (grantd, revoker) = (s.grantd.arn.clone(), s.revoker.arn.clone());
    let table = [
        (s.grantd_host.caller.clone(), grantd.clone(), true),
        (s.grantd_host.caller.clone(), s.role_b.arn.clone(), false),
        (s.grantd_host.caller.clone(), revoker.clone(), false),
        (s.grantd.caller.clone(), revoker, true),
        (s.role_b.caller.clone(), grantd.clone(), false),
        (s.admin.caller.clone(), s.role_b.arn.clone(), true),
        (s.admin.caller.clone(), "arn:aws:iam::111122223333:role/Nobody".to_owned(), false),
    ];
    for (caller, role, may) in table {
        let answer = s.by(&caller, Op::AssumeRole, ask(&role));
        assert_eq!(answer.is_ok(), may, "{} {role}", caller.arn());
    }
    let root = s.core.caller("arn:aws:iam::111122223333:root").expect("every account has a root");
    assert_eq!(code(s.by(&root, Op::AssumeRole, ask(&grantd))), "AccessDenied");
}

#[test]
fn limits_of_a_session() {
    let mut s = story();
    let (host, role) = (s.grantd_host.caller.clone(), s.grantd.arn.clone());
    let ask = json!({ "RoleArn": role, "RoleSessionName": "session" });
    for (member, value) in [
        ("DurationSeconds", json!(899)),
        ("DurationSeconds", json!(43_201)),
        ("RoleSessionName", json!("x")),
        ("RoleSessionName", json!("a b")),
        ("RoleArn", Value::Null),
    ] {
        let body = with(ask.clone(), member, value.clone());
        assert_eq!(code(s.by(&host, Op::AssumeRole, body)), "ValidationError", "{member}: {value}");
    }
    let long = with(ask, "DurationSeconds", json!(7_200));
    assert!(s.by(&host, Op::AssumeRole, long.clone()).is_ok());
    let chained = with(long, "RoleArn", json!(s.revoker.arn));
    assert_eq!(code(s.by(&s.grantd.caller.clone(), Op::AssumeRole, chained)), "ValidationError");
}

#[test]
fn an_external_id_must_match() {
    let mut s = story();
    let (admin, arn) = (s.admin.caller.clone(), "arn:aws:iam::111122223333:role/Guarded");
    let trust = [s.admin.arn.clone()];
    s.core.put_role(arn, IamPolicy::default(), &[&trust[0]], Some("word"));
    let ask = json!({ "RoleArn": arn, "RoleSessionName": "session" });
    assert_eq!(code(s.by(&admin, Op::AssumeRole, ask.clone())), "AccessDenied");
    let wrong = with(ask.clone(), "ExternalId", json!("other"));
    assert_eq!(code(s.by(&admin, Op::AssumeRole, wrong)), "AccessDenied");
    assert!(s.by(&admin, Op::AssumeRole, with(ask, "ExternalId", json!("word"))).is_ok());
}

#[test]
fn a_role_made_again_ends_its_sessions() {
    let mut s = story();
    let (host, role) = (s.grantd_host.caller.clone(), s.grantd.arn.clone());
    let ask = json!({ "RoleArn": role, "RoleSessionName": "session" });
    let made = s.core.call(&host, Op::AssumeRole, &ask, T0).expect("trusted");
    let id = made["Credentials"]["AccessKeyId"].as_str().expect("an id").to_owned();
    assert!(s.core.credential(&id).is_some());
    assert!(s.core.recreate_principal(&role));
    assert!(s.core.credential(&id).is_none());
}
