//! CreateGrant: which operations, by the kind of key.

use aws_sdk_kms::types::GrantOperation;

use crate::case::{Case, Seen};
use crate::words::Said as _;
use crate::world::World;

const API: &str = "API CreateGrantRequest$Operations";
const GUIDE: &str = "guide: grants, \"Grant operations\", by key type";
const KEM: &str =
    "API KeyUsageType ENCAPSULATE_DECAPSULATE, GrantOperation Encapsulate, Decapsulate";

pub(super) const CASES: &[Case] = &[
    Case::documented("create-grant/operations/absent", API, "ValidationException", |w| {
        w.make(w.grant().set_operations(None)).said()
    }).moto("accepted")
    .row(21),
    Case::documented("create-grant/operations/empty", API, "ValidationException", |w| {
        w.make(w.grant().set_operations(Some(Vec::new()))).said()
    }).moto("accepted")
    .row(21),
    Case::documented("create-grant/operations/unknown", API, "ValidationException", |w| {
        w.make(w.grant().operations(GrantOperation::from("Foo"))).said()
    }).moto("accepted")
    .row(21),
    Case::documented(
        "create-grant/operations/re-encrypt-is-two",
        "guide: grants: ReEncryptFrom and ReEncryptTo, no ReEncrypt",
        "ValidationException",
        |w| w.make(w.grant().operations(GrantOperation::from("ReEncrypt"))).said(),
    ).moto("accepted"),
    Case::documented("create-grant/operations/unfit-for-key", API, "ValidationException", |w| {
        w.make(w.grant().operations(GrantOperation::Sign)).said()
    }).moto("accepted")
    .row(21),
    Case::documented(
        "create-grant/operations/symmetric",
        GUIDE,
        "CreateGrant Decrypt DescribeKey Encrypt GenerateDataKey GenerateDataKeyPair \
         GenerateDataKeyPairWithoutPlaintext GenerateDataKeyWithoutPlaintext ReEncryptFrom \
         ReEncryptTo RetireGrant",
        |w| fitting(w, &["SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"]),
    ).ministack("CreateGrant Decrypt DeriveSharedSecret DescribeKey Encrypt GenerateDataKey GenerateDataKeyPair GenerateDataKeyPairWithoutPlaintext GenerateDataKeyWithoutPlaintext GetPublicKey ReEncryptFrom ReEncryptTo RetireGrant").moto("all 19"),
    Case::documented(
        "create-grant/operations/rsa-encrypt",
        GUIDE,
        "CreateGrant Decrypt DescribeKey Encrypt GetPublicKey ReEncryptFrom ReEncryptTo \
         RetireGrant",
        |w| fitting(w, &["RSA_2048", "ENCRYPT_DECRYPT"]),
    ).ministack("CreateGrant Decrypt DeriveSharedSecret DescribeKey Encrypt GenerateMac GetPublicKey ReEncryptFrom ReEncryptTo RetireGrant Sign Verify VerifyMac").moto("all 19"),
    Case::documented(
        "create-grant/operations/rsa-sign",
        GUIDE,
        "CreateGrant DescribeKey GetPublicKey RetireGrant Sign Verify",
        |w| fitting(w, &["RSA_2048", "SIGN_VERIFY"]),
    ).ministack("CreateGrant Decrypt DeriveSharedSecret DescribeKey Encrypt GenerateMac GetPublicKey ReEncryptFrom ReEncryptTo RetireGrant Sign Verify VerifyMac").moto("all 19"),
    Case::documented(
        "create-grant/operations/ecc-sign",
        GUIDE,
        "CreateGrant DescribeKey GetPublicKey RetireGrant Sign Verify",
        |w| fitting(w, &["ECC_NIST_P256", "SIGN_VERIFY"]),
    ).ministack("CreateGrant Decrypt DeriveSharedSecret DescribeKey Encrypt GenerateMac GetPublicKey ReEncryptFrom ReEncryptTo RetireGrant Sign Verify VerifyMac").moto("all 19"),
    Case::documented(
        "create-grant/operations/ed25519",
        GUIDE,
        "CreateGrant DescribeKey GetPublicKey RetireGrant Sign Verify",
        |w| fitting(w, &["ECC_NIST_EDWARDS25519", "SIGN_VERIFY"]),
    ).ministack("CreateGrant Decrypt DeriveSharedSecret DescribeKey Encrypt GenerateMac GetPublicKey ReEncryptFrom ReEncryptTo RetireGrant Sign Verify VerifyMac").moto("ValidationException"),
    Case::documented(
        "create-grant/operations/ml-dsa",
        GUIDE,
        "CreateGrant DescribeKey GetPublicKey RetireGrant Sign Verify",
        |w| fitting(w, &["ML_DSA_44", "SIGN_VERIFY"]),
    ).ministack("UnsupportedOperationException").moto("ValidationException"),
    Case::documented(
        "create-grant/operations/hmac",
        GUIDE,
        "CreateGrant DescribeKey GenerateMac RetireGrant VerifyMac",
        |w| fitting(w, &["HMAC_256", "GENERATE_VERIFY_MAC"]),
    ).moto("all 19"),
    Case::documented(
        "create-grant/operations/ecc-agreement",
        GUIDE,
        "CreateGrant DeriveSharedSecret DescribeKey GetPublicKey RetireGrant",
        |w| fitting(w, &["ECC_NIST_P256", "KEY_AGREEMENT"]),
    ).ministack("CreateGrant Decrypt DeriveSharedSecret DescribeKey Encrypt GenerateMac GetPublicKey ReEncryptFrom ReEncryptTo RetireGrant Sign Verify VerifyMac").moto("all 19"),
    Case::documented(
        "create-grant/operations/sm2-encrypt",
        GUIDE,
        "CreateGrant Decrypt DescribeKey Encrypt GetPublicKey ReEncryptFrom ReEncryptTo \
         RetireGrant",
        |w| fitting(w, &["SM2", "ENCRYPT_DECRYPT"]),
    ).ministack("UnsupportedOperationException").moto("all 19"),
    Case::documented(
        "create-grant/operations/sm2-sign",
        GUIDE,
        "CreateGrant DescribeKey GetPublicKey RetireGrant Sign Verify",
        |w| fitting(w, &["SM2", "SIGN_VERIFY"]),
    ).ministack("UnsupportedOperationException").moto("all 19"),
    Case::documented(
        "create-grant/operations/sm2-agreement",
        GUIDE,
        "CreateGrant DeriveSharedSecret DescribeKey GetPublicKey RetireGrant",
        |w| fitting(w, &["SM2", "KEY_AGREEMENT"]),
    ).ministack("UnsupportedOperationException").moto("all 19"),
    Case::documented(
        "create-grant/operations/ml-kem",
        KEM,
        "CreateGrant Decapsulate DescribeKey Encapsulate GetPublicKey RetireGrant",
        |w| fitting(w, &["ML_KEM_768", "ENCAPSULATE_DECAPSULATE"]),
    ).ministack("UnsupportedOperationException").moto("ValidationException"),
];

/// The operations that a grant on such a key may give: each is tried alone.
fn fitting(w: &World, kind: &[&str]) -> Seen {
    let key = w.new_key(kind)?;
    let mut names = GrantOperation::values().to_vec();
    names.sort_unstable();
    let mut fitting = Vec::new();
    for name in &names {
        let only = Some(vec![GrantOperation::from(*name)]);
        match w.make(w.grant().key_id(&key).set_operations(only)) {
            Ok(_) => fitting.push(*name),
            Err(refused) if refused.code.as_deref() == Some("ValidationException") => {}
            Err(other) => return Err(other),
        }
    }
    let all = fitting.len() == names.len();
    Ok(if all { "all 19".to_owned() } else { fitting.join(" ") })
}
