//! The API's document, `docs/openapi.json`, as a judge of what really goes over a socket.
//!
//! An exchange keeps the contract when its path, method and status are in the document, its answer
//! has the media type, the headers and the body that stand there, and, if it was granted (2xx),
//! parameters and body of its request do too. The document lets answers gain fields; the judge does
//! not: a field that is sent and not described is a complaint. Every complaint says what to change.

mod exchange;
mod schema;

use std::collections::BTreeSet;
use std::sync::OnceLock;

use serde_json::Value;

pub use exchange::{Answer, Exchange, Request, exchanges};
use schema::Schemas;

/// Where people find it.
const FILE: &str = "docs/openapi.json";
/// As much of a body as a complaint shows.
const SHOWN: usize = 2_000;
/// An answer that goes on: one JSON document a line, which the schema describes.
const LINES: &str = "application/x-ndjson";
/// What answers before the route is looked at: a query that is none, a client that is not to be
/// here, one too many.
const EARLY: &[u16] = &[400, 403, 503];

/// A document and its compiled schemas.
#[derive(Debug)]
pub struct Contract {
    document: Value,
    schemas: Schemas,
}

/// Where in the document an operation stands.
struct Operation<'a> {
    /// `POST /v1/leases/{ref}/revoke`.
    name: String,
    value: &'a Value,
    pointer: String,
}

/// A part of an exchange that breaks the contract: what is wrong, and what to do.
struct Breach {
    what: String,
    remedy: String,
}

impl Breach {
    fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what: what.into(), remedy: remedy.into() }
    }
}

