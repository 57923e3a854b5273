//! From what the SDK returns to an [`Answer`]: one ear per call notes what passes on the wire.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::date_time::Format;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::fault::chain;
use crate::kms::Answer;
use crate::kms::classify::{Trouble, outcome};
use crate::rules::life::Outcome;
use crate::rules::time::Time;

/// Error texts are for one line of a journal; a web page in place of an answer must not fill it.
const DETAIL_MAX: usize = 512;

/// What passed on the wire during one call.
#[derive(Debug, Clone, Default)]
pub(super) struct Heard {
    /// The request was handed to the connection: from here on it may take effect.
    pub(super) sent: bool,
    /// The answer's HTTP status.
    pub(super) status: Option<u16>,
    /// The answer's `Date`.
    pub(super) date: Option<Time>,
    /// The answer's request id.
    pub(super) request_id: Option<String>,
}

/// Listens to one call. The SDK wants its interceptors `Send`, hence the lock, which nobody ever
/// waits for.
#[derive(Debug, Clone, Default)]
pub(super) struct Ear(Arc<Mutex<Heard>>);

impl Ear {
    pub(super) fn heard(&self) -> Heard {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, what: impl FnOnce(&mut Heard)) {
        what(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Intercept for Ear {
    fn name(&self) -> &'static str {
        "grantd::Ear"
    }

    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.note(|heard| heard.sent = true);
        Ok(())
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let answer = context.response();
        let header = |name: &str| answer.headers().get(name).map(str::to_owned);
        self.note(|heard| {
            heard.status = Some(answer.status().as_u16());
            heard.date = header("date").as_deref().and_then(http_date);
            heard.request_id = header("x-amzn-requestid").or_else(|| header("x-amz-request-id"));
        });
        Ok(())
    }
}

fn http_date(text: &str) -> Option<Time> {
    let at = aws_smithy_types::DateTime::from_str(text, Format::HttpDate).ok()?;
    at.to_millis().ok().map(Time)
}

/// The answer to one call. `take` makes sense of a success, or says what it lacks.
pub(super) fn answer<O, E, T>(
    heard: Heard,
    result: Result<O, SdkError<E, Response>>,
    take: impl FnOnce(O) -> Result<T, String>,
) -> Answer<T>
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match result {
        Ok(output) => match take(output) {
            Ok(value) => given(heard, Outcome::Done(value), None),
            Err(lack) => given(heard, outcome(Trouble::Unreadable), Some(&lack)),
        },
        Err(error) => {
            let text = words(&heard, &error);
            let meaning = outcome(trouble(&heard, &error));
            given(heard, meaning, Some(&text))
        }
    }
}

/// An answer with what was heard on the way.
pub(super) fn given<T>(heard: Heard, outcome: Outcome<T>, detail: Option<&str>) -> Answer<T> {
    Answer { outcome, date: heard.date, detail: detail.map(one_line), request_id: heard.request_id }
}

pub(super) fn trouble<'a, E: ProvideErrorMetadata>(
    heard: &Heard,
    error: &'a SdkError<E, Response>,
) -> Trouble<'a> {
    match error {
        SdkError::ConstructionFailure(_) => Trouble::Misbuilt,
        SdkError::TimeoutError(_) if !heard.sent => Trouble::Unfetched,
        // Before the send only the credentials, the endpoint and the signature can fail.
        _ if !heard.sent => Trouble::NoCredentials,
        SdkError::ServiceError(refusal) => Trouble::Error {
            status: refusal.raw().status().as_u16(),
            code: refusal.err().code().filter(|code| !code.is_empty()),
        },
        SdkError::ResponseError(_) => Trouble::Unreadable,
        // The last: any kind that a later SDK adds, of which nothing is known.
        SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | _ => Trouble::Silent,
    }
}

/// For people. Only `Display` texts: the SDK's `Debug` of an answer shows its body, and so the
/// grant token.
pub(super) fn words<E>(heard: &Heard, error: &SdkError<E, Response>) -> String
where
    E: ProvideErrorMetadata + Error + 'static,
{
    if let SdkError::ServiceError(refusal) = error
        && let Some(code) = refusal.err().code()
    {
        return match refusal.err().message() {
            Some(message) if !message.is_empty() => format!("{code}: {message}"),
            _ => code.to_owned(),
        };
    }
    match heard.status {
        Some(status) => format!("HTTP {status}, and no answer of AWS's: {}", chain(error)),
        None => chain(error),
    }
}

/// One line of bounded length, whatever a server sends.
pub(super) fn one_line(text: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let mut line: String = text.chars().map(plain).take(DETAIL_MAX).collect();
    if text.chars().nth(DETAIL_MAX).is_some() {
        line.push('…');
    }
    line
}
