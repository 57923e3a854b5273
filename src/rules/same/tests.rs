use std::collections::BTreeMap;

use super::*;
use crate::ids::{GrantId, KeyArn};
use crate::terms::{Constraints, Operation};

const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/0a1b";

fn request() -> GrantRequest {
    let role = |name: &str| format!("arn:aws:iam::111122223333:role/{name}");
    GrantRequest {
        key_arn: KeyArn::parse(KEY).unwrap(),
        grantee: Principal::parse(role("RoleB")).unwrap(),
        operations: vec![Operation::Decrypt, Operation::DescribeKey],
        retiring_principal: Principal::parse(role("grantd")).unwrap(),
        constraints: Constraints::Subset(BTreeMap::from([("a".to_owned(), "b".to_owned())])),
        name: "grantd/prod/g-000000000000/1/2026-11-23T18:00:00Z".to_owned(),
    }
}

fn listed() -> Listed {
    let request = request();
    Listed {
        key_arn: KEY.to_owned(),
        id: GrantId::parse("a").unwrap(),
        name: request.name,
        created: None,
        grantee: request.grantee.to_string(),
        retiring_principal: request.retiring_principal.to_string(),
        issuing_account: String::new(),
        operations: vec!["DescribeKey".to_owned(), "Decrypt".to_owned()],
        constraints: request.constraints,
        source_arn: None,
        unknown: Vec::new(),
    }
}

#[test]
fn the_order_of_operations_and_a_decayed_principal_do_not_matter() {
    assert!(same_request(&request(), &listed()));
    let ghost = Listed { grantee: "AROAEXAMPLEID".to_owned(), ..listed() };
    assert!(same_request(&request(), &ghost));
}

#[test]
fn any_other_difference_does() {
    let other = "arn:aws:iam::111122223333:role/Other".to_owned();
    let differing = [
        Listed { name: String::new(), ..listed() },
        Listed { grantee: other.clone(), ..listed() },
        Listed { retiring_principal: other, ..listed() },
        Listed { operations: vec!["Decrypt".to_owned()], ..listed() },
        Listed { constraints: Constraints::None, ..listed() },
        Listed { source_arn: Some("arn:aws:s3:::b".to_owned()), ..listed() },
        Listed { unknown: vec!["Constraints.SourceAccount".to_owned()], ..listed() },
        Listed { unknown: vec!["Constraints.SourceAccount".to_owned()], ..listed() },
    ];
    for listed in differing {
        assert!(!same_request(&request(), &listed), "{listed:?}");
    }
}
