//! The API's document against the API: it is served, and promises nothing that cannot happen. (That
//! nothing happens which it does not promise, the relay before every server sees to.)

use std::collections::BTreeSet;
use std::io::Write;
use std::time::Duration;

use grantd::api::Limits;
use grantd::fault::Kind;
use serde_json::Value;
use testbed::contract::Contract;

use super::support::{World, read_out};

/// A body that each change understands; the others take `{}`.
const BODIES: &[(&str, &str)] = &[
    ("createLease", r#"{"key":"alias/app","grantee":"role/RoleB","operations":["Decrypt"]}"#),
    ("revokeLeases", r#"{"refs":["g-7k2m9x4p1q8z"]}"#),
    ("holdLease", ""),
    ("extendLease", r#"{"ttl":"2h"}"#),
    ("acceptAlias", r#"{"alias":"alias/app"}"#),
    ("adopt", r#"{"key":"alias/app","grant-id":"0c23","ttl":"2h"}"#),
    ("prove", r#"{"key":"alias/app"}"#),
    ("freezeLeases", r#"{"all":true,"reason":"incident 12"}"#),
];
/// Headers that lead to one of several good answers.
const HEADERS: &[(&str, &str, &str)] = &[("createLease", "200", "Idempotency-Key: again\r\n")];

/// An operation of the document.
struct Operation {
    id: String,
    method: String,
    path: String,
    answers: Vec<String>,
}

impl Operation {
    fn all() -> Vec<Self> {
        let mut all = Vec::new();
        let paths = Contract::of_the_api().document()["paths"].as_object().unwrap();
        for (path, item) in paths {
            for (method, operation) in item.as_object().unwrap() {
                all.push(Self {
                    id: operation["operationId"].as_str().unwrap().to_owned(),
                    method: method.to_uppercase(),
                    path: path.clone(),
                    answers: operation["responses"].as_object().unwrap().keys().cloned().collect(),
                });
            }
        }
        all
    }

    /// A request that is granted, but for what `host` and the length and type of its body do.
    fn request(&self, host: &str, query: &str, answer: &str, length: Option<usize>) -> String {
        let Self { id, method, path, .. } = self;
        let target = path.replace("{ref}", "g-7k").replace("{id}", "3");
        let body = BODIES.iter().find(|(known, _)| known == id).map_or("{}", |(_, body)| body);
        let body = if method == "GET" { "" } else { body };
        let kind = if answer == "415" { "text/plain" } else { "application/json" };
        let headers = HEADERS.iter().find(|(known, a, _)| known == id && *a == answer);
        let headers = headers.map_or("", |(_, _, headers)| headers);
        let length = length.unwrap_or(body.len());
        let about = format!("Content-Type: {kind}\r\nContent-Length: {length}\r\n");
        let about = if length == 0 { "" } else { &about };
        format!(
            "{method} {target}{query} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
             {headers}{about}\r\n{body}"
        )
    }

    /// Whatever leads to this answer; gives what the relay saw.
    fn provoke(&self, answer: &str) -> BTreeSet<String> {
        let limits = match answer {
            "408" => Limits { body: Duration::from_millis(100), ..Limits::default() },
            "503" => Limits { connections: 0, ..Limits::default() },
            _ => Limits::default(),
        };
        let mut world = World::with(limits);
        let request = match answer {
            "400" => self.request("grantd", "?no-such-parameter=1", answer, None),
            "403" => self.request("evil.example", "", answer, None),
            "408" => self.request("grantd", "", answer, Some(1_000)),
            "413" => self.request("grantd", "", answer, Some(1_000_000)),
            _ => self.request("grantd", "", answer, None),
        };
        let inside = !answer.starts_with('2') || answer == "202";
        let fits = |kind: &&Kind| inside && kind.http().to_string() == answer;
        if let Some(kind) = Kind::ALL.iter().find(fits) {
            world.fail_next(*kind);
        }
        let mut stream = world.dial();
        stream.write_all(request.as_bytes()).unwrap();
        read_out(&mut stream);
        world.seen()
    }
}

#[test]
fn every_answer_of_the_document_can_be_given() {
    let mut seen = BTreeSet::new();
    for operation in Operation::all() {
        for answer in &operation.answers {
            seen.extend(operation.provoke(answer));
        }
    }
    let promised = Contract::of_the_api().promised();
    let missing: Vec<&String> = promised.iter().filter(|answer| !seen.contains(*answer)).collect();
    assert!(
        missing.is_empty(),
        "docs/openapi.json promises what nobody could provoke here: {missing:#?}\n\
         to do: give the operation a body that is granted (BODIES, above), headers that lead to \
         the answer (HEADERS), or take the answer out of the document"
    );
}

#[test]
fn it_is_served_as_it_is_kept() {
    let world = World::new();
    let reply = world.get("/v1/openapi.json");
    let (head, body) = reply.split_once("\n\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\ncontent-type: application/json\n"), "{head}");
    let served: Value = serde_json::from_str(body).unwrap();
    assert_eq!(&served, Contract::of_the_api().document());
    assert_eq!(served["info"]["version"], env!("CARGO_PKG_VERSION"));
}

/// A field that is described and never sent would be found by nobody: it would only be missing.
#[test]
fn every_field_of_an_answer_is_required_but_for_those_that_are_left_out() {
    let left_out = BTreeSet::from([
        "Freeze.keys",
        "FreezePage.next",
        "HistoryPage.next",
        "HistoryRow.ref",
        "LeaseExtended.gap",
        "LeaseExtended.token",
        "LeaseMade.late-ms",
        "LeaseMade.token",
        "LeasePage.next",
        "Problem.ref",
    ]);
    let mut optional = BTreeSet::new();
    let schemas = &Contract::of_the_api().document()["components"]["schemas"];
    for (name, schema) in schemas.as_object().unwrap() {
        // Requests refuse what they do not know; answers do not say so.
        let answer = schema["additionalProperties"].is_null();
        for (field, _) in schema["properties"].as_object().into_iter().flatten() {
            let required = schema["required"].as_array().into_iter().flatten();
            if answer && !required.into_iter().any(|known| known == field) {
                optional.insert(format!("{name}.{field}"));
            }
        }
    }
    let optional: BTreeSet<&str> = optional.iter().map(String::as_str).collect();
    assert_eq!(optional, left_out);
}
