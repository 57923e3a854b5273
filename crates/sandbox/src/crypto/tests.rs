use super::*;
use crate::testing::{code, story, with};

#[test]
fn a_ciphertext_opens_with_its_key_and_context_only() {
    let mut s = story();
    let admin = s.admin.caller.clone();
    let other = s.admin_does(Op::CreateKey, json!({}))["KeyMetadata"]["Arn"].clone();
    let context = json!({ "a": "1", "b": "2" });
    let seal = json!({ "KeyId": s.alias, "Plaintext": "eHl6", "EncryptionContext": context });
    let sealed = s.admin_does(Op::Encrypt, seal);
    assert_eq!(sealed["KeyId"], json!(s.key_arn));
    let open = json!({ "CiphertextBlob": sealed["CiphertextBlob"], "EncryptionContext": context });
    assert_eq!(s.admin_does(Op::Decrypt, open.clone())["Plaintext"], json!("eHl6"));
    let named = with(open.clone(), "KeyId", json!(s.alias));
    assert_eq!(s.admin_does(Op::Decrypt, named)["Plaintext"], json!("eHl6"));
    let blob =
        STANDARD.decode(sealed["CiphertextBlob"].as_str().unwrap_or_default()).expect("base64");
    let mut bent = blob.clone();
    if let Some(last) = bent.last_mut() {
        *last ^= 1;
    }
    for (body, wanted) in [
        (
            with(open.clone(), "EncryptionContext", json!({ "a": "1" })),
            "InvalidCiphertextException",
        ),
        (
            with(open.clone(), "CiphertextBlob", json!(STANDARD.encode(bent))),
            "InvalidCiphertextException",
        ),
        (
            with(open.clone(), "CiphertextBlob", json!(STANDARD.encode(&blob[..9]))),
            "InvalidCiphertextException",
        ),
        (with(open.clone(), "CiphertextBlob", json!("%%")), "SerializationException"),
        (with(open.clone(), "CiphertextBlob", Value::Null), "ValidationException"),
        (with(open.clone(), "KeyId", other), "IncorrectKeyException"),
        (with(open.clone(), "DryRun", json!(true)), "DryRunOperationException"),
        (with(open, "GrantTokens", json!(["bogus"])), "InvalidGrantTokenException"),
    ] {
        assert_eq!(code(s.by(&admin, Op::Decrypt, body.clone())), wanted, "{body}");
    }
}

#[test]
fn data_keys_have_the_length_that_was_asked_for() {
    let mut s = story();
    let admin = s.admin.caller.clone();
    for (member, value, length) in [
        ("KeySpec", json!("AES_128"), 16),
        ("KeySpec", json!("AES_256"), 32),
        ("NumberOfBytes", json!(100), 100),
    ] {
        let body = with(json!({ "KeyId": s.key_arn }), member, value);
        let made = s.admin_does(Op::GenerateDataKey, body);
        let plain =
            STANDARD.decode(made["Plaintext"].as_str().unwrap_or_default()).expect("base64");
        assert_eq!(plain.len(), length);
        let opened = s.admin_does(Op::Decrypt, json!({ "CiphertextBlob": made["CiphertextBlob"] }));
        assert_eq!(opened["Plaintext"], made["Plaintext"]);
    }
    let neither = json!({ "KeyId": s.key_arn });
    assert_eq!(code(s.by(&admin, Op::GenerateDataKey, neither)), "ValidationException");
    let hidden = json!({ "KeyId": s.key_arn, "KeySpec": "AES_256" });
    let made = s.admin_does(Op::GenerateDataKeyWithoutPlaintext, hidden);
    assert!(made.get("Plaintext").is_none());
}

#[test]
fn a_grant_gives_its_operations_and_no_other() {
    let mut s = story();
    let b = s.role_b.caller.clone();
    s.admin_does(
        Op::CreateGrant,
        with(s.terms(), "Operations", json!(["Encrypt", "GenerateDataKey"])),
    );
    let seal = json!({ "KeyId": s.key_arn, "Plaintext": "eA==" });
    let sealed = s.by(&b, Op::Encrypt, seal).expect("granted");
    assert!(
        s.by(&b, Op::GenerateDataKey, json!({ "KeyId": s.key_arn, "NumberOfBytes": 8 })).is_ok()
    );
    let hidden = json!({ "KeyId": s.key_arn, "NumberOfBytes": 8 });
    let refused = s.by(&b, Op::GenerateDataKeyWithoutPlaintext, hidden);
    assert_eq!(code(refused), "AccessDeniedException");
    let open = json!({ "CiphertextBlob": sealed["CiphertextBlob"] });
    assert_eq!(code(s.by(&b, Op::Decrypt, open)), "AccessDeniedException");
}

