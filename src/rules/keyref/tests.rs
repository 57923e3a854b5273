use super::*;

#[test]
fn each_form_is_told_apart() {
    let parse = |text| KeyRef::parse(text).unwrap();
    assert_eq!(parse("alias/app/x"), KeyRef::Alias("alias/app/x".to_owned()));
    assert_eq!(parse("mrk-0a1b"), KeyRef::Id("mrk-0a1b".to_owned()));
    let arn = parse("arn:aws:kms:eu-west-1:111122223333:key/0a1b");
    assert!(matches!(&arn, KeyRef::Arn(_)));
    assert_eq!(arn.region().unwrap().as_str(), "eu-west-1");
    let alias = parse("arn:aws:kms:eu-west-1:111122223333:alias/app");
    assert_eq!(alias.account().unwrap().as_str(), "111122223333");
    assert_eq!(parse("alias/app").region(), None);
}

#[test]
fn what_is_no_key_is_refused_with_the_forms() {
    let arn = "arn:aws:s3:::bucket";
    for bad in ["", "alias/", "alias/a b", "app key", arn, "arn:aws:kms:eu-west-1:1:alias/a"] {
        assert!(KeyRef::parse(bad).is_err(), "{bad}");
    }
    let text = KeyRef::parse(arn).unwrap_err().to_string();
    assert!(text.contains("alias/NAME"), "{text}");
}