impl Contract {
    /// grantd's.
    #[must_use]
    pub fn of_the_api() -> &'static Self {
        static API: OnceLock<Contract> = OnceLock::new();
        API.get_or_init(|| Self::new(include_str!("../../../../docs/openapi.json")))
    }

    /// That of this text.
    ///
    /// # Panics
    /// When it is no JSON.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let document: Value = serde_json::from_str(text).expect("the document is JSON");
        Self { schemas: Schemas::new(&document), document }
    }

    /// The document.
    #[must_use]
    pub fn document(&self) -> &Value {
        &self.document
    }

    /// Every answer that the document names, such as `GET /v1/leases/{ref} 404`.
    #[must_use]
    pub fn promised(&self) -> Vec<String> {
        let mut all = Vec::new();
        for (path, item) in entries(&self.document["paths"]) {
            for (method, operation) in entries(item) {
                for (status, _) in entries(&operation["responses"]) {
                    all.push(format!("{} {path} {status}", method.to_uppercase()));
                }
            }
        }
        all
    }

    /// Which answer of the document it was; none for what no operation answers, such as a path that
    /// is not there.
    ///
    /// # Errors
    /// How the exchange breaks the contract, for the person who is to mend it.
    pub fn judge(&self, exchange: &Exchange) -> Result<Option<String>, String> {
        self.look(exchange).map_err(|breach| tell(exchange, &breach))
    }

    fn look(&self, exchange: &Exchange) -> Result<Option<String>, Breach> {
        let answer = &exchange.answer;
        // Not HTTP, or too much of it: hyper answers before grantd sees anything.
        if matches!(answer.status, 400 | 431)
            && answer.headers.iter().all(|h| h.0 != "content-type")
        {
            return Ok(None);
        }
        let Some(request) = &exchange.request else { return self.off_route(answer, None) };
        let Some((path, item)) = self.route(request.path()) else {
            return self.off_route(answer, Some(404));
        };
        let method = request.method.to_ascii_lowercase();
        let Some(value) = item.get(&method) else {
            allow(answer, item)?;
            return self.off_route(answer, Some(405));
        };
        let operation = Operation {
            name: format!("{} {path}", request.method),
            value,
            pointer: format!("/paths/{}/{method}", escape(path)),
        };
        self.answered(&operation, answer)?;
        if (200..300).contains(&answer.status) {
            self.asked(&operation, path, request)?;
        }
        Ok(Some(format!("{} {}", operation.name, answer.status)))
    }

    /// The template that fits, and what stands there.
    fn route(&self, path: &str) -> Option<(&str, &Value)> {
        let fits = |template: &str| {
            let (mut wanted, mut given) = (template.split('/'), path.split('/'));
            loop {
                match (wanted.next(), given.next()) {
                    (None, None) => return true,
                    (Some(wanted), Some(given)) if wanted == given => {}
                    (Some(wanted), Some(given)) if wanted.starts_with('{') && !given.is_empty() => {
                    }
                    _ => return false,
                }
            }
        };
        let all = || entries(&self.document["paths"]);
        // A literal path goes before a template that would fit, too.
        let literal = all().find(|(template, _)| *template == path);
        literal.or_else(|| all().find(|(template, _)| fits(template)))
    }

    /// What no operation answers is refused, and with a problem of that status.
    fn off_route(&self, answer: &Answer, expected: Option<u16>) -> Result<Option<String>, Breach> {
        let status = answer.status;
        if expected.is_some_and(|expected| expected != status) && !EARLY.contains(&status) {
            let what = format!("{FILE} has no such path and method, and it is answered {status}");
            return Err(Breach::new(
                what,
                "describe the route under `paths`, as its neighbours are",
            ));
        }
        let named = |(_, response): &(&str, &Value)| {
            let schema = &response["content"]["application/problem+json"]["schema"];
            let name = schema["$ref"].as_str().and_then(|text| text.rsplit('/').next());
            name.is_some_and(|name| self.status_of(name) == Some(status))
        };
        let responses = &self.document["components"]["responses"];
        let Some((name, response)) = entries(responses).find(named) else {
            let what = format!("no response of `components/responses` is of status {status}");
            return Err(Breach::new(what, "add one, as its neighbours are"));
        };
        self.content(&format!("/components/responses/{name}"), response, answer)?;
        Ok(None)
    }

    /// The status that the problems of a schema have.
    fn status_of(&self, schema: &str) -> Option<u16> {
        let schema = &self.document["components"]["schemas"][schema];
        let status = schema["allOf"][1]["properties"]["status"]["const"].as_u64()?;
        u16::try_from(status).ok()
    }

    fn answered(&self, operation: &Operation<'_>, answer: &Answer) -> Result<(), Breach> {
        let status = answer.status.to_string();
        let responses = &operation.value["responses"];
        let Some(response) = responses.get(&status) else {
            let all: Vec<&str> = entries(responses).map(|(status, _)| status).collect();
            return Err(Breach::new(
                format!("`{}` is answered {status}, and {FILE} has only {all:?}", operation.name),
                format!(
                    "if that is right, add to its `responses`: \"{status}\": {{ \"$ref\": \
                     \"#/components/responses/…\" }}"
                ),
            ));
        };
        match response["$ref"].as_str() {
            Some(target) => {
                let pointer = target.trim_start_matches('#');
                let response = self.document.pointer(pointer).unwrap_or(&Value::Null);
                self.content(pointer, response, answer)
            }
            None => {
                let pointer = format!("{}/responses/{status}", operation.pointer);
                self.content(&pointer, response, answer)
            }
        }
    }

    /// Headers, media type and body of an answer.
    fn content(&self, pointer: &str, response: &Value, answer: &Answer) -> Result<(), Breach> {
        for (name, header) in entries(&response["headers"]) {
            let Some(value) = answer.header(&name.to_lowercase()) else {
                let what = format!("the answer has no header {name}");
                return Err(Breach::new(what, format!("send it, or take it out of #{pointer}")));
            };
            let pointer = format!("{pointer}/headers/{}/schema", escape(name));
            self.schemas.fit(&pointer, &coerced(value, &header["schema"]), "the header")?;
        }
        let (kind, content) = (answer.header("content-type"), &response["content"]);
        let Some(kind) = kind.filter(|kind| content.get(kind).is_some()) else {
            let all: Vec<&str> = entries(content).map(|(kind, _)| kind).collect();
            let what = format!("the answer is {kind:?}, and #{pointer} has {all:?}");
            return Err(Breach::new(what, "send what is described, or describe what is sent"));
        };
        let schema = format!("{pointer}/content/{}/schema", escape(kind));
        if kind == LINES {
            let lines = answer.body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            return lines.into_iter().try_for_each(|line| {
                self.schemas.fit(&schema, &json(line, "a line")?, "a line of the answer")
            });
        }
        // Text is one string to a schema.
        let body = match kind.starts_with("application/") && kind.contains("json") {
            true => json(&answer.body, "the answer's body")?,
            false => Value::String(String::from_utf8_lossy(&answer.body).into_owned()),
        };
        self.schemas.fit(&schema, &body, "the answer's body")
    }

    /// Parameters and body of a request that was granted.
    fn asked(&self, op: &Operation<'_>, path: &str, request: &Request) -> Result<(), Breach> {
        let query = request.query();
        let described = op.value["parameters"].as_array().map_or(&[][..], Vec::as_slice);
        for (name, _) in &query {
            if !described.iter().any(|p| p["in"] == "query" && p["name"] == *name) {
                let what = format!("query parameter {name:?} is granted, and not described");
                return Err(Breach::new(what, "add it to the operation's `parameters`"));
            }
        }
        for (at, parameter) in described.iter().enumerate() {
            let name = parameter["name"].as_str().unwrap_or_default();
            let value = match parameter["in"].as_str() {
                Some("query") => query.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str()),
                Some("header") => request.header(&name.to_lowercase()),
                Some("path") => segment(path, request.path(), name),
                _ => None,
            };
            let Some(value) = value else {
                if parameter["required"] == true {
                    let what = format!("it is granted without the required parameter {name:?}");
                    return Err(Breach::new(what, "take `required` out, or refuse the request"));
                }
                continue;
            };
            let schema = format!("{}/parameters/{at}/schema", op.pointer);
            let what = format!("parameter {name:?} of a granted request");
            self.schemas.fit(&schema, &coerced(value, &parameter["schema"]), &what)?;
        }
        self.body(op, request)
    }

    fn body(&self, op: &Operation<'_>, request: &Request) -> Result<(), Breach> {
        let described = op.value.get("requestBody");
        if request.body.is_empty() {
            return match described {
                Some(body) if body["required"] == true => Err(Breach::new(
                    "it is granted without a body, which is described as required",
                    "take `required` out, or refuse the request",
                )),
                _ => Ok(()),
            };
        }
        let Some(described) = described else {
            let what = "it has a body, is granted, and no `requestBody` is described";
            return Err(Breach::new(what, "describe it, or refuse the request"));
        };
        let kind = request.header("content-type").unwrap_or_default();
        let essence = kind.split(';').next().unwrap_or_default().trim().to_lowercase();
        if described["content"].get(&essence).is_none() {
            let what = format!("a body of type {kind:?} is granted, and not described");
            return Err(Breach::new(what, "add it to `requestBody`, or refuse the request"));
        }
        let schema = format!("{}/requestBody/content/{}/schema", op.pointer, escape(&essence));
        let body = json(&request.body, "the body of a granted request")?;
        self.schemas.fit(&schema, &body, "the body of a granted request")
    }
}

