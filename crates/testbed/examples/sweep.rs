//! Kills the daemon at every n-th system call of a kind, by strace, over the whole life of a lease;
//! then starts it again and checks that nothing is lost, nothing is doubled, and all ends. Slow:
//! for `.ci/long`.
//!
//! `sweep GRANTD [STEP]`: only every STEP-th call (default 1).
#![expect(clippy::print_stdout, reason = "what it is for")]

use std::time::Duration;

use serde_json::json;
use testbed::{Config, Host, PATIENCE, Sandbox, now_ms, until, until_within};

/// What the disk and the network see: between two of these nothing changes that a crash could leave
/// behind.
const CALLS: &[&str] = &["pwrite64", "fdatasync", "fsync", "write", "sendto", "connect", "unlink"];
/// A call number that no lease's life reaches.
const CALLS_MAX: u32 = 2_000;
const TTL: &str = "2s";

fn main() {
    let mut args = std::env::args().skip(1);
    let binary = args.next().expect("usage: sweep GRANTD [STEP]");
    let step = args.next().map_or(1, |text| text.parse().expect("STEP is a number"));
    for call in CALLS {
        let mut died = 0;
        for n in (1..CALLS_MAX).step_by(step) {
            if !killed_at(&binary, call, n) {
                break;
            }
            died += 1;
        }
        println!("{call}: killed {died} times, every {step}: all well");
    }
}

/// Whether the daemon got as far as being killed.
fn killed_at(binary: &str, call: &str, n: u32) -> bool {
    let sandbox = Sandbox::start();
    let host = sandbox.host(binary, &Config::default());
    let inject = format!("inject={call}:signal=KILL:when={n}");
    let trace = format!("trace={call}");
    let strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject];
    let mut daemon = host.start_under(&strace);
    let up = until("it listens or is killed", || {
        let dead = daemon.exited().is_some();
        (dead || host.try_get("/v1/status").is_some()).then_some(!dead)
    });
    let request = json!({
        "key": sandbox.story.alias, "grantee": "role/RoleB", "operations": ["Decrypt"], "ttl": TTL,
    });
    let made = up.then(|| host.try_post("/v1/leases", &request).ok()).flatten();
    let acknowledged = made.as_ref().is_some_and(|made| matches!(made.status, 201 | 202));
    let killed = until_within(3 * PATIENCE, "it is killed, or the lease is closed", || {
        let dead = daemon.exited().is_some();
        let closed = made.as_ref().is_some_and(|made| closed(&host, &made.body["lease"]["ref"]));
        (dead || closed).then_some(dead)
    });
    drop(daemon);
    let _next = host.ready();
    if acknowledged {
        let made = made.expect("it was acknowledged");
        let reference = &made.body["lease"]["ref"];
        let what = format!("{call} {n}: {reference} is closed");
        until_within(6 * PATIENCE, &what, || closed(&host, reference).then_some(()));
        assert_eq!(sandbox.leased().len(), 1, "{call} {n}: nothing is lost, nothing doubled");
    }
    let what = format!("{call} {n}: nothing lives");
    until_within(Duration::from_secs(60), &what, || {
        sandbox.handle().with(|core| core.grants_alive(now_ms()).is_empty()).then_some(())
    });
    let verified = host.get("/v1/history/verify");
    assert!(verified.status == 200 && verified.body["broken"].is_null(), "{verified:?}");
    killed
}

fn closed(host: &Host, reference: &serde_json::Value) -> bool {
    let path = format!("/v1/leases/{}", reference.as_str().unwrap_or_default());
    host.try_get(&path).is_some_and(|lease| lease.body["state"] == "closed")
}
