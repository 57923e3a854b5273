use super::*;
use crate::testing::{code, story};

#[test]
fn an_alias_names_one_key_and_can_move() {
    let mut s = story();
    let admin = s.admin.caller.clone();
    let other = s.admin_does(Op::CreateKey, json!({}))["KeyMetadata"]["Arn"].clone();
    let described = s.admin_does(Op::DescribeKey, json!({ "KeyId": s.alias }));
    assert_eq!(described["KeyMetadata"]["Arn"], json!(s.key_arn));
    let mine = json!({ "AliasName": s.alias, "TargetKeyId": other });
    assert_eq!(code(s.by(&admin, Op::CreateAlias, mine.clone())), "AlreadyExistsException");
    s.admin_does(Op::UpdateAlias, mine);
    let described = s.admin_does(Op::DescribeKey, json!({ "KeyId": s.alias }));
    assert_eq!(described["KeyMetadata"]["Arn"], other);
    let of_key = s.admin_does(Op::ListAliases, json!({ "KeyId": s.key_arn }));
    assert_eq!(of_key["Aliases"], json!([]));
    s.admin_does(Op::DeleteAlias, json!({ "AliasName": s.alias }));
    assert_eq!(
        code(s.by(&admin, Op::DescribeKey, json!({ "KeyId": s.alias }))),
        "NotFoundException"
    );
}

#[test]
fn names_are_checked_and_permission_is_asked() {
    let mut s = story();
    let (admin, b) = (s.admin.caller.clone(), s.role_b.caller.clone());
    for (name, wanted) in [
        ("no-prefix", "ValidationException"),
        ("alias/", "ValidationException"),
        ("alias/a b", "ValidationException"),
        ("alias/aws/s3", "NotAuthorizedException"),
    ] {
        let body = json!({ "AliasName": name, "TargetKeyId": s.key_id });
        assert_eq!(code(s.by(&admin, Op::CreateAlias, body)), wanted, "{name}");
    }
    let moved = json!({ "AliasName": s.alias, "TargetKeyId": s.key_id });
    assert_eq!(code(s.by(&b, Op::UpdateAlias, moved)), "AccessDeniedException");
    assert_eq!(code(s.by(&b, Op::ListAliases, json!({}))), "AccessDeniedException");
}

#[test]
fn aliases_are_listed_in_pages() {
    let mut s = story();
    for name in ["alias/b", "alias/a"] {
        s.admin_does(Op::CreateAlias, json!({ "AliasName": name, "TargetKeyId": s.key_id }));
    }
    let first = s.admin_does(Op::ListAliases, json!({ "Limit": 2 }));
    let rest = s.admin_does(Op::ListAliases, json!({ "Limit": 2, "Marker": first["NextMarker"] }));
    assert_eq!(first["Aliases"][0]["AliasName"], json!("alias/a"));
    assert_eq!(first["Aliases"][0]["TargetKeyId"], json!(s.key_id));
    assert_eq!(rest["Aliases"][0]["AliasName"], json!(s.alias));
    assert_eq!(rest["Truncated"], json!(false));
}
