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
        ("Operations", json!(["CreateGrant", "RetireGrant", "ReEncryptFrom"])),
    ] {
        let body = with(s.terms(), member, value.clone());
        let grantd = s.grantd.caller.clone();
        assert!(s.by(&grantd, Op::CreateGrant, body).is_ok(), "{member}: {value}");
    }
}

#[test]
fn who_can_be_named() {
    let mut s = story();
    let grantd = s.grantd.caller.clone();
    let none = with(s.terms(), "GranteePrincipal", Value::Null);
    assert_eq!(code(s.by(&grantd, Op::CreateGrant, none)), "ValidationException");
    let long = format!("arn:aws:iam::111122223333:role/{}", "x".repeat(226));
    for member in ["GranteePrincipal", "RetiringPrincipal"] {
        for (principal, wanted) in [
            ("with space", "ValidationException"),
            (long.as_str(), "ValidationException"),
            ("garbage", "InvalidArnException"),
            ("ec2.us-east-1.amazonaws.com", "InvalidArnException"),
            ("arn:aws:iam::111122223333:role/Nobody", "InvalidArnException"),
            ("arn:aws:iam::111122223333:group/ops", "InvalidArnException"),
            ("arn:aws:iam::999999999999:root", "InvalidArnException"),
            ("arn:aws:organizations::111122223333:organization/o-1", "InvalidArnException"),
        ] {
            let body = with(s.terms(), member, json!(principal));
            let answer = s.by(&grantd, Op::CreateGrant, body);
            assert_eq!(code(answer), wanted, "{member}: {principal}");
        }
        for principal in [
            "arn:aws:iam::111122223333:role/RoleA",
            "arn:aws:sts::111122223333:assumed-role/RoleB/one",
            "arn:aws:iam::111122223333:root",
            "arn:aws:iam::111122223333:user/admin",
            "arn:aws:sts::111122223333:federated-user/bob",
        ] {
            let body = with(s.terms(), member, json!(principal));
            assert!(s.by(&grantd, Op::CreateGrant, body).is_ok(), "{member}: {principal}");
        }
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

/// The table of operations by key type (kms-facts 1): every kind of key with every operation.
#[test]
fn operations_fit_the_kind_of_key() {
    const SEAL: &str = "Encrypt Decrypt ReEncryptFrom ReEncryptTo";
    const DATA_KEYS: &str = "GenerateDataKey GenerateDataKeyWithoutPlaintext GenerateDataKeyPair \
                             GenerateDataKeyPairWithoutPlaintext";
    let sign = "Sign Verify GetPublicKey";
    let (seal, all) = (format!("{SEAL} GetPublicKey"), format!("{SEAL} {DATA_KEYS}"));
    let table = [
        ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", all.as_str()),
        ("RSA_2048 RSA_3072 RSA_4096 SM2", "ENCRYPT_DECRYPT", &seal),
        (
            "RSA_2048 RSA_3072 RSA_4096 ECC_NIST_P256 ECC_NIST_P384 ECC_NIST_P521 ECC_SECG_P256K1 \
             ECC_NIST_EDWARDS25519 ML_DSA_44 ML_DSA_65 ML_DSA_87 SM2",
            "SIGN_VERIFY",
            sign,
        ),
        ("HMAC_224 HMAC_256 HMAC_384 HMAC_512", "GENERATE_VERIFY_MAC", "GenerateMac VerifyMac"),
        (
            "ECC_NIST_P256 ECC_NIST_P384 ECC_NIST_P521 SM2",
            "KEY_AGREEMENT",
            "DeriveSharedSecret GetPublicKey",
        ),
        (
            "ML_KEM_512 ML_KEM_768 ML_KEM_1024",
            "ENCAPSULATE_DECAPSULATE",
            "Encapsulate Decapsulate GetPublicKey",
        ),
    ];
    let mut s = story();
    s.core.settings_mut().quotas.clear();
    let admin = s.admin.caller.clone();
    for (specs, usage, fitting) in table {
        let always = ["CreateGrant", "RetireGrant", "DescribeKey"];
        let fitting: Vec<&str> = fitting.split_whitespace().chain(always).collect();
        for spec in specs.split_whitespace() {
            let made = s.admin_does(Op::CreateKey, json!({ "KeySpec": spec, "KeyUsage": usage }));
            let arn = made["KeyMetadata"]["Arn"].clone();
            let body = |operation: &str| {
                json!({
                    "KeyId": arn, "GranteePrincipal": s.role_b.arn, "Operations": [operation],
                })
            };
            let bodies =
                crate::keyspec::GRANT_OPERATIONS.map(|operation| (operation, body(operation)));
            for (operation, body) in bodies {
                let answer = s.by(&admin, Op::CreateGrant, body);
                if fitting.contains(&operation) {
                    answer.unwrap_or_else(|error| panic!("{spec} {usage} {operation}: {error}"));
                } else {
                    assert_eq!(code(answer), "ValidationException", "{spec} {usage} {operation}");
                }
            }
        }
    }
    for (spec, usage) in [("HMAC_256", "SIGN_VERIFY"), ("RSA_2048", "KEY_AGREEMENT"), ("DES", "")] {
        let wrong = json!({ "KeySpec": spec, "KeyUsage": usage });
        assert_eq!(code(s.by(&admin, Op::CreateKey, wrong)), "ValidationException");
    }
}

/// Encryption context constraints are for symmetric encryption keys, a source ARN is for all.
#[test]
fn constraints_fit_the_kind_of_key() {
    let mut s = story();
    let admin = s.admin.caller.clone();
    for (spec, usage, operation) in [
        ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "Decrypt"),
        ("RSA_2048", "ENCRYPT_DECRYPT", "Decrypt"),
        ("HMAC_256", "GENERATE_VERIFY_MAC", "VerifyMac"),
    ] {
        let made = s.admin_does(Op::CreateKey, json!({ "KeySpec": spec, "KeyUsage": usage }));
        let source = "arn:aws:s3:us-east-1:111122223333:bucket";
        for (constraints, fits) in [
            (json!({ "EncryptionContextSubset": { "a": "1" } }), spec == "SYMMETRIC_DEFAULT"),
            (json!({ "EncryptionContextEquals": { "a": "1" } }), spec == "SYMMETRIC_DEFAULT"),
            (json!({ "SourceArn": source }), true),
        ] {
            let body = json!({
                "KeyId": made["KeyMetadata"]["Arn"], "GranteePrincipal": s.role_b.arn,
                "Operations": [operation], "Constraints": constraints,
            });
            let answer = s.by(&admin, Op::CreateGrant, body);
            assert_eq!(answer.is_ok(), fits, "{spec} {constraints}");
        }
    }
}

/// A source ARN binds calls by AWS services only, and neither DescribeKey nor RetireGrant has an
/// encryption context.
#[test]
fn what_constraints_do_not_bind() {
    let mut s = story();
    let bound = json!({
        "EncryptionContextSubset": { "a": "1" },
        "SourceArn": "arn:aws:s3:us-east-1:111122223333:bucket",
    });
    let body = with(s.terms(), "Operations", json!(["Decrypt", "DescribeKey", "RetireGrant"]));
    let body = with(body, "Constraints", bound);
    let (id, _) = create(&mut s, &body, T0).unwrap();
    let b = s.role_b.caller.clone();
    assert_eq!(decrypt(&mut s, &b, T0).unwrap_err().code, "AccessDeniedException");
    let context = json!({ "a": "1" });
    let seal = json!({ "KeyId": s.key_arn, "Plaintext": "eA==", "EncryptionContext": context });
    let sealed = s.admin_does(Op::Encrypt, seal);
    let open = json!({ "CiphertextBlob": sealed["CiphertextBlob"], "EncryptionContext": context });
    assert!(s.by(&b, Op::Decrypt, open).is_ok());
    let (describe, retire) = (json!({ "KeyId": s.key_arn }), by_id(&s, &id));
    assert!(s.by(&b, Op::DescribeKey, describe).is_ok());
    assert!(s.by(&b, Op::RetireGrant, retire).is_ok());
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
