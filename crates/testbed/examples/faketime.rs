//! A daemon whose libc lies about the time (libfaketime): the clock is set while it lives, ahead
//! and back, and its leases end on time all the same. For `.ci/long`.
//!
//! `faketime GRANTD LIBFAKETIME`
#![expect(clippy::print_stdout, reason = "what it is for")]
#![expect(clippy::unwrap_used, reason = "a test panics where its world is not as it must be")]

use kms_sandbox::Op;
use serde_json::json;
use testbed::load::ends;
use testbed::{Config, Sandbox, until};

const STEPS: [&str; 6] = ["+1s", "-1s", "+10m", "-10m", "+10y", "-10y"];
/// What an end may be late on a busy machine.
const LATE_MS: i64 = 10_000;

fn main() {
    let mut args = std::env::args().skip(1);
    let usage = "usage: faketime GRANTD LIBFAKETIME";
    let (binary, library) = (args.next().expect(usage), args.next().expect(usage));
    for step in STEPS {
        let late = stepped(&binary, &library, step);
        assert!((0..LATE_MS).contains(&late), "{step}: ended {late} ms after its deadline");
        println!("{step}: ended {late} ms after its deadline");
    }
}

/// How much after its deadline a lease ended that met this step half way.
fn stepped(binary: &str, library: &str, step: &str) -> i64 {
    let sandbox = Sandbox::start();
    let host = sandbox.host(binary, &Config::default());
    let file = host.dir().join("faketime");
    std::fs::write(&file, "+0s").unwrap();
    let set = [
        "env".to_owned(),
        format!("LD_PRELOAD={library}"),
        format!("FAKETIME_TIMESTAMP_FILE={}", file.display()),
        "FAKETIME_NO_CACHE=1".to_owned(),
        // Nobody can set the monotonic clock.
        "FAKETIME_DONT_FAKE_MONOTONIC=1".to_owned(),
    ];
    let _daemon = host.start_under(&set.each_ref().map(String::as_str));
    until("it listens", || host.try_get("/v1/status"));
    let request = json!({
        "key": sandbox.story.alias, "grantee": "role/RoleB", "operations": ["Decrypt"], "ttl": "5s",
    });
    let made = host.post("/v1/leases", &request);
    assert_eq!(made.status, 201, "{}", made.body);
    std::fs::write(&file, step).unwrap();
    let (deadline, ended) = until("it is ended", || ends(&sandbox).pop());
    assert_eq!(sandbox.accepted(Op::RevokeGrant).len(), 0);
    ended - deadline
}
