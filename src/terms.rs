//! What a grant gives: operations, constraints, and the CreateGrant request as it is stored and
//! sent.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ids::{KeyArn, Principal};

macro_rules! operations {
    ($($name:ident),* $(,)?) => {
        /// A grant operation (botocore 1.44.5, kms shape `GrantOperation`: 19 values).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Operation { $(#[doc = concat!("`kms:", stringify!($name), "`.")] $name),* }

        impl Operation {
            /// Every operation, in the order of the model.
            pub const ALL: &'static [Operation] = &[$(Operation::$name),*];

            /// The name that KMS uses.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),* }
            }
        }
    };
}

operations!(
    Decrypt,
    Encrypt,
    GenerateDataKey,
    GenerateDataKeyWithoutPlaintext,
    ReEncryptFrom,
    ReEncryptTo,
    Sign,
    Verify,
    GetPublicKey,
    CreateGrant,
    RetireGrant,
    DescribeKey,
    GenerateDataKeyPair,
    GenerateDataKeyPairWithoutPlaintext,
    GenerateMac,
    VerifyMac,
    DeriveSharedSecret,
    Encapsulate,
    Decapsulate,
);

impl Operation {
    /// With it, access can outlive the lease: the grantee may make grants of his own, or end this
    /// one unseen.
    #[must_use]
    pub const fn redelegates(self) -> bool {
        matches!(self, Self::CreateGrant | Self::RetireGrant)
    }

    /// What reading an object takes: S3's GetObject needs Decrypt, and programs ask what key it is
    /// (kms-facts 10).
    pub const READ: &'static [Self] = &[Self::Decrypt, Self::DescribeKey];
    /// What writing one takes: PutObject needs GenerateDataKey, and a multipart upload Decrypt for
    /// its own parts (kms-facts 10). So who may write may read.
    pub const WRITE: &'static [Self] = &[Self::Decrypt, Self::GenerateDataKey, Self::DescribeKey];

    /// The operations that a word means: one by KMS's name, or the group `read` or `write`.
    #[must_use]
    pub fn named(word: &str) -> Option<&'static [Self]> {
        match word {
            "read" => Some(Self::READ),
            "write" => Some(Self::WRITE),
            name => Self::ALL.iter().find(|op| op.as_str() == name).map(std::slice::from_ref),
        }
    }

    /// What to write in place of `text`, which is no operation: the one that was probably meant, or
    /// all of them.
    #[must_use]
    pub fn advice(text: &str) -> String {
        let name = text.strip_prefix("kms:").unwrap_or(text);
        if name.trim_end_matches('*').eq_ignore_ascii_case("ReEncrypt") {
            return "KMS splits it: ReEncryptFrom and ReEncryptTo".to_owned();
        }
        let groups = ["read", "write"].into_iter();
        let all = || groups.clone().chain(Self::ALL.iter().map(|op| op.as_str()));
        let same = all().find(|known| known.eq_ignore_ascii_case(name));
        match same.or_else(|| nearest(name, all())) {
            Some(near) => format!("did you mean {near:?}?"),
            None => format!("it takes {}", all().collect::<Vec<_>>().join(", ")),
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no grant operation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a grant operation (such as Decrypt or GenerateDataKey) nor a group (read, write)"
)]
pub struct UnknownOperation(pub String);

impl FromStr for Operation {
    type Err = UnknownOperation;

    fn from_str(text: &str) -> Result<Self, UnknownOperation> {
        let found = Self::ALL.iter().find(|op| op.as_str() == text);
        found.copied().ok_or_else(|| UnknownOperation(text.to_owned()))
    }
}

/// The encryption context that every use of the grant must show. KMS takes one kind or the other,
/// never both (kms-facts 1); it holds at most 8 pairs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Constraints {
    /// No constraint: any encryption context, or none.
    #[default]
    None,
    /// The context contains at least these pairs.
    Subset(BTreeMap<String, String>),
    /// The context is exactly these pairs.
    Equals(BTreeMap<String, String>),
}

impl Constraints {
    /// On the wire, none is `null`.
    ///
    /// # Errors
    /// The serializer's.
    pub(crate) fn to_wire<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let some = Some(self).filter(|constraints| **constraints != Self::None);
        some.serialize(to)
    }

    /// The other way: `null` is none, and so is the word.
    ///
    /// # Errors
    /// The deserializer's.
    pub(crate) fn from_wire<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Option::<Self>::deserialize(from)?.unwrap_or_default())
    }
}

/// How many leases of a policy may live at once: made, and their end not yet accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiveMax {
    /// Of all askers together.
    pub policy: u32,
    /// Of one asker, by his uid.
    pub asker: u32,
}

/// A CreateGrant request, stored before it is sent and replayed to the letter: the same Name with
/// anything else different would be a second grant (kms-facts 1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantRequest {
    /// The whole ARN, never an alias: CreateGrant takes none.
    pub key_arn: KeyArn,
    /// Who gets access.
    pub grantee: Principal,
    /// Sorted and without repeats, since it is unconfirmed whether KMS sees a reordering as the
    /// same request.
    pub operations: Vec<Operation>,
    /// grantd's own role: it may retire the grant with no further permission.
    pub retiring_principal: Principal,
    /// The encryption context that every use must show.
    pub constraints: Constraints,
    /// `grantd/<group>/<ref>/<serial>/<deadline>`: the idempotency key and the deadline's second
    /// home.
    pub name: String,
}

/// The word that was probably meant: at most one change in every three characters.
pub(crate) fn nearest<'w>(word: &str, words: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    // The distance takes quadratic time, and a word of kilobytes is no typing error.
    const WORD_MAX: usize = 64;
    let length = word.chars().count();
    if length > WORD_MAX {
        return None;
    }
    let allowed = (length / 3).max(1);
    words
        .map(|known| (strsim::damerau_levenshtein(word, known), known))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}
