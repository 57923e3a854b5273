use super::*;
use crate::config::parse;
use crate::config::tests::Nobody;

const CONFIG: &str = r#"
group = "prod"
[[account]]
id = "111122223333"
role-arn = "arn:aws:iam::111122223333:role/grantd"
regions = ["ap-northeast-1"]
[[account]]
id = "444455556666"
role-arn = "arn:aws-cn:iam::444455556666:role/grantd"
regions = ["cn-north-1", "cn-northwest-1"]
[[policy]]
name = "p"
keys = ["alias/app"]
grantees = ["role/RoleB"]
operations = ["Decrypt"]
callers = ["user:1"]
max-ttl = "1h"
"#;

fn told(key: &str, region: Option<&str>, given: &Given) -> String {
    let config = parse("f", CONFIG, &Nobody).unwrap();
    let region = region.map(|text| Region::parse(text).unwrap());
    match suppose(&config, key, region.as_ref(), given) {
        Ok(Supposed { facts, aliases, assumed }) => format!(
            "{} {}/{}/{}/{} [{}]\n  {}",
            facts.arn,
            facts.spec,
            facts.usage,
            facts.state,
            facts.manager,
            aliases.join(" "),
            assumed.join("; ")
        ),
        Err(fault) => format!("{}: {fault}", fault.kind.code()),
    }
}

#[test]
fn a_key_is_what_its_name_leaves_no_choice_about() {
    let plain = Given::default();
    let arn = "arn:aws:kms:ap-northeast-1:111122223333:key/1234";
    let shown: Vec<String> = [
        ("alias/app", Some("ap-northeast-1")),
        ("alias/app", None),
        ("alias/app", Some("eu-west-1")),
        ("arn:aws-cn:kms:cn-north-1:444455556666:alias/app", None),
        ("arn:aws-cn:kms:cn-north-1:444455556666:alias/app", Some("cn-northwest-1")),
        (arn, None),
        ("1234abcd-12ab", Some("cn-north-1")),
        ("alias/aws/s3", Some("ap-northeast-1")),
        ("alias/", None),
    ]
    .into_iter()
    .map(|(key, region)| told(key, region, &plain))
    .collect();
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn what_is_told_is_not_assumed() {
    let given = Given {
        aliases: vec!["alias/app".to_owned()],
        spec: Some("RSA_2048".to_owned()),
        usage: Some("SIGN_VERIFY".to_owned()),
        state: Some("Disabled".to_owned()),
    };
    let arn = "arn:aws:kms:ap-northeast-1:111122223333:key/1234";
    let shown = told(arn, None, &given);
    assert_eq!(shown, format!("{arn} RSA_2048/SIGN_VERIFY/Disabled/CUSTOMER [alias/app]\n  "));
    for (spec, usage) in [
        ("HMAC_256", "GENERATE_VERIFY_MAC"),
        ("ML_KEM_768", "ENCAPSULATE_DECAPSULATE"),
        ("ECC_NIST_P256", "SIGN_VERIFY"),
        ("RSA_2048", "ENCRYPT_DECRYPT"),
    ] {
        let given = Given { spec: Some(spec.to_owned()), ..Given::default() };
        assert!(told(arn, None, &given).contains(&format!(" {spec}/{usage}/Enabled/")), "{spec}");
    }
}

#[test]
fn no_real_key_id_is_the_unknown_one() {
    assert!(UNKNOWN_ID.bytes().any(|b| b != b'-' && !b.is_ascii_hexdigit()));
    assert!(!UNKNOWN_ID.starts_with("mrk-"));
}
