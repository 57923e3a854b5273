//! Another configuration for a running daemon, or none at all; and a start with a broken one.

use std::time::Duration;

use kms_sandbox::Op;
use serde_json::{Value, json};
use testbed::{Config, Daemon, Host, PATIENCE, Ran, Sandbox, now_ms, until, until_within};

use crate::GRANTD;
use crate::lease::{Lease, ends, history_verifies, request};

/// Two problems, of which the second stands in line 3.
const BROKEN: &str = "group = \"test\"\n[daemon]\nsettle = 7\nsettel = \"1s\"\n";

fn world() -> (Sandbox, Host) {
    let sandbox = Sandbox::start();
    let host = sandbox.host(GRANTD, &Config::default());
    (sandbox, host)
}

/// Replaces a piece of the configuration.
fn change(host: &Host, from: &str, to: &str) {
    let text = std::fs::read_to_string(host.config()).unwrap();
    assert!(text.contains(from), "{text}");
    host.configure(&text.replace(from, to));
}

fn history(host: &Host, kind: &str) -> Vec<Value> {
    let rows = host.get("/v1/history").body["items"].as_array().unwrap().clone();
    rows.into_iter().filter(|row| row["kind"] == kind).collect()
}

fn hang_up(daemon: &Daemon) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(daemon.pid()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
}

#[test]
fn a_good_file_is_in_force_at_once_and_its_changes_are_told() {
    let (sandbox, host) = world();
    let _daemon = host.ready();
    let lease = Lease::make(&host, &sandbox, "20s");
    change(&host, "max-ttl = \"1h\"", "max-ttl = \"10min\"\nmax-extensions = 0");
    let before = history(&host, "reloaded").len();
    let dry = host.grantd(&["reload", "--dry-run", "--json"]).ok().json();
    let changes = json!([
        { "what": "policy readers", "key": "max-ttl", "was": "1h", "is": "10m", "leases": 1,
          "means": "their deadlines stay; an extension goes by the new value" },
        { "what": "policy readers", "key": "max-extensions", "was": "3", "is": "0", "leases": 1,
          "means": "their deadlines stay; an extension goes by the new value" },
    ]);
    assert_eq!(dry["changes"], changes);
    assert_eq!((&dry["dry-run"], &dry["open-leases"]), (&json!(true), &json!(1)));
    assert_eq!(history(&host, "reloaded").len(), before, "a dry run leaves no trace");
    assert_eq!(host.post("/v1/leases", &request(&sandbox, "30min")).status, 201);
    let told = host.grantd(&["reload"]).ok().stdout;
    assert!(told.contains("max-ttl") && told.contains("10m"), "{told}");
    let refused = host.post("/v1/leases", &request(&sandbox, "30min"));
    assert_eq!(refused.body["type"], "ttl-above-max", "{refused:?}");
    let extended = host.grantd(&["extend", &lease.reference, "--ttl", "40s"]);
    assert_eq!(extended.code, Some(77), "{extended:?}");
    let rows = history(&host, "reloaded");
    assert_eq!(rows.len(), before + 1);
    assert!(rows[0]["actor"].as_str().unwrap().starts_with("uid "), "{rows:?}");
    assert_eq!(host.grantd(&["reload", "--json"]).ok().json()["changes"], json!([]));
    let left = u64::try_from(lease.deadline_ms - now_ms()).unwrap_or(0);
    let bound = Duration::from_millis(left) + PATIENCE;
    let end = until_within(bound, "it is ended all the same", || lease_end(&sandbox, &lease));
    assert!(end >= lease.deadline_ms, "{end}");
    history_verifies(&host);
}

/// When the grant of this lease was ended.
fn lease_end(sandbox: &Sandbox, lease: &Lease) -> Option<i64> {
    let named = |name: &String| name.contains(&lease.reference);
    let mut grants = sandbox.leased().into_iter();
    grants.find(|grant| grant.name.as_ref().is_some_and(named))?.ended_at_ms
}

#[track_caller]
fn shows_every_problem(ran: &Ran) {
    assert_eq!(ran.code, Some(78), "{ran:?}");
    for piece in ["grantd.toml:3:10: ", "3 | settle = 7", "^", "grantd.toml:4:1: ", "settel"] {
        assert!(ran.stderr.contains(piece), "{piece}: {}", ran.stderr);
    }
}

