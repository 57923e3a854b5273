use std::collections::BTreeSet;

use super::*;

fn error(status: u16, code: &str) -> Outcome<()> {
    outcome(Trouble::Error { status, code: Some(code) })
}

/// The table, written again from kms-facts and the service model: class, then codes.
const EXPECTED: &[(Outcome<()>, &str)] = &[
    (Outcome::Refused(Class::NotFound), "NotFoundException InvalidGrantIdException"),
    (Outcome::Refused(Class::BadToken), "InvalidGrantTokenException"),
    (Outcome::Refused(Class::Quota), "LimitExceededException"),
    (
        Outcome::Refused(Class::KeyState),
        "DisabledException KMSInvalidStateException KeyUnavailableException",
    ),
    (
        Outcome::Refused(Class::Invalid),
        "InvalidArnException ValidationException ValidationError InvalidMarkerException \
         DryRunOperationException UnsupportedOperationException InvalidAction",
    ),
    (Outcome::Refused(Class::Denied), "AccessDeniedException AccessDenied"),
    (
        Outcome::Refused(Class::Credentials),
        "ExpiredToken ExpiredTokenException UnrecognizedClientException InvalidClientTokenId \
         SignatureDoesNotMatch InvalidSignatureException MissingAuthenticationToken AuthFailure \
         RequestTimeTooSkewed RequestExpired IncompleteSignature",
    ),
    (
        Outcome::Refused(Class::Throttled),
        "Throttling ThrottlingException ThrottledException RequestThrottledException \
         TooManyRequestsException ProvisionedThroughputExceededException \
         TransactionInProgressException RequestLimitExceeded BandwidthLimitExceeded \
         RequestThrottled SlowDown PriorRequestNotComplete EC2ThrottledException",
    ),
    (
        Outcome::Unknown,
        "DependencyTimeoutException KMSInternalException InternalFailure ServiceUnavailable \
         RequestTimeout RequestTimeoutException InternalError",
    ),
];

#[test]
fn every_code_of_the_facts_has_its_class() {
    for (expected, codes) in EXPECTED {
        for code in codes.split_whitespace() {
            assert_eq!(error(400, code), *expected, "{code}");
        }
    }
}

#[test]
fn after_an_error_of_the_server_nobody_knows() {
    for (code, _) in CODES {
        for status in [500, 502, 503, 504] {
            assert_eq!(error(status, code), Outcome::Unknown, "{status} {code}");
        }
    }
    assert_eq!(error(301, "NotFoundException"), Outcome::Unknown);
    assert_eq!(error(200, "NotFoundException"), Outcome::Unknown);
}

#[test]
fn an_answer_without_a_code_is_nobodys_word() {
    for status in 100..600 {
        let outcome: Outcome<()> = outcome(Trouble::Error { status, code: None });
        assert_eq!(outcome, Outcome::Unknown, "{status}");
    }
}

#[test]
fn an_unknown_code_is_still_a_no() {
    assert_eq!(error(400, "BrandNewException"), Outcome::Refused(Class::Invalid));
    assert_eq!(error(401, "BrandNewException"), Outcome::Refused(Class::Credentials));
    assert_eq!(error(403, "BrandNewException"), Outcome::Refused(Class::Denied));
    assert_eq!(error(429, "BrandNewException"), Outcome::Refused(Class::Throttled));
}

#[test]
fn what_never_left_is_refused_and_what_may_have_left_is_unknown() {
    let of = outcome::<()>;
    assert_eq!(of(Trouble::Misbuilt), Outcome::Refused(Class::Invalid));
    assert_eq!(of(Trouble::NoCredentials), Outcome::Refused(Class::Credentials));
    assert_eq!(of(Trouble::Unfetched), Outcome::Refused(Class::Unavailable));
    assert_eq!(of(Trouble::Silent), Outcome::Unknown);
    assert_eq!(of(Trouble::Unreadable), Outcome::Unknown);
}

#[test]
fn no_code_stands_twice() {
    let codes: BTreeSet<&str> = CODES.iter().map(|(code, _)| *code).collect();
    assert_eq!(codes.len(), CODES.len());
}
