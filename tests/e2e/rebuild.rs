//! A host that lost its ledger, or has an old or a damaged one: KMS has the deadlines.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use kms_sandbox::Op;
use serde_json::{Value, json};
use testbed::{Config, Host, Sandbox, now_ms, until, until_within};

use crate::GRANTD;
use crate::lease::{Lease, history_verifies, instant, request};

/// Ours, and as many of others.
const OURS: i64 = 5_000;
/// 100 pages of 100 grants at `list = 50` are two seconds, 5,000 rows a few more; a busy machine
/// takes its time.
const BOUND: Duration = Duration::from_secs(60);

/// Between two creates of the past: KMS takes 50 in a second.
const APART_MS: i64 = 25;

/// Makes a grant as grantd's role would have, some minutes ago, and gives its ref.
fn make(sandbox: &Sandbox, at_ms: i64, deadline_ms: i64, ours: bool) -> String {
    let i = at_ms / APART_MS;
    let reference = format!("g-{i:012}");
    let until = Timestamp::from_millisecond(deadline_ms).unwrap();
    let mut body = json!({
        "KeyId": sandbox.story.key_arn, "GranteePrincipal": sandbox.story.role_b.arn,
        "Operations": ["Decrypt"], "Name": format!("grantd/test/{reference}/1/{until}"),
        "RetiringPrincipal": sandbox.story.grantd.arn,
    });
    if !ours {
        body["Name"] = json!(format!("grantd/theirs/{reference}/1/{until}"));
        body["RetiringPrincipal"] = json!(sandbox.story.role_a.arn);
    }
    let caller = &sandbox.story.grantd.caller;
    let made = sandbox.handle().with(|core| core.call(caller, Op::CreateGrant, &body, at_ms));
    assert!(made.is_ok(), "{made:?}");
    reference
}

/// Every open lease: its deadline by its ref.
fn open(host: &Host) -> BTreeMap<String, Value> {
    let (mut all, mut path) = (BTreeMap::new(), "/v1/leases".to_owned());
    loop {
        let page = host.get(&path);
        assert_eq!(page.status, 200, "{page:?}");
        for lease in page.body["items"].as_array().unwrap() {
            all.insert(lease["ref"].as_str().unwrap().to_owned(), lease.clone());
        }
        match page.body["next"].as_str() {
            Some(next) => path = format!("/v1/leases?after={next}"),
            None => return all,
        }
    }
}

#[test]
fn five_thousand_among_five_thousand_come_back_before_the_first_new_one() {
    let sandbox = Sandbox::start();
    let whole = now_ms() / 1_000 * 1_000;
    let from = whole - 2 * OURS * APART_MS;
    let mut made = BTreeMap::new();
    for i in 0..OURS {
        let (at, deadline) = (from + 2 * i * APART_MS, whole + (600 + i % 2_400) * 1_000);
        made.insert(make(&sandbox, at, deadline, true), deadline);
        make(&sandbox, at + APART_MS, deadline, false);
    }
    let host = sandbox.host(GRANTD, &Config::default());
    let daemon = host.ready();
    // Whoever asks at once is served when all are back, or told to come again; never before.
    let first = until_within(BOUND, "a new lease is made", || {
        let reply = host.post("/v1/leases", &request(&sandbox, "30s"));
        match reply.status {
            201 => Some(Lease::of(&reply, 201)),
            503 => {
                assert_eq!(reply.body["type"], "searching", "{reply:?}");
                None
            }
            _ => panic!("{reply:?}"),
        }
    });
    let mut found = open(&host);
    found.retain(|_, lease| lease["origin"] == "found");
    assert_eq!(found.len(), made.len());
    for (reference, deadline) in &made {
        let lease = &found[reference];
        assert_eq!(instant(&lease["deadline"]), *deadline, "{lease}");
        assert!(lease["asker"].is_null() && lease["reason"].is_null(), "{lease}");
    }
    let revoked = host.grantd(&["revoke", &first.reference]);
    assert_eq!(revoked.code, Some(0), "{revoked:?}");
    let foreign = sandbox.leased().into_iter().filter(|grant| {
        grant.name.as_deref().is_some_and(|name| name.starts_with("grantd/theirs/"))
    });
    assert!(foreign.into_iter().all(|grant| grant.ended_at_ms.is_none()), "hands off");
    history_verifies(&host);
    assert_eq!(daemon.stop(), Some(0));
}

/// A restored backup, a clone of the machine: the ledger is older than what lives.
#[test]
fn an_old_ledger_learns_what_was_made_since() {
    let sandbox = Sandbox::start();
    let host = sandbox.host(GRANTD, &Config::default());
    let daemon = host.ready();
    let before = Lease::make(&host, &sandbox, "12s");
    daemon.kill();
    let copy = tempfile::tempdir().unwrap();
    copy_all(&host.state_dir(), copy.path());
    let daemon = host.ready();
    let since = Lease::make(&host, &sandbox, "12s");
    daemon.kill();
    std::fs::remove_dir_all(host.state_dir()).unwrap();
    std::fs::create_dir(host.state_dir()).unwrap();
    copy_all(copy.path(), &host.state_dir());
    let _daemon = host.ready();
    until("the newer one is found", || {
        Lease::all(&host).into_iter().find(|(lease, _)| lease.reference == since.reference)
    });
    before.ends_among_others(&sandbox);
    since.ends_among_others(&sandbox);
    history_verifies(&host);
}

fn copy_all(from: &std::path::Path, to: &std::path::Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}
