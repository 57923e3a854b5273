//! The names of things, parsed once at the edge and never again.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::rng::Rng;

/// Why a text is not the identifier it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {wanted}")]
pub struct BadId {
    /// What was given.
    pub text: String,
    /// What would have been right, as a noun phrase with an example.
    pub wanted: &'static str,
}

/// A newtype over `String`, made only by a checking `parse`; serde goes through that check too.
macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $wanted:expr, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Check and take `text`.
            ///
            /// # Errors
            /// [`BadId`] with what would have been right.
            pub fn parse(text: impl Into<String>) -> Result<Self, BadId> {
                let text = text.into();
                match ($check)(text.as_str()) {
                    true => Ok(Self(text)),
                    false => Err(BadId { text, wanted: $wanted }),
                }
            }

            /// The text as it was parsed.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadId;
            fn try_from(text: String) -> Result<Self, BadId> {
                Self::parse(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
    };
}

id!(
    /// An AWS account: twelve digits.
    AccountId,
    "an AWS account id (12 digits, such as 111122223333)",
    |t: &str| t.len() == 12 && t.bytes().all(|b| b.is_ascii_digit())
);
id!(
    /// An AWS Region code. Not checked against a list: AWS adds Regions faster than we release.
    Region,
    "an AWS Region (such as ap-northeast-1)",
    |t: &str| {
        (3..=32).contains(&t.len())
            && t.contains('-')
            && t.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    }
);
id!(
    /// The ARN of a KMS key. The whole ARN is the identity: an `mrk-` id exists in several Regions.
    KeyArn,
    "a KMS key ARN (arn:aws:kms:REGION:ACCOUNT:key/ID)",
    |t: &str| key_arn_parts(t).is_some()
);
id!(
    /// KMS's id of a grant: 1 to 128 characters (botocore kms shape `GrantIdType`).
    GrantId,
    "a KMS grant id (1 to 128 letters and digits)",
    |t: &str| {
        (1..=128).contains(&t.len())
            && t.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    }
);
id!(
    /// A principal as KMS writes it: an ARN, or, once the principal is gone, its unique id.
    /// 1 to 256 of `[\w+=,.@:/-]` (botocore kms shape `PrincipalIdType`).
    Principal,
    "a principal ARN (such as arn:aws:iam::111122223333:role/RoleB)",
    |t: &str| {
        (1..=256).contains(&t.len())
            && t.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+=,.@:/-".contains(&b))
    }
);
id!(
    /// The ref of a lease: `g-` and 12 lower-case Crockford base-32 characters.
    Ref,
    "a lease ref (g- and 12 characters, such as g-7k2m9x4p1q8z)",
    |t: &str| t.strip_prefix("g-").is_some_and(|r| r.len() == 12 && r.bytes().all(is_crockford))
);
id!(
    /// The group of hosts that stand in for each other; a part of every Name.
    Group,
    "a group (1 to 32 of a-z, 0-9 and -, such as prod)",
    |t: &str| {
        (1..=32).contains(&t.len())
            && t.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    }
);

const CROCKFORD: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

fn is_crockford(b: u8) -> bool {
    CROCKFORD.contains(&b)
}

/// `(partition, region, account, key id)` of a well-formed key ARN.
fn key_arn_parts(text: &str) -> Option<(&str, &str, &str, &str)> {
    let mut parts = text.splitn(6, ':');
    let (arn, partition, kms) = (parts.next()?, parts.next()?, parts.next()?);
    let (region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
    let id = resource.strip_prefix("key/")?;
    let well_formed = arn == "arn"
        && partition.starts_with("aws")
        && kms == "kms"
        && Region::parse(region).is_ok()
        && AccountId::parse(account).is_ok()
        && (1..=128).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    well_formed.then_some((partition, region, account, id))
}

impl KeyArn {
    fn parts(&self) -> (&str, &str, &str, &str) {
        key_arn_parts(&self.0).unwrap_or(("", "", "", ""))
    }

    /// Such as `aws` or `aws-cn`.
    #[must_use]
    pub fn partition(&self) -> &str {
        self.parts().0
    }

    /// The Region whose endpoint knows this key.
    #[must_use]
    pub fn region(&self) -> &str {
        self.parts().1
    }

    /// The account that owns the key (not always the account that issues the grant).
    #[must_use]
    pub fn account(&self) -> &str {
        self.parts().2
    }

    /// The bare key id: a UUID or `mrk-…`.
    #[must_use]
    pub fn key_id(&self) -> &str {
        self.parts().3
    }
}

impl Principal {
    /// The last piece of the ARN (`RoleB` of `arn:aws:iam::111122223333:role/RoleB`), for tables.
    #[must_use]
    pub fn short(&self) -> &str {
        self.0.rsplit(['/', ':']).next().unwrap_or(&self.0)
    }

    /// KMS shows the unique id (`AROA…`, `AIDA…`) in place of an ARN whose principal is gone, and
    /// for about a minute after it was created (kms-facts 2).
    #[must_use]
    pub fn is_unique_id(&self) -> bool {
        self.0.starts_with("AROA") || self.0.starts_with("AIDA")
    }
}

impl Ref {
    /// A new ref: 60 random bits, so that two hosts of a group never meet by chance.
    pub fn random(rng: &dyn Rng) -> Self {
        Self::of_bits(rng.next_u64())
    }

    /// The ref that the lowest 60 of these bits spell.
    pub fn of_bits(bits: u64) -> Self {
        let text = (0..12u32).map(|i| {
            let five = usize::try_from((bits >> (5 * i)) & 31).unwrap_or(0);
            char::from(CROCKFORD[five])
        });
        Self(["g-".to_owned(), text.collect()].concat())
    }
}

#[cfg(test)]
mod tests;