#[test]
fn a_bad_file_changes_nothing_and_says_why() {
    let (sandbox, host) = world();
    let daemon = host.ready();
    let good = std::fs::read_to_string(host.config()).unwrap();
    host.configure(BROKEN);
    shows_every_problem(&host.grantd(&["reload", "--dry-run"]));
    assert_eq!(host.get("/v1/status").body["health"], 0, "it was only asked");
    shows_every_problem(&host.grantd(&["reload"]));
    let status = host.get("/v1/status").body;
    assert_eq!(status["health"], 1, "{status}");
    assert!(status["config-problem"]["text"].as_str().unwrap().contains("3 | settle = 7"));
    let shown = host.grantd(&["status"]);
    assert_eq!(shown.code, Some(1), "{shown:?}");
    assert!(shown.stdout.contains("3 | settle = 7"), "{shown:?}");
    assert_eq!(history(&host, "reload-refused").len(), 1);
    // The one before is in force.
    let lease = Lease::make(&host, &sandbox, "5s");
    // By signal: nobody is there to be told, but the log, the history and the status.
    hang_up(&daemon);
    until("the signal's reload is refused too", || {
        (history(&host, "reload-refused").len() == 2).then_some(())
    });
    assert!(host.log().contains("3 | settle = 7"), "{}", host.log());
    host.configure(&good.replace("max-ttl = \"1h\"", "max-ttl = \"2h\""));
    hang_up(&daemon);
    until("the good one is taken", || {
        let status = host.get("/v1/status").body;
        (status["health"] == 0 && status["config-problem"].is_null()).then_some(())
    });
    let rows = history(&host, "reloaded");
    assert_eq!(rows[0]["actor"], "SIGHUP", "{rows:?}");
    lease.ends_on_time(&sandbox);
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_file_that_would_strand_a_lease_is_refused_by_name() {
    let (sandbox, host) = world();
    let _daemon = host.ready();
    let lease = Lease::make(&host, &sandbox, "30s");
    let good = std::fs::read_to_string(host.config()).unwrap();
    let role = "role/grantd\"";
    for (from, to, named) in [
        ("group = \"test\"", "group = \"other\"", "under the group test"),
        ("id = \"111122223333\"", "id = \"444455556666\"", "account 111122223333"),
        ("\"ap-northeast-1\"", "\"eu-west-1\"", "Region ap-northeast-1"),
        (role, "role/other\"", "role/grantd"),
    ] {
        assert!(good.contains(from), "{from}");
        let text = good.replace(from, to);
        // A retiring principal is of its own account.
        host.configure(&text.replace(
            "iam::111122223333",
            match from.starts_with("id") {
                true => "iam::444455556666",
                false => "iam::111122223333",
            },
        ));
        let refused = host.grantd(&["reload"]);
        assert_eq!(refused.code, Some(78), "{to}: {refused:?}");
        assert!(refused.stderr.contains(named), "{to}: {refused:?}");
    }
    // Under the former group it is known.
    host.configure(&good.replace("\"test\"", "\"other\"\nformer-groups = [\"test\"]"));
    host.grantd(&["reload"]).ok().stdout.clear();
    let made = Lease::make(&host, &sandbox, "5s");
    let name = made.now(&host)["grants"][0]["name"].as_str().unwrap().to_owned();
    assert!(name.starts_with("grantd/other/"), "{name}");
    let revoked = host.grantd(&["revoke", &lease.reference]);
    assert_eq!(revoked.code, Some(0), "{revoked:?}");
}

/// What a start does not take, a reload does not take either: it lifts nothing.
#[test]
fn a_start_that_strands_a_lease_only_ends_until_the_file_names_it_again() {
    let (sandbox, host) = world();
    let daemon = host.ready();
    let lease = Lease::make(&host, &sandbox, "8s");
    daemon.kill();
    let good = std::fs::read_to_string(host.config()).unwrap();
    host.configure(&good.replace("111122223333", "444455556666"));
    let _daemon = host.ready();
    let refused = host.grantd(&["reload"]);
    assert_eq!(refused.code, Some(78), "{refused:?}");
    assert!(refused.stderr.contains("account 111122223333"), "{refused:?}");
    assert_eq!(host.post("/v1/leases", &request(&sandbox, "5s")).body["type"], "end-only");
    lease.ends_on_time(&sandbox);
    host.configure(&good);
    assert!(host.grantd(&["reload"]).ok().stdout.contains("leases are made again"));
    assert_eq!(host.post("/v1/leases", &request(&sandbox, "2s")).status, 201);
}

/// A Region that was added serves at once, and one that nobody needs any more may go.
#[test]
fn regions_come_and_go() {
    let (sandbox, host) = world();
    let _daemon = host.ready();
    let regions = |host: &Host| -> Vec<String> {
        let status = host.get("/v1/status").body;
        let lanes = status["lanes"].as_array().unwrap().iter();
        lanes.map(|lane| lane["region"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(regions(&host), ["ap-northeast-1"]);
    change(&host, "[\"ap-northeast-1\"]", "[\"ap-northeast-1\", \"eu-west-1\"]");
    let told = host.grantd(&["reload"]).ok().stdout;
    assert!(told.contains("ap-northeast-1, eu-west-1"), "{told}");
    assert_eq!(regions(&host).len(), 2);
    change(&host, ", \"eu-west-1\"", "");
    let told = host.grantd(&["reload"]).ok().stdout;
    assert!(told.contains("regions"), "{told}");
    let lease = Lease::make(&host, &sandbox, "3s");
    lease.ends_on_time(&sandbox);
}

/// What was asked for under the old file, and is not recorded when the new one comes, is not made.
#[test]
fn a_create_under_way_does_not_outlive_its_policy() {
    let (sandbox, host) = world();
    let _daemon = host.ready();
    let probe = kms_sandbox::Match {
        grantee: Some("role/grantd".to_owned()),
        ..kms_sandbox::Match::op(Op::CreateGrant)
    };
    let rule = sandbox.handle().hold(probe, kms_sandbox::When::Before);
    std::thread::scope(|scope| {
        let asker = scope.spawn(|| host.post("/v1/leases", &request(&sandbox, "30s")));
        until("its proof is under way", || (!sandbox.handle().held().is_empty()).then_some(()));
        change(
            &host,
            "operations = [\"Decrypt\", \"DescribeKey\"]",
            "operations = [\"DescribeKey\"]",
        );
        host.grantd(&["reload"]).ok().stdout.clear();
        sandbox.handle().release(rule);
        let reply = asker.join().unwrap();
        assert_eq!(reply.body["type"], "replaced", "{reply:?}");
    });
    assert!(sandbox.leased().is_empty(), "nothing was made for it");
}

#[test]
fn a_start_with_a_broken_file_only_ends_until_it_is_mended() {
    let (sandbox, host) = world();
    let daemon = host.ready();
    let lease = Lease::make(&host, &sandbox, "8s");
    daemon.kill();
    let good = std::fs::read_to_string(host.config()).unwrap();
    host.configure(BROKEN);
    let daemon = host.ready();
    let refused = host.post("/v1/leases", &request(&sandbox, "5s"));
    assert_eq!((refused.status, &refused.body["type"]), (503, &json!("end-only")), "{refused:?}");
    let shown = host.grantd(&["status"]);
    assert_eq!(shown.code, Some(2), "{shown:?}");
    for piece in ["grantd.toml:3:10: ", "3 | settle = 7", "^", "grantd.toml:4:1: ", "settel"] {
        assert!(shown.stdout.contains(piece), "{piece}: {shown:?}");
    }
    shows_every_problem(&host.grantd(&["reload"]));
    lease.ends_on_time(&sandbox);
    assert_eq!(ends(&sandbox).len(), 1);
    host.configure(&good);
    let told = host.grantd(&["reload"]).ok().stdout;
    assert!(told.contains("leases are made again"), "{told}");
    assert_eq!(host.get("/v1/status").body["health"], 0);
    assert_eq!(host.post("/v1/leases", &request(&sandbox, "2s")).status, 201);
    assert_eq!(daemon.stop(), Some(0));
}
