//! `grantd extend` against a daemon that gives canned answers: whole outputs, and what was asked.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

#[path = "support/command.rs"]
mod command;
#[path = "support/fake.rs"]
#[expect(dead_code, reason = "what other tests want of it too")]
mod fake;
#[path = "support/redact.rs"]
mod redact;

use std::path::Path;

use command::{grantd, transcript};
use fake::{Fake, lease};
use serde_json::{Value, json};

const ONE: &str = "g-7k2m9x4p1q8z";

fn run(line: &str, socket: &Path) -> String {
    transcript(grantd().args(line.split_whitespace()).arg("--socket").arg(socket))
}

fn same(name: &str, shown: impl AsRef<str>) {
    redact::settings().bind(|| insta::assert_snapshot!(name, shown.as_ref()));
}

/// A lease with two grants, the second made by an extension.
fn extended() -> Value {
    let mut lease = lease(ONE);
    let mut second = lease["grants"][0].clone();
    second["serial"] = json!(2);
    second["grant-id"] = json!("def456");
    second["name"] = json!(format!("grantd/prod/{ONE}/2/2125-11-23T20:00:00Z"));
    second["deadline"] = json!("2125-11-23T20:00:00Z");
    second["next-action-at"] = json!("2125-11-23T20:00:00Z");
    lease["deadline"] = json!("2125-11-23T20:00:00Z");
    lease["grants"].as_array_mut().unwrap().push(second);
    lease
}

fn answer(gap: bool, repeated: bool) -> impl Fn(&str) -> (u16, Value) + Send + 'static {
    move |target| {
        if target.starts_with("GET ") {
            return (200, extended());
        }
        let mut made = json!({ "lease": extended(), "token": "AQpAM2RhZg", "repeated": repeated });
        if gap {
            made["gap"] =
                json!({ "from": "2125-11-23T18:00:00Z", "until": "2125-11-23T18:03:20Z" });
        }
        if repeated {
            made.as_object_mut().unwrap().remove("token");
        }
        (200, made)
    }
}

#[test]
fn extend_prints_the_new_deadline_the_gap_and_the_token() {
    let mut all = String::new();
    let (calm, gap, repeated) = (
        Fake::start(answer(false, false)),
        Fake::start(answer(true, false)),
        Fake::start(answer(false, true)),
    );
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    for (fake, more) in [
        (&calm, "--ttl 2h --print-token"),
        (&gap, "--ttl 2h --print-token"),
        (&gap, &format!("--ttl 2h --token-file {}", file.display())),
        (&gap, "--ttl 2h --json"),
        (&repeated, "--until 2125-11-23T20:00:00Z --idempotency-key k1"),
    ] {
        all.push_str(&run(&format!("extend g-7k {more}"), &fake.socket));
        all.push('\n');
    }
    same("extend", all);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "AQpAM2RhZg\n");
    let asked = [&calm, &gap, &repeated].map(|fake| fake.requests());
    let lines = asked.iter().flatten().map(|(target, body)| format!("{target} {body}"));
    same("extend-requests", lines.collect::<Vec<_>>().join("\n"));
    same("show-extended", run("show g-7k", &calm.socket));
}

#[test]
fn what_cannot_be_right_is_said_before_anything_is_asked() {
    let fake = Fake::start(answer(false, false));
    let mut all = String::new();
    for more in [
        "",
        "--ttl 2h --until 2125-11-23T20:00:00Z",
        "--until 2125-11-23T20:00:00",
        "--ttl 2h --beyond-policy",
        "--ttl 2h --idempotency-key é",
        "--ttl 2h --token-file /nonexistent/token",
    ] {
        all.push_str(&run(&format!("extend g-7k {more}"), &fake.socket));
        all.push('\n');
    }
    same("extend-usage", all.replace(&fake.socket.display().to_string(), "[SOCKET]"));
    assert_eq!(fake.requests(), []);
}
