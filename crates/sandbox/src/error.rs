//! What KMS says when it says no.

/// A refusal or failure as it goes over the wire: `__type`, `message` and the HTTP status.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct KmsError {
    /// The exception's name, such as `AccessDeniedException`.
    pub code: String,
    /// AWS-like wording; no client may parse it.
    pub message: String,
    /// HTTP status: 400 for refusals of the JSON protocol, 403 for those of STS, 500 for failures.
    pub status: u16,
}

impl KmsError {
    /// A refusal: HTTP 400, as for every modelled exception of KMS but the internal ones.
    #[must_use]
    pub fn refusal(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), status: 400 }
    }

    /// A refusal of STS, whose query protocol uses HTTP 403 for everything about identity.
    #[must_use]
    pub fn forbidden(code: &str, message: impl Into<String>) -> Self {
        Self { status: 403, ..Self::refusal(code, message) }
    }

    /// A failure on the server's side (HTTP 500): the caller cannot know whether it took effect.
    #[must_use]
    pub fn failure(code: &str, message: impl Into<String>) -> Self {
        Self { status: 500, ..Self::refusal(code, message) }
    }

    /// The request rate quota is used up (kms-facts 5: HTTP 400, not 429).
    #[must_use]
    pub fn throttled() -> Self {
        Self::refusal(
            "ThrottlingException",
            "You have exceeded the rate at which you may call KMS. \
             Reduce the frequency of your calls.",
        )
    }

    /// KMS's own failure.
    #[must_use]
    pub fn internal() -> Self {
        Self::failure(
            "KMSInternalException",
            "An internal failure occurred; the request can be retried.",
        )
    }

    pub(crate) fn validation(message: impl Into<String>) -> Self {
        Self::refusal("ValidationException", message)
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::refusal("NotFoundException", message)
    }

    pub(crate) fn invalid_arn(message: impl Into<String>) -> Self {
        Self::refusal("InvalidArnException", message)
    }

    pub(crate) fn dry_run() -> Self {
        Self::refusal(
            "DryRunOperationException",
            "The request would have succeeded, but the DryRun option is set.",
        )
    }

    pub(crate) fn invalid_grant_token() -> Self {
        Self::refusal("InvalidGrantTokenException", "The grant token is not valid.")
    }
}
