//! Grants that AWS services make, and full keys (kms-facts 2, 5 and 6).

use super::*;

#[test]
fn a_planted_grant_is_listed_as_it_was_given() {
    let mut s = story();
    let entries = [
        json!({
            "KeyId": s.key_arn, "Name": "f1a2c3d4-0000-4000-8000-000000000000",
            "CreationDate": 1_568_565_290.0,
            "GranteePrincipal": "arn:aws:sts::111122223333:assumed-role/aws:ec2-infrastructure/i-1",
            "RetiringPrincipal": "ec2.ap-northeast-1.amazonaws.com",
            "IssuingAccount": "arn:aws:iam::111122223333:root", "Operations": ["Decrypt"],
            "Constraints": { "EncryptionContextSubset": { "aws:ebs:id": "vol-1" } },
        }),
        json!({
            "KeyId": s.key_arn, "Name": "MedicalImagingGrantForSomething",
            "CreationDate": 1_568_565_291.0, "GranteePrincipal": "AWS Internal",
            "RetiringPrincipal": "medical-imaging.ap-northeast-1.amazonaws.com",
            "IssuingAccount": "medical-imaging.ap-northeast-1.amazonaws.com",
            "Operations": ["Decrypt", "GenerateDataKey", "CreateGrant"],
        }),
        json!({
            "KeyId": s.key_arn, "Name": "", "CreationDate": 1_568_565_292.25,
            "GranteeServicePrincipal": "ec2.ap-northeast-1.amazonaws.com",
            "RetiringServicePrincipal": "ec2.ap-northeast-1.amazonaws.com",
            "IssuingAccount": "arn:aws:iam::111122223333:root", "Operations": ["Encrypt"],
            "Constraints": { "SourceArn": "arn:aws:ec2:us-east-1:111122223333:volume/vol-1" },
        }),
    ];
    let tomorrow = json!({
        "KeyId": s.key_arn, "Name": "n", "CreationDate": 1_568_565_293.0,
        "GranteePrincipal": s.role_b.arn, "IssuingAccount": "arn:aws:iam::111122223333:root",
        "Operations": ["Decrypt", "FutureOperation"], "GrantType": "Standard",
        "Constraints": { "EncryptionContextEquals": { "a": "b" }, "SourceAccount": "111122223333" },
    });
    for mut entry in entries.into_iter().chain([tomorrow]) {
        let unnamed = entry["Name"] == json!("");
        let asked = if unnamed { with(entry.clone(), "Name", Value::Null) } else { entry.clone() };
        let id = s.core.plant(&asked, 1, T0).unwrap().remove(0);
        entry["GrantId"] = json!(id);
        let page = list(&mut s, json!({ "GrantId": id }), T0);
        assert_eq!(page["Grants"], json!([entry]));
    }
    for bad in [json!({}), json!({ "KeyId": "x", "GranteePrincipal": "y", "Operations": [] })] {
        assert_eq!(s.core.plant(&bad, 1, T0).unwrap_err().code, "ValidationException");
    }
    assert!(s.core.journal().iter().all(|entry| entry.op != Op::CreateGrant));
}

/// 50,000 grants on one key, named and unnamed, and what a client does with one of them. Each step
/// seeks; the bound on time is wide, and quadratic work would pass it by far.
#[test]
#[expect(clippy::disallowed_methods, reason = "a bound on work, and no sandbox clock to read")]
fn a_full_key() {
    let begun = std::time::Instant::now();
    let mut s = story();
    s.core.settings_mut().quotas.clear();
    let unnamed = json!({
        "KeyId": s.key_arn, "GranteePrincipal": s.role_b.arn, "RetiringPrincipal": s.grantd.arn,
        "Operations": ["Decrypt"],
    });
    let mut made = s.core.plant(&unnamed, 24_999, T0).unwrap();
    for i in 0..25_000 {
        let body = with(unnamed.clone(), "Name", json!(format!("n-{i}")));
        made.push(create(&mut s, &body, T0).unwrap().0);
    }
    let body = s.terms();
    made.push(create(&mut s, &body, T0).unwrap().0);
    assert_eq!(s.core.count_alive(T0), 50_000);
    let more = with(body.clone(), "Name", json!("one-too-many"));
    assert_eq!(create(&mut s, &more, T0).unwrap_err().code, "LimitExceededException");
    let dry = with(more.clone(), "DryRun", json!(true));
    assert_eq!(create(&mut s, &dry, T0).unwrap_err().code, "LimitExceededException");
    assert_eq!(create(&mut s, &body, T0).unwrap().0, made[49_999], "a repeat needs no room");
    let grantd = s.grantd.caller.clone();
    for id in made.iter().step_by(10) {
        let ask = by_id(&s, id);
        assert_eq!(
            ids(&s.by(&grantd, Op::ListGrants, ask.clone()).unwrap()),
            std::slice::from_ref(id)
        );
        s.by(&grantd, Op::RetireGrant, ask).unwrap();
    }
    assert!(create(&mut s, &more, T0).is_ok());
    assert_eq!(s.core.count_alive(T0), 45_001);
    assert!(begun.elapsed() < std::time::Duration::from_secs(60), "{:?}", begun.elapsed());
}

#[test]
fn the_quota_is_for_customer_managed_keys() {
    let mut s = story();
    s.core.settings_mut().grants_per_key = 1;
    let alias = json!({ "KeyId": "alias/aws/ebs" });
    let aws = s.admin_does(Op::DescribeKey, alias)["KeyMetadata"]["Arn"].clone();
    let entry = |key: &Value| json!({ "KeyId": key, "GranteePrincipal": "AWS Internal", "Operations": ["Decrypt"] });
    s.core.plant(&entry(&aws), 3, T0).unwrap();
    let own = json!(s.key_arn);
    s.core.plant(&entry(&own), 1, T0).unwrap();
    let body = s.terms();
    let full = create(&mut s, &body, T0).unwrap_err();
    assert_eq!(full.code, "LimitExceededException", "a service's grants count too");
    // The account may revoke what its services made there, and give nothing.
    let (admin, id) = (s.admin.caller.clone(), s.core.grants()[0].grant_id.clone());
    let id =
        s.core.grants().into_iter().find(|g| json!(g.key_arn) == aws).map_or(id, |g| g.grant_id);
    let ask = json!({ "KeyId": aws, "GrantId": id });
    assert!(s.by(&admin, Op::RevokeGrant, ask).is_ok());
    let body = with(s.terms(), "KeyId", aws);
    assert_eq!(code(s.by(&admin, Op::CreateGrant, body)), "AccessDeniedException");
}
