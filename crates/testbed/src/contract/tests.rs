use serde_json::json;

use super::*;
use crate::Relay;

const LEASE: &str = "g-7k2m9x4p1q8z";

fn lease() -> Value {
    json!({
        "ref": LEASE, "state": "creating",
        "key-arn": "arn:aws:kms:ap-northeast-1:111122223333:key/1234abcd",
        "key": "alias/app", "grantee": "arn:aws:iam::111122223333:role/RoleB",
        "operations": ["Decrypt"], "constraints": null, "policy": "p", "reason": null,
        "asker": {"uid": 1000, "name": "alice"}, "origin": "asked", "account": "111122223333",
        "region": "ap-northeast-1", "endpoint": null, "started-at": "2026-11-23T16:00:00.5Z",
        "deadline": "2026-11-23T18:00:00Z", "latest": "2026-11-24T00:00:00Z", "lead-ms": 0,
        "closed-at": null, "held": false,
        "grants": [],
    })
}

fn problem(code: &str, status: u16, exit: u8) -> Value {
    json!({"type": code, "status": status, "detail": "what", "hint": "do", "exit": exit})
}

/// An exchange from its words.
fn exchange(line: &str, sent: &str, status: u16, headers: &str, body: &Value) -> Exchange {
    let (body, kind) = (body.to_string(), "application/json");
    let kind = if status == 202 || status >= 400 { "application/problem+json" } else { kind };
    let request = format!(
        "{line} HTTP/1.1\r\nHost: grantd\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{sent}",
        sent.len()
    );
    let answer = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut all = exchanges(request.as_bytes(), answer.as_bytes());
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

fn judge(line: &str, sent: &str, status: u16, body: &Value) -> Result<Option<String>, String> {
    Contract::of_the_api().judge(&exchange(line, sent, status, "", body))
}

/// The complaint has each of these words.
#[track_caller]
fn complains(judged: Result<Option<String>, String>, words: &[&str]) {
    let complaint = judged.unwrap_err();
    for word in words {
        assert!(complaint.contains(word), "{word:?} is not in:\n{complaint}");
    }
}

#[test]
fn what_is_described_passes_and_is_named() {
    let seen = |name: &str| Ok(Some(name.to_owned()));
    let one = format!("/v1/leases/{LEASE}");
    assert_eq!(judge(&format!("GET {one}"), "", 200, &lease()), seen("GET /v1/leases/{ref} 200"));
    let page = json!({"items": [lease()], "next": "1.2"});
    let listed = judge("GET /v1/leases?mine=true&key=a%2Fb", "", 200, &page);
    assert_eq!(listed, seen("GET /v1/leases 200"));
    let ambiguous = problem("ref-ambiguous", 409, 64);
    assert_eq!(judge("GET /v1/leases/g", "", 409, &ambiguous), seen("GET /v1/leases/{ref} 409"));
    let verified = json!({"rows": 0, "seq": 0, "head": "ab".repeat(32), "broken": null});
    let verified = judge("GET http://grantd/v1/history/verify", "", 200, &verified);
    assert_eq!(verified, seen("GET /v1/history/verify 200"));
}

#[test]
fn a_path_method_or_status_that_is_not_described_is_told() {
    let bare = json!({});
    complains(judge("GET /v1/grants", "", 200, &bare), &["GET /v1/grants: 200", "under `paths`"]);
    complains(judge("PUT /v1/status", "", 200, &bare), &["PUT /v1/status: 200", "under `paths`"]);
    let throttled = problem("throttled", 429, 75);
    let judged = judge("GET /v1/status", "", 429, &throttled);
    complains(judged, &["`GET /v1/status` is answered 429", "add to its `responses`: \"429\""]);
}

#[test]
fn what_no_operation_answers_is_refused_as_described() {
    let no_route = problem("no-route", 404, 64);
    assert_eq!(judge("GET /v1/grants", "", 404, &no_route), Ok(None));
    complains(judge("GET /v1/grants", "", 404, &json!({"error": "no"})), &["NotFound", "required"]);
    let wrong = problem("wrong-method", 405, 64);
    let with = |allow: &str| {
        let allow = format!("Allow: {allow}\r\n");
        let exchange = exchange("DELETE /v1/leases", "", 405, &allow, &wrong);
        Contract::of_the_api().judge(&exchange)
    };
    assert_eq!(with("GET, POST"), Ok(None));
    complains(with("GET"), &["Allow says {\"GET\"}", "has {\"GET\", \"POST\"}"]);
    // What is no HTTP is answered by the layer below, and what cannot be read in time by us.
    let said = |answer: &[u8]| {
        let all = exchanges(b"\0nonsense\r\n\r\n", answer);
        Contract::of_the_api().judge(&all[0])
    };
    assert_eq!(said(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"), Ok(None));
    complains(said(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"), &["what is no HTTP", "200"]);
}

#[test]
fn a_body_that_does_not_fit_is_told_by_its_field() {
    let one = "GET /v1/leases/g-7k";
    let with = |field: &str, value: Value| {
        let mut lease = lease();
        lease[field] = value;
        judge(one, "", 200, &lease)
    };
    complains(with("colour", json!("red")), &["schemas/Lease", "'colour' was unexpected"]);
    complains(with("deadline", json!("2026-11-23T19:00:00+01:00")), &["/deadline", "Z$"]);
    complains(with("deadline", json!("Z")), &["/deadline", "date-time"]);
    complains(with("state", json!("asleep")), &["/state", "\"asleep\""]);
    complains(with("lead-ms", json!("5m")), &["/lead-ms", "integer"]);
    let mut short = lease();
    short.as_object_mut().unwrap().remove("grantee");
    complains(judge(one, "", 200, &short), &["\"grantee\" is a required property"]);
    complains(judge(one, "", 200, &json!([])), &["as a whole", "object"]);
}

#[test]
fn a_fault_belongs_to_its_status_and_exit_code() {
    let one = "GET /v1/leases/g-7k";
    let told = ["schema whose `status` is 404", "\"const\": \"lost\""];
    complains(judge(one, "", 404, &problem("lost", 404, 66)), &told);
    complains(judge(one, "", 404, &problem("ref-unknown", 404, 64)), &["to the `oneOf`"]);
    complains(judge(one, "", 404, &problem("ref-unknown", 409, 66)), &["/status", "404"]);
}

#[test]
fn media_type_and_headers_are_part_of_it() {
    let plain = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}";
    let all = exchanges(b"GET /v1/status HTTP/1.1\r\n\r\n", plain.as_bytes());
    complains(Contract::of_the_api().judge(&all[0]), &["text/plain", "application/json"]);
    let made = json!({"lease": lease(), "repeated": false});
    let sent = r#"{"key": "alias/app", "grantee": "role/B", "operations": ["Decrypt"]}"#;
    let with = |headers: &str| {
        let exchange = exchange("POST /v1/leases", sent, 201, headers, &made);
        Contract::of_the_api().judge(&exchange)
    };
    assert_eq!(
        with("Location: /v1/leases/g-7k2m9x4p1q8z\r\n").unwrap().unwrap(),
        "POST /v1/leases 201"
    );
    complains(with(""), &["no header Location"]);
    complains(with("Location: /elsewhere\r\n"), &["the header does not fit", "/elsewhere"]);
}

#[test]
fn what_is_granted_was_asked_for_as_described() {
    let page = json!({"items": []});
    let listed = |query: &str| judge(&format!("GET /v1/leases?{query}"), "", 200, &page);
    complains(listed("colour=red"), &["\"colour\" is granted, and not described"]);
    complains(listed("mine=perhaps"), &["parameter \"mine\"", "boolean"]);
    complains(judge("GET /v1/leases/..%2Fx", "", 200, &lease()), &["parameter \"ref\""]);
    complains(judge("GET /v1/leases", "{}", 200, &page), &["no `requestBody` is described"]);
    let revoke = |body: &str| judge("POST /v1/leases/g-7k/revoke", body, 200, &lease());
    assert!(revoke("").is_ok() && revoke(r#"{"reason": "done"}"#).is_ok());
    complains(revoke(r#"{"raeson": "done"}"#), &["'raeson' was unexpected"]);
    complains(revoke("nonsense"), &["body of a granted request is no JSON"]);
    let create =
        |body: &str| judge("POST /v1/leases", body, 202, &problem("outcome-unknown", 202, 75));
    complains(create(""), &["granted without a body"]);
    // What is refused may have been anything.
    assert!(judge("GET /v1/leases?colour=red", "", 400, &problem("bad-argument", 400, 64)).is_ok());
}

#[test]
fn each_answer_of_a_connection_stands_beside_its_request() {
    let asked = "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n\
                 HEAD /b HTTP/1.1\r\n\r\nPOST /c HTTP/1.1\r\nContent-Length: 9\r\n\r\nhal";
    let answered = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1HTTP/1.1 405 No\r\nContent-Length: 7\
                    \r\n\r\nHTTP/1.1 408 Late\r\nContent-Length: 1\r\n\r\n3HTTP/1.1 200 OK\r\n\
                    Content-Length: 5\r\n\r\ncut";
    let all = exchanges(asked.as_bytes(), answered.as_bytes());
    let told: Vec<_> = all
        .iter()
        .map(|exchange| {
            let request = exchange.request.as_ref().unwrap();
            let body = String::from_utf8_lossy(&request.body).into_owned();
            (request.path().to_owned(), body, request.whole, exchange.answer.status)
        })
        .collect();
    let wanted = [("/a", "abcde", true, 200), ("/b", "", true, 405), ("/c", "hal", false, 408)];
    assert_eq!(
        told,
        wanted.map(|(path, body, whole, s)| (path.to_owned(), body.to_owned(), whole, s))
    );
}

#[test]
fn an_answer_that_goes_on_is_held_line_by_line() {
    let asked = b"POST /v1/leases/g-7k/hold HTTP/1.1\r\n\r\n";
    let with = |line: &str| {
        let chunk = format!("{line}\n");
        let answered = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\
             \r\n{:x}\r\n{chunk}\r\n",
            chunk.len()
        );
        // The holder went away before the end.
        let all = exchanges(asked, answered.as_bytes());
        Contract::of_the_api().judge(&all[0])
    };
    let good = r#"{"state":"active","deadline":"2026-11-23T18:00:00Z"}"#;
    assert_eq!(with(good), Ok(Some("POST /v1/leases/{ref}/hold 200".to_owned())));
    complains(with(&good.replace("active", "asleep")), &["a line of the answer", "/state"]);
}

#[test]
fn a_relay_fails_the_test_that_broke_the_contract() {
    use std::io::{Read as _, Write as _};
    use std::os::unix::net::{UnixListener, UnixStream};

    let dir = tempfile::tempdir().unwrap();
    let (front, back) = (dir.path().join("front"), dir.path().join("back"));
    let listener = UnixListener::bind(&back).unwrap();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        assert!(stream.read(&mut [0; 4096]).unwrap() > 0);
        let head =
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n";
        stream.write_all(format!("{head}{{\"version\":1}}").as_bytes()).unwrap();
    });
    let relay = Relay::start(&front, &back);
    let mut client = UnixStream::connect(&front).unwrap();
    client.write_all(b"GET /v1/health HTTP/1.1\r\nHost: grantd\r\n\r\n").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("{\"version\":1}"), "{answer}");
    server.join().unwrap();
    let complaints = relay.complaints();
    assert_eq!(complaints.len(), 1, "{complaints:?}");
    assert!(complaints[0].contains("GET /v1/health: 200"), "{}", complaints[0]);
    assert!(complaints[0].contains("/version: 1 is not of type \"string\""), "{}", complaints[0]);
}
