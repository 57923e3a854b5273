use super::*;

/// What CreateGrant refuses, and how (kms-facts 1).
#[test]
fn every_parameter_has_its_limits() {
    let mut s = story();
    let pairs = |n: usize| -> Value { (0..n).map(|i| (format!("k{i}"), json!("v"))).collect() };
    let subset = |pairs: Value| json!({ "EncryptionContextSubset": pairs });
    let both =
        json!({ "EncryptionContextSubset": { "a": "1" }, "EncryptionContextEquals": { "a": "1" } });
    let long_value = subset(json!({ "a": "v".repeat(385) }));
    let unknown_role = "arn:aws:iam::111122223333:role/Nobody";
    let table = [
        ("KeyId", Value::Null, "ValidationException"),
        ("KeyId", json!(s.alias), "NotFoundException"),
        (
            "KeyId",
            json!(format!("arn:aws:kms:ap-northeast-1:111122223333:{}", s.alias)),
            "NotFoundException",
        ),
        ("KeyId", json!("invalid"), "NotFoundException"),
        ("KeyId", json!("1234abcd-12ab-34cd-56ef-1234567890ab"), "NotFoundException"),
        ("KeyId", json!(s.key_arn.replace("ap-northeast-1", "eu-west-1")), "NotFoundException"),
        ("KeyId", json!(s.key_arn.replace("111122223333", "444455556666")), "NotFoundException"),
        ("KeyId", json!("arn:aws:kms:nonsense"), "InvalidArnException"),
        ("Operations", Value::Null, "ValidationException"),
        ("Operations", json!([]), "ValidationException"),
        ("Operations", json!(["Foo"]), "ValidationException"),
        ("Operations", json!(["Sign"]), "ValidationException"),
        ("Operations", json!("Decrypt"), "SerializationException"),
        ("GranteePrincipal", Value::Null, "ValidationException"),
        ("GranteePrincipal", json!("with space"), "ValidationException"),
        ("GranteePrincipal", json!("garbage"), "InvalidArnException"),
        ("GranteePrincipal", json!(unknown_role), "InvalidArnException"),
        ("GranteePrincipal", json!("arn:aws:iam::111122223333:group/ops"), "InvalidArnException"),
        ("GranteePrincipal", json!("x".repeat(257)), "ValidationException"),
        ("RetiringPrincipal", json!(unknown_role), "InvalidArnException"),
        ("RetiringServicePrincipal", json!("ec2.us-east-1.amazonaws.com"), "ValidationException"),
        ("GranteeServicePrincipal", json!("ec2.us-east-1.amazonaws.com"), "ValidationException"),
        ("Constraints", both, "ValidationException"),
        ("Constraints", subset(pairs(9)), "ValidationException"),
        ("Constraints", long_value, "ValidationException"),
        (
            "Constraints",
            json!({ "SourceArn": "arn:aws:s3:::bucket-without-account" }),
            "ValidationException",
        ),
        ("GrantTokens", json!(["bogus"]), "InvalidGrantTokenException"),
        ("GrantTokens", json!(vec!["t"; 11]), "ValidationException"),
        ("Name", json!(""), "ValidationException"),
        ("Name", json!("a b"), "ValidationException"),
        ("Name", json!("2026-01-01T00:00:00.000Z"), "ValidationException"),
        ("Name", json!("x".repeat(257)), "ValidationException"),
        ("DryRun", json!(true), "DryRunOperationException"),
    ];
    for (member, value, wanted) in table {
        let body = with(s.terms(), member, value.clone());
        let grantd = s.grantd.caller.clone();
        assert_eq!(code(s.by(&grantd, Op::CreateGrant, body)), wanted, "{member}: {value}");
    }
    assert_eq!(s.core.count_alive(T0), 0);
    for (member, value) in [
        ("Constraints", subset(pairs(8))),
        ("Constraints", json!({ "SourceArn": "arn:aws:s3:us-east-1:111122223333:bucket" })),
        ("Name", json!("ttl:2h/label_1-x")),
        ("GranteePrincipal", json!("arn:aws:sts::111122223333:assumed-role/RoleB/one")),
        ("GranteePrincipal", json!("arn:aws:iam::111122223333:root")),
        ("Operations", json!(["CreateGrant", "RetireGrant", "ReEncryptFrom"])),
    ] {
        let body = with(s.terms(), member, value.clone());
        let grantd = s.grantd.caller.clone();
        assert!(s.by(&grantd, Op::CreateGrant, body).is_ok(), "{member}: {value}");
    }
}

#[test]
fn all_violations_come_in_one_message() {
    let mut s = story();
    let body = json!({ "KeyId": s.key_arn, "GranteePrincipal": s.role_b.arn, "Name": "a b" });
    let grantd = s.grantd.caller.clone();
    let error = s.by(&grantd, Op::CreateGrant, body).unwrap_err();
    assert_eq!(
        error.message,
        "2 validation errors detected: Value null at 'operations' failed to satisfy constraint: \
         Member must not be null; Value 'a b' at 'name' failed to satisfy constraint: \
         Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$"
    );
}

