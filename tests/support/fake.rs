//! A daemon that gives canned answers, over the wire as the API writes it.

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use testbed::Relay;

/// A request as it came: method and target, and the body.
pub(crate) type Request = (String, Value);

/// The server; it ends with the test process.
pub(crate) struct Fake {
    relay: Option<Relay>,
    _dir: tempfile::TempDir,
    /// Where it listens.
    pub(crate) socket: PathBuf,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Fake {
    /// Answers by `answer`, from `METHOD /target` to status and document; what it answers is held
    /// against the API's document, as the daemon's own words are. Status 0 breaks off without an
    /// answer, and `{"line": …}` is an answer of one line.
    pub(crate) fn start(answer: impl Fn(&str) -> (u16, Value) + Send + 'static) -> Self {
        let mut fake = Self::off_contract(answer);
        let front = fake.socket.with_file_name("grantd.sock");
        fake.relay = Some(Relay::start(&front, &fake.socket));
        fake.socket = front;
        fake
    }

    /// The same for answers that no daemon of this version gives.
    pub(crate) fn off_contract(answer: impl Fn(&str) -> (u16, Value) + Send + 'static) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("fake.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                serve(stream.unwrap(), &answer, &seen);
            }
        });
        Self { relay: None, _dir: dir, socket, requests }
    }

    /// What was asked so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

fn serve(
    mut stream: UnixStream,
    answer: &impl Fn(&str) -> (u16, Value),
    seen: &Mutex<Vec<Request>>,
) {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).unwrap() == 0 {
            return;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head
        .lines()
        .find_map(|line| line.to_lowercase().strip_prefix("content-length: ").map(str::to_owned));
    let mut body = vec![0; length.map_or(0, |n| n.parse().unwrap())];
    stream.read_exact(&mut body).unwrap();
    let target = head.lines().next().unwrap().trim_end_matches(" HTTP/1.1").to_owned();
    let (status, document) = answer(&target);
    let sent = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap() };
    seen.lock().unwrap().push((target, sent));
    // The answer never comes.
    if status == 0 {
        return;
    }
    if let Some(line) = document.get("line") {
        let head =
            format!("HTTP/1.1 {status} X\r\ncontent-type: application/x-ndjson\r\n\r\n{line}\n");
        return stream.write_all(head.as_bytes()).unwrap();
    }
    let kind = if document.get("hint").is_some() {
        "application/problem+json"
    } else {
        "application/json"
    };
    let text = document.to_string();
    let place = match document["lease"]["ref"].as_str() {
        Some(reference) if status == 201 => format!("location: /v1/leases/{reference}\r\n"),
        _ => String::new(),
    };
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\n{place}content-length: {}\r\n\r\n",
        text.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(text.as_bytes()).unwrap();
}

/// The key of every lease.
pub(crate) const KEY: &str =
    "arn:aws:kms:ap-northeast-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

/// A lease that lives.
pub(crate) fn lease(reference: &str) -> Value {
    json!({
        "ref": reference, "state": "active",
        "key-arn": KEY,
        "key": "alias/app", "grantee": "arn:aws:iam::111122223333:role/RoleB",
        "operations": ["Decrypt", "DescribeKey"],
        "constraints": { "subset": { "Department": "IT" } },
        "policy": "s3-readers", "reason": "ticket 4711", "asker": { "uid": 1000, "name": "alice" },
        "origin": "asked", "account": "111122223333", "region": "ap-northeast-1",
        "endpoint": "http://127.0.0.1:4599", "started-at": "2125-11-23T16:00:00Z",
        "deadline": "2125-11-23T18:00:00Z", "latest": "2125-11-24T00:00:00Z", "lead-ms": 0,
        "closed-at": null, "held": false,
        "grants": [{
            "serial": 1, "twin": 0, "grant-id": "abc123",
            "name": format!("grantd/prod/{reference}/1/2125-11-23T18:00:00Z"), "state": "active",
            "why": null, "how": null, "deadline": "2125-11-23T18:00:00Z",
            "next-action-at": "2125-11-23T18:00:00Z", "attempts": 0, "issued-at": null,
            "accepted-at": null, "missing-at": null, "gone-at": null, "fault": null, "fault-since": null
        }]
    })
}

/// The same, past its deadline and refused by KMS.
pub(crate) fn overdue(reference: &str) -> Value {
    let mut lease = lease(reference);
    lease["state"] = json!("ending");
    lease["deadline"] = json!("2025-11-23T18:00:00Z");
    lease["endpoint"] = Value::Null;
    lease["constraints"] = Value::Null;
    lease["lead-ms"] = json!(300_000);
    let grant = &mut lease["grants"][0];
    grant["deadline"] = json!("2025-11-23T18:00:00Z");
    grant["state"] = json!("ending");
    grant["why"] = json!("deadline");
    grant["attempts"] = json!(3);
    grant["issued-at"] = json!("2025-11-23T18:00:00.012Z");
    grant["fault"] = json!("denied");
    grant["fault-since"] = json!("2025-11-23T18:00:00.050Z");
    lease
}

/// The same, over and done with.
pub(crate) fn closed(reference: &str) -> Value {
    let mut lease = overdue(reference);
    lease["state"] = json!("closed");
    lease["closed-at"] = json!("2025-11-23T18:11:00.5Z");
    let grant = &mut lease["grants"][0];
    grant["state"] = json!("closed");
    grant["how"] = json!("retired");
    grant["fault"] = Value::Null;
    grant["fault-since"] = Value::Null;
    grant["next-action-at"] = Value::Null;
    grant["accepted-at"] = json!("2025-11-23T18:00:00.048Z");
    grant["gone-at"] = json!("2025-11-23T18:00:01.100Z");
    lease
}
