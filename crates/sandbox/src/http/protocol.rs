//! The two wire protocols: JSON 1.1 for KMS, query and XML for STS.

use hyper::http::request::Parts;
use serde_json::{Map, Value, json};

use crate::error::KmsError;
use crate::http::form;
use crate::http::sigv4::Service;
use crate::op::Op;

/// The prefix of `X-Amz-Target` for every operation of KMS.
const TARGET: &str = "TrentService.";
const STS_VERSION: &str = "2011-06-15";
const STS_NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// Which service a request is for: only KMS has a target header.
pub(crate) fn service(head: &Parts) -> Service {
    if head.headers.contains_key("x-amz-target") { Service::Kms } else { Service::Sts }
}

/// Operation and JSON body of a request.
///
/// # Errors
/// No such operation, or a body that cannot be read.
pub(crate) fn read(service: Service, head: &Parts, body: &[u8]) -> Result<(Op, Value), KmsError> {
    match service {
        Service::Kms => read_json(head, body),
        Service::Sts => read_query(head, body),
    }
}

fn read_json(head: &Parts, body: &[u8]) -> Result<(Op, Value), KmsError> {
    let target = head.headers.get("x-amz-target").and_then(|v| v.to_str().ok()).unwrap_or_default();
    let op = target.strip_prefix(TARGET).and_then(|name| name.parse::<Op>().ok());
    let op = op.filter(|op| !op.is_sts()).ok_or_else(|| {
        let text = format!("{target} is not an operation of the sandbox");
        KmsError::refusal("UnknownOperationException", text)
    })?;
    if body.is_empty() {
        return Ok((op, json!({})));
    }
    let body = serde_json::from_slice(body)
        .map_err(|e| KmsError::refusal("SerializationException", format!("not JSON: {e}")))?;
    Ok((op, body))
}

fn read_query(head: &Parts, body: &[u8]) -> Result<(Op, Value), KmsError> {
    let body = String::from_utf8_lossy(body);
    let query = head.uri.query().unwrap_or_default();
    let mut members: Map<String, Value> =
        form::pairs(query).chain(form::pairs(&body)).map(|(k, v)| (k, json!(v))).collect();
    let action = members.remove("Action");
    let action = action.as_ref().and_then(Value::as_str).unwrap_or_default();
    let version = members.remove("Version");
    let known = version.as_ref().and_then(Value::as_str) == Some(STS_VERSION);
    let op = action.parse::<Op>().ok().filter(|op| op.is_sts() && known).ok_or_else(|| {
        let text = format!("Could not find operation {action} for version {STS_VERSION}");
        KmsError::refusal("InvalidAction", text)
    })?;
    if let Some(duration) = members.get_mut("DurationSeconds") {
        let seconds = duration.as_str().and_then(|text| text.parse::<i64>().ok());
        *duration = seconds.map_or_else(|| duration.clone(), |n| json!(n));
    }
    Ok((op, Value::Object(members)))
}

/// Content type and body of an answer.
pub(crate) fn write(
    service: Service,
    op: Option<Op>,
    answer: &Result<Value, KmsError>,
    request_id: &str,
) -> (&'static str, String) {
    match (service, answer) {
        (Service::Kms, Ok(value)) => {
            let empty = value.as_object().is_some_and(Map::is_empty);
            (JSON, if empty { String::new() } else { value.to_string() })
        }
        (Service::Kms, Err(e)) => {
            (JSON, json!({ "__type": e.code, "message": e.message }).to_string())
        }
        (Service::Sts, Ok(value)) => {
            let name = op.map(Op::name).unwrap_or_default();
            let result = element(&format!("{name}Result"), &xml(value));
            let metadata = element("ResponseMetadata", &element("RequestId", request_id));
            let inner = format!("{result}{metadata}");
            (XML, format!("<{name}Response xmlns=\"{STS_NAMESPACE}\">{inner}</{name}Response>"))
        }
        (Service::Sts, Err(e)) => {
            let kind = if e.status >= 500 { "Receiver" } else { "Sender" };
            let fields = [("Type", kind), ("Code", &e.code), ("Message", &e.message)];
            let fields: String = fields.iter().map(|(n, v)| element(n, &escape(v))).collect();
            let inner =
                format!("{}{}", element("Error", &fields), element("RequestId", request_id));
            (XML, format!("<ErrorResponse xmlns=\"{STS_NAMESPACE}\">{inner}</ErrorResponse>"))
        }
    }
}

const JSON: &str = "application/x-amz-json-1.1";
const XML: &str = "text/xml";

fn element(name: &str, inner: &str) -> String {
    format!("<{name}>{inner}</{name}>")
}

fn xml(value: &Value) -> String {
    if let Some(members) = value.as_object() {
        return members.iter().map(|(name, inner)| element(name, &xml(inner))).collect();
    }
    value.as_str().map_or_else(|| value.to_string(), escape)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
