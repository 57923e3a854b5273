use super::*;
use crate::config::parse;
use crate::config::tests::Nobody;

const CONFIG: &str = r#"
group = "prod"
[[account]]
id = "111122223333"
role-arn = "arn:aws:iam::111122223333:role/grantd"
external-id = "grantd-prod"
revoke-role-arn = "arn:aws:iam::111122223333:role/grantd-revoker"
regions = ["ap-northeast-1", "eu-west-1"]
[[account]]
id = "444455556666"
retiring-principal = "arn:aws-cn:iam::444455556666:user/grantd"
regions = ["cn-north-1"]
probe = false

[[policy]]
name = "s3-readers"
keys = ["alias/app", "alias/team/*", "arn:aws:kms:eu-*:111122223333:key/1234*"]
grantees = ["role/RoleB", "role/*-reader", "role/ops/**", "arn:aws:iam::777788889999:role/Partner"]
operations = ["Decrypt", "DescribeKey"]
callers = ["user:1"]
max-ttl = "8h"

[[policy]]
name = "s3.readers"
keys = ["arn:aws:kms:ap-northeast-1:111122223333:key/5678"]
grantees = ["user/alice"]
operations = ["Sign"]
callers = ["user:1"]
max-ttl = "8h"

[[policy]]
name = "partner"
keys = ["arn:aws:kms:eu-west-1:888899990000:key/*"]
via = "111122223333"
grantees = ["role/Auditor"]
operations = ["Decrypt"]
callers = ["user:1"]
max-ttl = "8h"
require = [{ encryption-context = { "aws:s3:arn" = "arn:aws:s3:::team-a/*", Tier = "gold" } }]
"#;

fn shown(document: &Document) -> String {
    serde_json::to_string_pretty(document).unwrap()
}

#[test]
fn every_part_is_as_it_was_read() {
    let config = parse("f", CONFIG, &Nobody).unwrap();
    let [first, second] = &config.accounts[..] else { panic!("two accounts") };
    let arn = KeyArn::parse("arn:aws:kms:ap-northeast-1:111122223333:key/5678").unwrap();
    let host = Principal::parse("arn:aws:iam::111122223333:role/admin-host").unwrap();
    insta::assert_snapshot!("role", shown(&role(&config, first)));
    insta::assert_snapshot!("role-without-probe", shown(&role(&config, second)));
    insta::assert_snapshot!("key", shown(&key(&config, first, &arn, &["alias/app".to_owned()])));
    insta::assert_snapshot!("trust", shown(&trust(first, &host)));
    insta::assert_snapshot!("host", shown(&super::host(first).unwrap()));
    insta::assert_snapshot!("revoke-role", shown(&revoke_role(&config, first).unwrap()));
    insta::assert_snapshot!("guard", shown(&guard(&[first, second], Guard::KeyPolicy)));
    insta::assert_snapshot!("guard-scp", shown(&guard(&[first], Guard::Scp)));
    assert_eq!(super::host(second), None);
    assert_eq!(revoke_role(&config, second), None);
}

#[test]
fn each_sid_is_there_once_and_of_letters_and_digits() {
    let config = parse("f", CONFIG, &Nobody).unwrap();
    let all = role(&config, &config.accounts[0]);
    let sids: BTreeSet<&str> = all.statement.iter().map(|s| s.sid.as_str()).collect();
    assert_eq!(sids.len(), all.statement.len(), "{sids:?}");
    assert!(sids.iter().all(|sid| sid.bytes().all(|b| b.is_ascii_alphanumeric())), "{sids:?}");
}