/// 405 names the methods that would do.
fn allow(answer: &Answer, item: &Value) -> Result<(), Breach> {
    if answer.status != 405 {
        return Ok(());
    }
    let described: BTreeSet<String> = entries(item).map(|(m, _)| m.to_uppercase()).collect();
    let allow = answer.header("allow").unwrap_or_default();
    let sent: BTreeSet<String> = allow.split(", ").map(str::to_owned).collect();
    if described == sent {
        return Ok(());
    }
    let what = format!("the header Allow says {sent:?}, and {FILE} has {described:?}");
    Err(Breach::new(what, "describe the operation, or correct the header"))
}

/// What a person reads where a test fails.
fn tell(exchange: &Exchange, breach: &Breach) -> String {
    let asked = exchange.request.as_ref().map_or_else(
        || "what is no HTTP request".to_owned(),
        |request| format!("{} {}", request.method, request.target),
    );
    let sent = exchange.request.as_ref().map_or(&[][..], |request| &request.body);
    format!(
        "the API and {FILE} differ: {asked}: {}\n  {}\n  to do: {}\n  sent: {}\n  answered: {}",
        exchange.answer.status,
        breach.what,
        breach.remedy,
        shown(sent),
        shown(&exchange.answer.body),
    )
}

fn shown(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(SHOWN)]);
    if text.is_empty() { "nothing".to_owned() } else { text.trim_end().to_owned() }
}

fn json(body: &[u8], what: &str) -> Result<Value, Breach> {
    serde_json::from_slice(body)
        .map_err(|error| Breach::new(format!("{what} is no JSON: {error}"), "send JSON"))
}

/// The text of a parameter or header as its schema means it.
fn coerced(text: &str, schema: &Value) -> Value {
    match schema["type"].as_str() {
        Some("boolean") => text.parse().map_or_else(|_| text.into(), Value::Bool),
        Some("integer") => text.parse::<i64>().map_or_else(|_| text.into(), Value::from),
        _ => text.into(),
    }
}

/// What stands in `path` where the template has `{name}`.
fn segment<'p>(template: &str, path: &'p str, name: &str) -> Option<&'p str> {
    let at = template.split('/').position(|piece| piece.trim_matches(['{', '}']) == name)?;
    path.split('/').nth(at)
}

fn entries(object: &Value) -> impl Iterator<Item = (&str, &Value)> {
    object.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}

/// A key as a piece of a JSON pointer.
fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests;
