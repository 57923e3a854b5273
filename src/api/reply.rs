//! Answers: JSON, or a problem document. The only place that turns a fault into HTTP.

use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderValue, LOCATION};
use hyper::{Response, StatusCode};
use serde::Serialize;

use super::hold::Lines;
use super::route::NoAction;
use crate::fault::{Fault, Kind};
use crate::wire::{Health, LeaseMade, Problem};

/// The media type of an answer.
pub const JSON: &str = "application/json";
/// The media type of a fault (RFC 9457).
pub const PROBLEM: &str = "application/problem+json";

/// The media type of an answer that goes on: one JSON document a line.
pub const LINES: &str = "application/x-ndjson";

/// The media type of the metrics, as Prometheus asks for it.
pub(super) const METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Kept by hand: the tests hold every exchange against it.
const DOCUMENT: &str = include_str!("../../docs/openapi.json");

/// A whole answer, or one that goes on.
pub(super) type Reply = Response<Either<Full<Bytes>, Lines>>;

/// 200 and `body`.
pub(super) fn ok<T: Serialize>(body: &T) -> Reply {
    json(StatusCode::OK, JSON, body)
}

/// 201 and `body`.
pub(super) fn created<T: Serialize>(body: &T) -> Reply {
    json(StatusCode::CREATED, JSON, body)
}

/// 200 and the document that describes this API.
pub(super) fn document() -> Reply {
    whole(StatusCode::OK, JSON, Bytes::from_static(DOCUMENT.as_bytes()))
}

/// 200 and the metrics.
pub(super) fn metrics(text: String) -> Reply {
    whole(StatusCode::OK, METRICS, Bytes::from(text))
}

/// 200 and that the API answers.
pub(super) fn health() -> Reply {
    ok(&Health { version: env!("CARGO_PKG_VERSION").to_owned() })
}

/// 201 and where the lease is; 200 when an idempotency key found it made.
pub(super) fn made(body: &LeaseMade) -> Reply {
    if body.repeated {
        return ok(body);
    }
    let mut reply = json(StatusCode::CREATED, JSON, body);
    let place = format!("/v1/leases/{}", body.lease.reference);
    if let Ok(place) = HeaderValue::try_from(place) {
        reply.headers_mut().insert(LOCATION, place);
    }
    reply
}

/// 200, and a line whenever there is one. The connection serves nothing after it.
pub(super) fn lines(lines: Lines) -> Reply {
    let mut reply = Response::new(Either::Right(lines));
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(LINES));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    reply
}

/// The problem document of `fault`.
pub(super) fn problem(fault: &Fault) -> Reply {
    let status = StatusCode::from_u16(fault.kind.http());
    let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut reply = json(status, PROBLEM, &Problem::from(fault));
    if matches!(fault.kind, Kind::TooLarge | Kind::TooSlow) {
        // The rest of the body is not awaited: it could be anything, for ever.
        let close = HeaderValue::from_static("close");
        reply.headers_mut().insert(CONNECTION, close);
    }
    reply
}

/// The problem document of a request without an action.
pub(super) fn no_action(refusal: &NoAction) -> Reply {
    let mut reply = problem(&refusal.fault);
    if let Some(allow) = refusal.allow {
        let allow = HeaderValue::from_static(allow);
        reply.headers_mut().insert(ALLOW, allow);
    }
    reply
}

/// A problem as bytes on a connection that HTTP never sees: for the one too many, which must cost
/// nothing.
pub(super) fn turned_away(fault: &Fault) -> String {
    let body = text(&Problem::from(fault));
    let status = StatusCode::from_u16(fault.kind.http());
    let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: {PROBLEM}\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n{body}",
        body.len()
    )
}

fn json<T: Serialize>(status: StatusCode, kind: &'static str, body: &T) -> Reply {
    whole(status, kind, Bytes::from(text(body)))
}

fn whole(status: StatusCode, kind: &'static str, body: Bytes) -> Reply {
    let mut reply = Response::new(Either::Left(Full::new(body)));
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

/// JSON and a line end, for people with curl. The wire types hold nothing that JSON cannot.
pub(super) fn text<T: Serialize>(body: &T) -> String {
    let mut text = serde_json::to_string(body).unwrap_or_else(|error| {
        tracing::error!(%error, "an answer does not turn into JSON");
        "null".to_owned()
    });
    text.push('\n');
    text
}
