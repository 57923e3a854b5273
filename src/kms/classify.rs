//! What an error of KMS or STS means for the next step. Pure: codes and HTTP status in, [`Outcome`]
//! out.
//!
//! Two rules. *A definite no needs a word that we know came from AWS*: a 4xx answer with an error
//! code. Everything else (a reset, a time-out, any 5xx, an answer that cannot be read) is
//! [`Outcome::Unknown`] and leads to looking. *Texts are for people*: only the code decides
//! (kms-facts 3).

use crate::rules::life::{Class, Outcome};

/// How a call failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble<'a> {
    /// The request could not be built; nothing was sent.
    Misbuilt,
    /// There were no credentials to sign it with; nothing was sent.
    NoCredentials,
    /// Whoever gives the credentials to sign it with (STS, mostly) did not answer; nothing was
    /// sent.
    Unfetched,
    /// It was sent, or may have been, and no answer came.
    Silent,
    /// An answer came that is no answer of KMS: bad JSON, a web page, a success without its
    /// content.
    Unreadable,
    /// KMS answered with an error.
    Error {
        /// The HTTP status.
        status: u16,
        /// The error code, without namespace; `None` when the answer names none.
        code: Option<&'a str>,
    },
}

/// What `trouble` means for the next step.
#[must_use]
pub fn outcome<T>(trouble: Trouble<'_>) -> Outcome<T> {
    match trouble {
        Trouble::Misbuilt => Outcome::Refused(Class::Invalid),
        Trouble::NoCredentials => Outcome::Refused(Class::Credentials),
        Trouble::Unfetched => Outcome::Refused(Class::Unavailable),
        Trouble::Silent | Trouble::Unreadable => Outcome::Unknown,
        Trouble::Error { status, code } => answered(status, code),
    }
}

/// Only 4xx is a definite no. Without a code it may be the word of a proxy, after it had passed the
/// request on.
fn answered<T>(status: u16, code: Option<&str>) -> Outcome<T> {
    let Some(code) = code.filter(|_| (400..500).contains(&status)) else {
        return Outcome::Unknown;
    };
    match CODES.iter().find(|(known, _)| *known == code) {
        Some((_, Some(class))) => Outcome::Refused(*class),
        Some((_, None)) => Outcome::Unknown,
        // A code that we do not know, yet AWS's own word: the status says whose fault it is.
        None => Outcome::Refused(match status {
            401 => Class::Credentials,
            403 => Class::Denied,
            429 => Class::Throttled,
            _ => Class::Invalid,
        }),
    }
}

/// Every code of the KMS operations that grantd uses (botocore 1.44.5), the unmodelled ones that
/// AWS returns with any operation (kms-facts 1 and 3), STS's, and the SDK's own list of throttling
/// codes (aws-runtime 1.10). `None`: an error of the service, after which nobody knows; some
/// servers send these as 400 (lab E).
const CODES: &[(&str, Option<Class>)] = &[
    ("NotFoundException", Some(Class::NotFound)),
    ("InvalidGrantIdException", Some(Class::NotFound)),
    ("InvalidGrantTokenException", Some(Class::BadToken)),
    ("LimitExceededException", Some(Class::Quota)),
    ("DisabledException", Some(Class::KeyState)),
    ("KMSInvalidStateException", Some(Class::KeyState)),
    ("KeyUnavailableException", Some(Class::KeyState)),
    ("CustomKeyStoreInvalidStateException", Some(Class::KeyState)),
    ("CloudHsmClusterInvalidConfigurationException", Some(Class::KeyState)),
    ("InvalidArnException", Some(Class::Invalid)),
    ("InvalidMarkerException", Some(Class::Invalid)),
    ("InvalidKeyUsageException", Some(Class::Invalid)),
    ("UnsupportedOperationException", Some(Class::Invalid)),
    ("DryRunOperationException", Some(Class::Invalid)),
    ("ValidationException", Some(Class::Invalid)),
    ("ValidationError", Some(Class::Invalid)),
    ("SerializationException", Some(Class::Invalid)),
    ("UnknownOperationException", Some(Class::Invalid)),
    ("InvalidAction", Some(Class::Invalid)),
    ("AccessDeniedException", Some(Class::Denied)),
    ("AccessDenied", Some(Class::Denied)),
    ("NotAuthorized", Some(Class::Denied)),
    ("UnauthorizedOperation", Some(Class::Denied)),
    ("OptInRequired", Some(Class::Denied)),
    ("ExpiredToken", Some(Class::Credentials)),
    ("ExpiredTokenException", Some(Class::Credentials)),
    ("TokenRefreshRequired", Some(Class::Credentials)),
    ("InvalidToken", Some(Class::Credentials)),
    ("UnrecognizedClientException", Some(Class::Credentials)),
    ("InvalidClientTokenId", Some(Class::Credentials)),
    ("InvalidAccessKeyId", Some(Class::Credentials)),
    ("MissingAuthenticationToken", Some(Class::Credentials)),
    ("MissingAuthenticationTokenException", Some(Class::Credentials)),
    ("IncompleteSignature", Some(Class::Credentials)),
    ("IncompleteSignatureException", Some(Class::Credentials)),
    ("SignatureDoesNotMatch", Some(Class::Credentials)),
    ("InvalidSignatureException", Some(Class::Credentials)),
    ("AuthFailure", Some(Class::Credentials)),
    ("RequestExpired", Some(Class::Credentials)),
    ("RequestTimeTooSkewed", Some(Class::Credentials)),
    ("RegionDisabledException", Some(Class::Credentials)),
    ("Throttling", Some(Class::Throttled)),
    ("ThrottlingException", Some(Class::Throttled)),
    ("ThrottledException", Some(Class::Throttled)),
    ("RequestThrottled", Some(Class::Throttled)),
    ("RequestThrottledException", Some(Class::Throttled)),
    ("TooManyRequestsException", Some(Class::Throttled)),
    ("ProvisionedThroughputExceededException", Some(Class::Throttled)),
    ("TransactionInProgressException", Some(Class::Throttled)),
    ("RequestLimitExceeded", Some(Class::Throttled)),
    ("BandwidthLimitExceeded", Some(Class::Throttled)),
    ("PriorRequestNotComplete", Some(Class::Throttled)),
    ("EC2ThrottledException", Some(Class::Throttled)),
    ("SlowDown", Some(Class::Throttled)),
    ("DependencyTimeoutException", None),
    ("KMSInternalException", None),
    ("InternalFailure", None),
    ("InternalError", None),
    ("InternalServerError", None),
    ("InternalServiceError", None),
    ("InternalServiceException", None),
    ("ServiceUnavailable", None),
    ("ServiceUnavailableException", None),
    ("RequestTimeout", None),
    ("RequestTimeoutException", None),
];

#[cfg(test)]
mod tests;
