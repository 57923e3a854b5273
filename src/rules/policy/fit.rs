//! Which operations a key can do (kms-facts 1, after the KMS developer guide's table of grant
//! operations).

use crate::kms::KeyFacts;
use crate::terms::{Constraints, Operation};

use Operation as Op;

const SYMMETRIC: &[Op] = &[
    Op::Decrypt,
    Op::Encrypt,
    Op::GenerateDataKey,
    Op::GenerateDataKeyWithoutPlaintext,
    Op::ReEncryptFrom,
    Op::ReEncryptTo,
    Op::GenerateDataKeyPair,
    Op::GenerateDataKeyPairWithoutPlaintext,
];
const ASYMMETRIC: &[Op] =
    &[Op::Decrypt, Op::Encrypt, Op::ReEncryptFrom, Op::ReEncryptTo, Op::GetPublicKey];
const SIGN: &[Op] = &[Op::Sign, Op::Verify, Op::GetPublicKey];
const MAC: &[Op] = &[Op::GenerateMac, Op::VerifyMac];
const AGREE: &[Op] = &[Op::GetPublicKey, Op::DeriveSharedSecret];
const ENCAPSULATE: &[Op] = &[Op::GetPublicKey, Op::Encapsulate, Op::Decapsulate];
const ANY: &[Op] = &[Op::CreateGrant, Op::RetireGrant, Op::DescribeKey];

/// Pairs of one constraint (kms-facts 1).
pub const CONTEXT_PAIRS_MAX: usize = 8;
/// Characters of a value in a constraint (kms-facts 1).
pub const CONTEXT_VALUE_MAX: usize = 384;

/// What the type of `key` can do, beside what every key can; `None` for a type that we do not know:
/// KMS will tell.
fn by_type(key: &KeyFacts) -> Option<&'static [Op]> {
    match (key.usage.as_str(), key.spec.as_str()) {
        ("ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT") => Some(SYMMETRIC),
        ("ENCRYPT_DECRYPT", _) => Some(ASYMMETRIC),
        ("SIGN_VERIFY", _) => Some(SIGN),
        ("GENERATE_VERIFY_MAC", _) => Some(MAC),
        ("KEY_AGREEMENT", _) => Some(AGREE),
        ("ENCAPSULATE_DECAPSULATE", _) => Some(ENCAPSULATE),
        _ => None,
    }
}

/// The operations among `asked` that the type of `key` lacks, and those that it has; `None` where
/// it lacks none.
#[must_use]
pub fn unfit(key: &KeyFacts, asked: &[Op]) -> Option<(Vec<Op>, Vec<Op>)> {
    let known = by_type(key)?;
    let fits = |op: &Op| known.contains(op) || ANY.contains(op);
    let lacking: Vec<_> = asked.iter().copied().filter(|op| !fits(op)).collect();
    let can = Op::ALL.iter().copied().filter(fits).collect();
    (!lacking.is_empty()).then_some((lacking, can))
}

/// Why KMS would refuse `constraints` on this key.
pub(super) fn unfit_context(key: &KeyFacts, constraints: &Constraints) -> Option<String> {
    let pairs = match constraints {
        Constraints::None => return None,
        Constraints::Subset(pairs) | Constraints::Equals(pairs) => pairs,
    };
    if key.spec != "SYMMETRIC_DEFAULT" {
        let spec = &key.spec;
        return Some(format!("a {spec} key has no encryption context to constrain"));
    }
    if pairs.is_empty() {
        return Some("the encryption context has no pair".to_owned());
    }
    if pairs.len() > CONTEXT_PAIRS_MAX {
        let n = pairs.len();
        return Some(format!("{n} pairs of encryption context are above {CONTEXT_PAIRS_MAX}"));
    }
    pairs.iter().find_map(|(name, value)| {
        let length = value.chars().count();
        if name.is_empty() {
            Some("a pair of the encryption context has no name".to_owned())
        } else if name.chars().count() > CONTEXT_VALUE_MAX {
            Some(format!(
                "a name in the encryption context is above {CONTEXT_VALUE_MAX} characters"
            ))
        } else if length > CONTEXT_VALUE_MAX {
            let text = "characters of the encryption context's";
            Some(format!("{length} {text} {name:?} are above {CONTEXT_VALUE_MAX}"))
        } else {
            None
        }
    })
}
