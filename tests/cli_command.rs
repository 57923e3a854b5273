//! `grantd create … -- COMMAND`, against a daemon that gives canned answers.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

#[path = "support/command.rs"]
mod command;
#[path = "support/fake.rs"]
#[expect(dead_code, reason = "what other tests want of it too")]
mod fake;

use command::{grantd, transcript};
use fake::{Fake, lease};
use grantd::rules::time::{SECOND, Time};
use serde_json::{Value, json};

const ONE: &str = "g-7k2m9x4p1q8z";

/// `create … -- COMMAND` against a daemon whose first word on the hold is `held`.
fn create_and_run(deadline: &str, held: (u16, Value)) -> (String, bool) {
    let mut lease = lease(ONE);
    lease["deadline"] = json!(deadline);
    let made = json!({ "lease": lease, "repeated": false });
    let fake = Fake::start(move |target| match target {
        "POST /v1/leases" => (201, made.clone()),
        _ => held.clone(),
    });
    let dir = tempfile::tempdir().unwrap();
    let line = "create --key alias/app --grantee role/RoleB --operations Decrypt --socket";
    let mut command = grantd();
    command.args(line.split_whitespace()).arg(&fake.socket).args(["--", "touch"]);
    command.arg(dir.path().join("ran"));
    let told = transcript(&mut command);
    (told, dir.path().join("ran").exists())
}

#[test]
fn no_command_runs_on_a_lease_that_is_over() {
    let line = json!({ "state": "ended", "deadline": "2125-11-23T18:00:00Z" });
    let (told, ran) = create_and_run("2125-11-23T18:00:00Z", (200, json!({ "line": line })));
    assert!(!ran, "{told}");
    assert!(told.contains(&format!("error: lease {ONE} is over already; the command")), "{told}");
    assert!(told.ends_with("--- exit 64\n"), "{told}");
}

#[test]
fn a_daemon_that_never_holds_the_lease_is_not_waited_for_beyond_its_deadline() {
    let soon = Time(testbed::now_ms() + 5 * SECOND);
    let (told, ran) = create_and_run(&soon.to_string(), (0, Value::Null));
    assert!(!ran, "{told}");
    assert_eq!(told.matches("waiting for the daemon to hold lease").count(), 1, "{told}");
    assert!(told.contains("the command was not run, and the lease ends by itself"), "{told}");
    assert!(told.ends_with("--- exit 69\n"), "{told}");
}
