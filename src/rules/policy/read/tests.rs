use super::*;

#[test]
fn a_grantee_is_expanded_or_refused_with_the_reason() {
    let key = KeyArn::parse("arn:aws:kms:ap-northeast-1:111122223333:key/1").unwrap();
    let cn = KeyArn::parse("arn:aws-cn:kms:cn-north-1:111122223333:key/1").unwrap();
    let show = |text: &str, key: &KeyArn| match expand_grantee(text, key) {
        Ok(principal) => format!("{text} -> {principal}"),
        Err(fault) => format!("{}: {fault}", fault.kind.code()),
    };
    let mut rows: Vec<_> = [
        "role/RoleB",
        "role/team/RoleB",
        "user/bob",
        "arn:aws:iam::444455556666:user/a/b",
        "arn:aws:iam::111122223333:root",
        "arn:aws:sts::111122223333:assumed-role/RoleB/session",
        "arn:aws:sts::111122223333:federated-user/bob",
        "",
        "RoleB",
        "role/",
        "role/a b",
        "role/*",
        "group/ops",
        "arn:aws:iam::111122223333:group/ops",
        "arn:aws:iam::1111:role/RoleB",
        "arn:aws:iam::111122223333:rootx",
        "arn:aws:sts::111122223333:assumed-role/RoleB",
        "AROAEXAMPLE",
        "ec2.amazonaws.com",
        "arn:aws-cn:iam::111122223333:role/RoleB",
    ]
    .iter()
    .map(|text| show(text, &key))
    .collect();
    rows.push(show("role/RoleB", &cn));
    let shown = rows.join("\n");
    insta::assert_snapshot!(shown);
}

#[test]
fn words_of_a_request_are_read_or_refused() {
    let words = |all: &[&str]| all.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        parse_operations(&words(&["Verify", "Decrypt", "Verify"])),
        Ok(vec![Operation::Decrypt, Operation::Verify])
    );
    let refused = [
        parse_operations(&words(&["decrypt"])).map(drop),
        parse_operations(&words(&["GenerateDatakeyPlain"])).map(drop),
        parse_operations(&words(&["ReEncrypt"])).map(drop),
        parse_operations(&words(&["?"])).map(drop),
        parse_operations(&[]).map(drop),
        parse_ttl("1month").map(drop),
        parse_ttl("2").map(drop),
        Until::parse(Some("2h"), Some(Time(0))).map(drop),
    ];
    let rows: Vec<_> = refused
        .into_iter()
        .map(|r| r.unwrap_err())
        .map(|fault| format!("{}: {fault}\n  {}", fault.kind.code(), fault.remedy()))
        .collect();
    let shown = rows.join("\n");
    insta::assert_snapshot!(shown);
    assert_eq!(Until::parse(None, None), Ok(Until::Default));
    assert_eq!(Until::parse(None, Some(Time(0))), Ok(Until::At(Time(0))));
    assert_eq!(Until::parse(Some("2h"), None), Ok(Until::Ttl(7_200_000)));
}
