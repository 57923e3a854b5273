use super::*;
use crate::config::{cases, parse};

const CONFIG: &str = r#"
group = "prod"
[[account]]
id = "111122223333"
role-arn = "arn:aws:iam::111122223333:role/grantd"
regions = ["ap-northeast-1"]
[[policy]]
name = "readers"
keys = ["alias/app"]
grantees = ["role/RoleB"]
operations = ["Decrypt"]
callers = ["group:nobody-has-this-group", "user:nobody-is-called-so", "user:7"]
max-ttl = "8h"
"#;

/// What differs in a case with this asker and these lines more, of a request that `readers` allows.
fn differs(asker: &str, more: &str) -> Vec<String> {
    let text = format!(
        "[[case]]\nas = {asker}\nkey = \"alias/app\"\ngrantee = \"role/RoleB\"\n\
         operations = [\"Decrypt\"]\n{more}"
    );
    let cases = cases::parse("cases.toml", &text).unwrap();
    let names = Supposed::of(&cases).unwrap();
    let config = parse("f", CONFIG, &names).unwrap();
    let got = run(&config, &cases, &names, Time(1_795_435_200_000)).unwrap();
    got[0].differs(&cases[0].expect)
}

#[test]
fn a_host_need_not_know_whom_the_table_supposes() {
    let allow = "expect = \"allow\"";
    let none: [&str; 0] = [];
    assert_eq!(differs("{ user = \"nobody-is-called-so\" }", allow), none);
    assert_eq!(differs("{ user = \"x\", groups = [\"nobody-has-this-group\"] }", allow), none);
    assert_eq!(differs("{ uid = 7 }", allow), none);
    assert_eq!(differs("{ user = \"x\", uid = 7 }", allow), none);
    for other in ["{ user = \"x\", groups = [\"others\"] }", "{ uid = 8 }", "\"0\""] {
        assert_eq!(differs(other, allow), ["-allow +refuse"], "{other}");
    }
    let text = "[[case]]\nas = \"no-such-user\"\nkey = \"alias/app\"\ngrantee = \"role/RoleB\"\n\
                operations = [\"Decrypt\"]\nexpect = \"allow\"";
    let cases = cases::parse("cases.toml", text).unwrap();
    let names = Supposed::of(&cases).unwrap();
    let config = parse("f", CONFIG, &names).unwrap();
    let fault = run(&config, &cases, &names, Time(0)).unwrap_err();
    assert!(fault.text.contains("(1:1): this host has no user \"no-such-user\""), "{fault}");
}

#[test]
fn each_thing_that_is_otherwise_is_told() {
    let seven = |more: &str| differs("{ uid = 7 }", more);
    assert_eq!(
        seven("ttl = \"3h\"\nexpect = \"allow\"\npolicy = \"readers\"\nlasts = \"3h\""),
        Vec::<String>::new()
    );
    assert_eq!(
        seven("ttl = \"3h\"\nexpect = \"allow\"\npolicy = \"others\"\nlasts = \"2h\""),
        ["policy: -others +readers", "lasts: -2h +3h"]
    );
    assert_eq!(
        seven("ttl = \"9h\"\nexpect = \"allow\"\nlasts = \"9h\""),
        ["-allow +refuse", "lasts: -9h +none"]
    );
    assert_eq!(
        seven("ttl = \"9h\"\nexpect = \"refuse\"\nfault = \"no-policy\"\npolicy = \"readers\""),
        ["fault: -no-policy +ttl-above-max"]
    );
    assert_eq!(
        seven("region = \"eu-west-1\"\nexpect = \"refuse\"\nfault = \"key-not-found\"").len(),
        0
    );
    assert_eq!(seven("ttl = \"x\"\nexpect = \"refuse\"\nfault = \"bad-argument\"").len(), 0);
}
