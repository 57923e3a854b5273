//! Key specs, key usages, and the grant operations that fit them (kms-facts 1, the table by key
//! type).

/// Every `GrantOperation` of the model.
pub(crate) const GRANT_OPERATIONS: [&str; 19] = [
    "Decrypt",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "ReEncryptFrom",
    "ReEncryptTo",
    "Sign",
    "Verify",
    "GetPublicKey",
    "CreateGrant",
    "RetireGrant",
    "DescribeKey",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
    "GenerateMac",
    "VerifyMac",
    "DeriveSharedSecret",
    "Encapsulate",
    "Decapsulate",
];

/// Every `KeySpec` of the model with the usages that it can have; the first is the default where
/// there is one.
const SPECS: [(&str, &[&str]); 20] = [
    ("SYMMETRIC_DEFAULT", &["ENCRYPT_DECRYPT"]),
    ("RSA_2048", &["SIGN_VERIFY", "ENCRYPT_DECRYPT"]),
    ("RSA_3072", &["SIGN_VERIFY", "ENCRYPT_DECRYPT"]),
    ("RSA_4096", &["SIGN_VERIFY", "ENCRYPT_DECRYPT"]),
    ("ECC_NIST_P256", &["SIGN_VERIFY", "KEY_AGREEMENT"]),
    ("ECC_NIST_P384", &["SIGN_VERIFY", "KEY_AGREEMENT"]),
    ("ECC_NIST_P521", &["SIGN_VERIFY", "KEY_AGREEMENT"]),
    ("ECC_SECG_P256K1", &["SIGN_VERIFY"]),
    ("ECC_NIST_EDWARDS25519", &["SIGN_VERIFY"]),
    ("HMAC_224", &["GENERATE_VERIFY_MAC"]),
    ("HMAC_256", &["GENERATE_VERIFY_MAC"]),
    ("HMAC_384", &["GENERATE_VERIFY_MAC"]),
    ("HMAC_512", &["GENERATE_VERIFY_MAC"]),
    ("SM2", &["SIGN_VERIFY", "ENCRYPT_DECRYPT", "KEY_AGREEMENT"]),
    ("ML_DSA_44", &["SIGN_VERIFY"]),
    ("ML_DSA_65", &["SIGN_VERIFY"]),
    ("ML_DSA_87", &["SIGN_VERIFY"]),
    ("ML_KEM_512", &["ENCAPSULATE_DECAPSULATE"]),
    ("ML_KEM_768", &["ENCAPSULATE_DECAPSULATE"]),
    ("ML_KEM_1024", &["ENCAPSULATE_DECAPSULATE"]),
];

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeySpec {
    pub(crate) spec: &'static str,
    pub(crate) usage: &'static str,
}

impl KeySpec {
    /// `None` if there is no such spec, or it cannot have this usage.
    pub(crate) fn find(spec: &str, usage: &str) -> Option<Self> {
        let (spec, usages) = SPECS.iter().find(|(name, _)| *name == spec)?;
        let usage = usages.iter().find(|u| **u == usage)?;
        Some(Self { spec, usage })
    }

    pub(crate) fn is_symmetric(self) -> bool {
        self.spec == "SYMMETRIC_DEFAULT"
    }

    /// The operations a grant on such a key may give.
    pub(crate) fn grantable(self, operation: &str) -> bool {
        let fitting: &[&str] = match (self.is_symmetric(), self.usage) {
            (true, _) => &[
                "Encrypt",
                "Decrypt",
                "GenerateDataKey",
                "GenerateDataKeyWithoutPlaintext",
                "GenerateDataKeyPair",
                "GenerateDataKeyPairWithoutPlaintext",
                "ReEncryptFrom",
                "ReEncryptTo",
            ],
            (false, "ENCRYPT_DECRYPT") => {
                &["Encrypt", "Decrypt", "ReEncryptFrom", "ReEncryptTo", "GetPublicKey"]
            }
            (false, "SIGN_VERIFY") => &["Sign", "Verify", "GetPublicKey"],
            (false, "GENERATE_VERIFY_MAC") => &["GenerateMac", "VerifyMac"],
            (false, "KEY_AGREEMENT") => &["DeriveSharedSecret", "GetPublicKey"],
            (false, _) => &["Encapsulate", "Decapsulate", "GetPublicKey"],
        };
        matches!(operation, "CreateGrant" | "RetireGrant" | "DescribeKey")
            || fitting.contains(&operation)
    }
}
