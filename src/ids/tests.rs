use super::*;
use crate::rng::Rng;

struct Fixed(u64);

impl Rng for Fixed {
    fn next_u64(&self) -> u64 {
        self.0
    }
}

#[test]
fn a_key_arn_gives_its_parts() {
    let arn = KeyArn::parse("arn:aws-cn:kms:cn-north-1:111122223333:key/mrk-0a").unwrap();
    assert_eq!(
        (arn.partition(), arn.region(), arn.account(), arn.key_id()),
        ("aws-cn", "cn-north-1", "111122223333", "mrk-0a")
    );
}

#[test]
fn what_is_no_key_arn_is_refused_with_an_example() {
    for bad in [
        "",
        "alias/x",
        "arn:aws:kms:ap-northeast-1:111122223333:alias/x",
        "arn:aws:kms:ap-northeast-1:1111:key/a",
        "arn:aws:s3:ap-northeast-1:111122223333:key/a",
        "arn:aws:kms:ap-northeast-1:111122223333:key/a b",
    ] {
        assert!(
            KeyArn::parse(bad).unwrap_err().to_string().contains("arn:aws:kms:REGION"),
            "{bad}"
        );
    }
}

#[test]
fn a_random_ref_parses_and_uses_every_bit() {
    assert_eq!(Ref::random(&Fixed(0)).as_str(), "g-000000000000");
    let one = Ref::random(&Fixed(u64::MAX));
    assert_eq!(one.as_str(), "g-zzzzzzzzzzzz");
    assert!(Ref::parse(one.as_str()).is_ok());
    for bad in ["g-", "g-00000000000", "g-00000000000u", "G-000000000000", "000000000000"] {
        assert!(Ref::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_principal_shows_its_last_piece() {
    let role = Principal::parse("arn:aws:iam::111122223333:role/team/RoleB").unwrap();
    assert_eq!(role.short(), "RoleB");
    assert!(!role.is_unique_id());
    assert!(Principal::parse("AROAEXAMPLE:session").unwrap().is_unique_id());
    assert!(Principal::parse("has space").is_err());
}