#[test]
fn asymmetric_keys_have_no_cryptography_here() {
    let mut s = story();
    let rsa = json!({ "KeySpec": "RSA_2048", "KeyUsage": "ENCRYPT_DECRYPT" });
    let arn = s.admin_does(Op::CreateKey, rsa)["KeyMetadata"]["Arn"].clone();
    let (admin, seal) = (s.admin.caller.clone(), json!({ "KeyId": arn, "Plaintext": "eA==" }));
    assert_eq!(code(s.by(&admin, Op::Encrypt, seal)), "UnsupportedOperationException");
}

#[test]
fn re_encrypt_opens_with_one_key_and_seals_with_another() {
    let mut s = story();
    let other = s.admin_does(Op::CreateKey, json!({}))["KeyMetadata"]["Arn"].clone();
    let (from, to) = (json!({ "a": "1" }), json!({ "b": "2" }));
    let seal = json!({ "KeyId": s.key_arn, "Plaintext": "eHl6", "EncryptionContext": from });
    let sealed = s.admin_does(Op::Encrypt, seal)["CiphertextBlob"].clone();
    let ask = json!({
        "CiphertextBlob": sealed, "SourceEncryptionContext": from,
        "DestinationKeyId": other, "DestinationEncryptionContext": to,
    });
    let admin = s.admin.caller.clone();
    let made = s.admin_does(Op::ReEncrypt, ask.clone());
    assert_eq!((&made["SourceKeyId"], &made["KeyId"]), (&json!(s.key_arn), &other));
    let open = json!({ "CiphertextBlob": made["CiphertextBlob"], "EncryptionContext": to });
    assert_eq!(s.admin_does(Op::Decrypt, open)["Plaintext"], json!("eHl6"));
    for (member, value, wanted) in [
        ("SourceEncryptionContext", json!({}), "InvalidCiphertextException"),
        ("SourceKeyId", other.clone(), "IncorrectKeyException"),
        ("CiphertextBlob", Value::Null, "ValidationException"),
        ("CiphertextBlob", json!("eHl6"), "InvalidCiphertextException"),
        ("DestinationKeyId", Value::Null, "ValidationException"),
        ("DestinationEncryptionAlgorithm", json!("RSAES_OAEP_SHA_1"), "ValidationException"),
        ("DryRun", json!(true), "DryRunOperationException"),
    ] {
        let answer = s.by(&admin, Op::ReEncrypt, with(ask.clone(), member, value.clone()));
        assert_eq!(code(answer), wanted, "{member}: {value}");
    }
}

/// Each half is an operation of its own in a grant, bound by the context of its own side.
#[test]
fn grants_give_re_encrypt_by_halves() {
    let mut s = story();
    let (b, context) = (s.role_b.caller.clone(), json!({ "a": "1" }));
    let seal = json!({ "KeyId": s.key_arn, "Plaintext": "eHl6", "EncryptionContext": context });
    let sealed = s.admin_does(Op::Encrypt, seal)["CiphertextBlob"].clone();
    let ask = json!({
        "CiphertextBlob": sealed, "SourceEncryptionContext": context, "DestinationKeyId": s.alias,
    });
    let bound = json!({ "EncryptionContextSubset": context });
    let half = |op: &str, name: &str, bound: &Value| {
        let body = with(s.terms(), "Operations", json!([op]));
        with(with(body, "Name", json!(name)), "Constraints", bound.clone())
    };
    let (from, to) = (half("ReEncryptFrom", "1", &bound), half("ReEncryptTo", "2", &bound));
    let free = half("ReEncryptTo", "3", &Value::Null);
    s.admin_does(Op::CreateGrant, from);
    let refused = s.by(&b, Op::ReEncrypt, ask.clone()).expect_err("the other half is missing");
    assert!(refused.message.contains("kms:ReEncryptTo"), "{}", refused.message);
    s.admin_does(Op::CreateGrant, to);
    assert_eq!(code(s.by(&b, Op::ReEncrypt, ask.clone())), "AccessDeniedException");
    s.admin_does(Op::CreateGrant, free);
    assert!(s.by(&b, Op::ReEncrypt, ask).is_ok());
}
