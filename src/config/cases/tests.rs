use super::*;
use crate::rules::time::HOUR;

#[test]
fn a_case_is_read_whole() {
    let text = r#"
[[case]]
name = "alice may read"
as = { user = "alice", uid = 1001, groups = ["ops", "27"] }
key = "alias/app"
region = "ap-northeast-1"
aliases = ["alias/other"]
spec = "RSA_2048"
usage = "SIGN_VERIFY"
state = "Disabled"
grantee = "role/RoleB"
operations = ["Sign"]
ttl = "2h"
reason = "ticket 7"
context = { Department = "IT" }
expect = "allow"
policy = "signers"
lasts = "2h"

[[case]]
as = "bob"
key = "alias/app"
grantee = "role/RoleB"
operations = ["Nonsense"]
until = "2126-11-23T18:00:00Z"
context-equals = { a = "b" }
expect = "refuse"
fault = "bad-argument"
"#;
    let cases = parse("cases.toml", text).unwrap();
    let [first, second] = &cases[..] else { panic!("{cases:?}") };
    assert_eq!(first.place.to_string(), "2:1");
    assert_eq!(
        first.asker,
        Asker::Supposed {
            user: Some("alice".to_owned()),
            uid: Some(1001),
            groups: vec!["ops".to_owned(), "27".to_owned()],
        }
    );
    let Given { aliases, spec, usage, state } = &first.given;
    assert_eq!(aliases, &["alias/other"]);
    assert_eq!(
        [spec, usage, state].map(|text| text.as_deref().unwrap()),
        ["RSA_2048", "SIGN_VERIFY", "Disabled"]
    );
    assert_eq!(first.region.as_ref().unwrap().as_str(), "ap-northeast-1");
    assert_eq!((first.ttl.as_deref(), first.until), (Some("2h"), None));
    assert_eq!(first.reason.as_deref(), Some("ticket 7"));
    assert!(
        matches!(&first.constraints, Constraints::Subset(pairs) if pairs["Department"] == "IT")
    );
    assert_eq!(
        first.expect,
        Expect {
            allow: true,
            policy: Some("signers".to_owned()),
            fault: None,
            lasts: Some(2 * HOUR),
        }
    );
    assert_eq!(second.name, "role/RoleB on alias/app");
    assert_eq!(second.asker, Asker::Host("bob".to_owned()));
    assert_eq!(second.until, Time::parse("2126-11-23T18:00:00Z").ok());
    assert!(matches!(&second.constraints, Constraints::Equals(pairs) if pairs["a"] == "b"));
    assert!(!second.expect.allow && second.expect.fault.as_deref() == Some("bad-argument"));
}

#[test]
fn every_problem_is_told_at_its_place() {
    let text = r#"
[[case]]
as = { groups = ["ops"] }
key = "alias/app"
grante = "role/RoleB"
operations = []
until = "tomorrow"
expect = "maybe"

[[case]]
as = { user = "alice", uid = -1 }
key = "alias/app"
grantee = "role/RoleB"
operations = ["Decrypt"]
context = { a = 1 }
expect = "allow"
fault = "no-polcy"

[[case]]
as = "alice"
key = "alias/app"
grantee = "role/RoleB"
operations = ["Decrypt"]
context = { a = "1" }
context-equals = { a = "1" }
expect = "refuse"
lasts = "2h"
"#;
    let shown = |text: &str| parse("cases.toml", text).unwrap_err().to_string();
    insta::assert_snapshot!([shown(text), shown(""), shown("case = 7")].join("\n"));
}
