//! KMS's word on one call, and what it means for the next step.

use serde::{Deserialize, Serialize};

/// What KMS's refusal means for the next step. Codes are mapped in `kms::classify`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// `NotFoundException`, `InvalidGrantIdException`: no such grant *here, now*; or no such key.
    NotFound,
    /// `InvalidGrantTokenException`: the token is of no use (any more); the id is.
    BadToken,
    /// Too fast, for this operation on this lane.
    Throttled,
    /// IAM or the key policy says no; or the grant is too young to be seen.
    Denied,
    /// The key is disabled, pending deletion or import, or otherwise not usable.
    KeyState,
    /// No credentials, expired ones, or ones that KMS does not know. Nothing was decided about the
    /// grant.
    Credentials,
    /// No answer, or none that can be read. Refused so: STS was silent, nothing was sent.
    Unavailable,
    /// The key holds as many grants as its quota allows.
    Quota,
    /// KMS rejects the request itself; the same request will never pass.
    Invalid,
}

/// KMS's word on one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome<T> {
    /// 200, and what it gave.
    Done(T),
    /// A definite no: nothing took effect.
    Refused(Class),
    /// It may have taken effect, now or later. Leads to looking, never to failing.
    Unknown,
}

impl<T> Outcome<T> {
    /// What it gave.
    ///
    /// # Errors
    /// Why it gave nothing, where that is all there is to tell: to a question, silence is no more
    /// than that.
    pub fn done(self) -> Result<T, Class> {
        match self {
            Self::Done(value) => Ok(value),
            Self::Refused(class) => Err(class),
            Self::Unknown => Err(Class::Unavailable),
        }
    }

    /// Why it gave nothing; `None` for a yes.
    #[must_use]
    pub const fn class(&self) -> Option<Class> {
        match self {
            Self::Done(_) => None,
            Self::Refused(class) => Some(*class),
            Self::Unknown => Some(Class::Unavailable),
        }
    }
}