#[test]
fn a_service_may_be_the_grantee() {
    let mut s = story();
    let body = json!({
        "KeyId": s.key_arn, "Operations": ["Decrypt"],
        "GranteeServicePrincipal": "ec2.us-east-1.amazonaws.com",
        "RetiringServicePrincipal": "ec2.us-east-1.amazonaws.com",
        "Constraints": { "SourceArn": "arn:aws:ec2:us-east-1:111122223333:volume/vol-1" },
    });
    s.admin_does(Op::CreateGrant, body);
    let page = list(&mut s, json!({}), T0);
    let entry = &page["Grants"][0];
    assert_eq!(entry["GranteeServicePrincipal"], json!("ec2.us-east-1.amazonaws.com"));
    assert!(entry.get("GranteePrincipal").is_none() && entry.get("RetiringPrincipal").is_none());
}

/// The table of operations by key type (kms-facts 1).
#[test]
fn operations_fit_the_kind_of_key() {
    let mut s = story();
    let kinds = [
        ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "GenerateDataKey", "GetPublicKey"),
        ("RSA_2048", "ENCRYPT_DECRYPT", "ReEncryptTo", "GenerateDataKey"),
        ("RSA_4096", "SIGN_VERIFY", "Sign", "Decrypt"),
        ("ECC_NIST_P256", "KEY_AGREEMENT", "DeriveSharedSecret", "Sign"),
        ("HMAC_256", "GENERATE_VERIFY_MAC", "VerifyMac", "GetPublicKey"),
        ("ML_DSA_65", "SIGN_VERIFY", "GetPublicKey", "Encapsulate"),
        ("ML_KEM_768", "ENCAPSULATE_DECAPSULATE", "Decapsulate", "Verify"),
    ];
    for (spec, usage, fits, alien) in kinds {
        let made = s.admin_does(Op::CreateKey, json!({ "KeySpec": spec, "KeyUsage": usage }));
        let arn = made["KeyMetadata"]["Arn"].clone();
        let body = |op: &str| {
            let operations = json!([op, "DescribeKey"]);
            json!({ "KeyId": arn, "GranteePrincipal": s.role_b.arn, "Operations": operations })
        };
        let (fitting, aliens) = (body(fits), body(alien));
        s.admin_does(Op::CreateGrant, fitting.clone());
        let admin = s.admin.caller.clone();
        assert_eq!(code(s.by(&admin, Op::CreateGrant, aliens)), "ValidationException", "{spec}");
        let bound =
            with(fitting, "Constraints", json!({ "EncryptionContextSubset": { "a": "1" } }));
        let symmetric = spec == "SYMMETRIC_DEFAULT";
        assert_eq!(s.by(&admin, Op::CreateGrant, bound).is_ok(), symmetric, "{spec}");
    }
    let admin = s.admin.caller.clone();
    let wrong = json!({ "KeySpec": "HMAC_256", "KeyUsage": "SIGN_VERIFY" });
    assert_eq!(code(s.by(&admin, Op::CreateKey, wrong)), "ValidationException");
}

#[test]
fn a_page_has_its_limits() {
    let mut s = story();
    let (grantd, key) = (s.grantd.caller.clone(), s.key_arn.clone());
    let garbage = "bm9uZQ==";
    for (member, value, wanted) in [
        ("Limit", json!(0), "ValidationException"),
        ("Limit", json!(101), "ValidationException"),
        ("Marker", json!(garbage), "InvalidMarkerException"),
        ("Marker", json!("%"), "InvalidMarkerException"),
        ("GrantId", json!("short"), "InvalidGrantIdException"),
        ("GranteeServicePrincipal", json!("a.b.c"), "ValidationException"),
        ("KeyId", json!(s.alias), "NotFoundException"),
    ] {
        let body = with(json!({ "KeyId": key }), member, value.clone());
        assert_eq!(code(s.by(&grantd, Op::ListGrants, body)), wanted, "{member}: {value}");
    }
    for (body, wanted) in [
        (json!({}), "ValidationException"),
        (json!({ "RetiringServicePrincipal": "a.b.c" }), "ValidationException"),
        (json!({ "RetiringPrincipal": "arn:aws:iam::444455556666:role/x" }), "InvalidArnException"),
    ] {
        assert_eq!(code(s.by(&grantd, Op::ListRetirableGrants, body.clone())), wanted, "{body}");
    }
    let unknown = json!({ "KeyId": key, "GrantId": "0".repeat(64) });
    assert_eq!(s.by(&grantd, Op::ListGrants, unknown).unwrap()["Grants"], json!([]));
}
