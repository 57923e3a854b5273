//! A backup of a ledger on which the daemon works, and what becomes of it when it is put back.

use testbed::{Config, Ran, Sandbox, until};

use crate::GRANTD;
use crate::lease::{Lease, history_verifies};

#[test]
fn a_backup_made_while_the_daemon_works_is_put_back_and_no_deadline_is_lost() {
    let sandbox = Sandbox::start();
    let host = sandbox.host(GRANTD, &Config { create_rate: 50, ..Config::default() });
    let daemon = host.ready();
    let state = host.state_dir().display().to_string();
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("grantd.db").display().to_string();
    let backup = |more: &[&str]| -> Ran {
        host.grantd(&[&["backup", &file, "--state-dir", &state], more].concat())
    };
    let before = Lease::make(&host, &sandbox, "20s");
    let first = backup(&["--json"]);
    assert_eq!(first.code, Some(0), "{first:?}");
    let told = first.json();
    let open = told["open-grants"].as_u64().unwrap();
    assert!((1..=2).contains(&open), "the lease, and maybe the proof of the way out: {told}");
    let again = backup(&[]);
    assert_eq!(again.code, Some(64), "never over another file: {again:?}");
    assert!(again.stderr.contains("is there already"), "{again:?}");

    // The copy is read as any ledger is, while the daemon runs on its own.
    let verified = host.grantd(&["history", "verify", "--ledger", &file]);
    assert_eq!(verified.code, Some(0), "{verified:?}");
    assert!(verified.stdout.contains(told["head"].as_str().unwrap()), "{verified:?}");
    let listed = host.grantd(&["list", "--json", "--ledger", &file]).ok().json();
    assert_eq!(listed[0]["ref"], before.reference.as_str(), "{listed}");

    let since = Lease::make(&host, &sandbox, "20s");
    daemon.kill();
    std::fs::remove_dir_all(host.state_dir()).unwrap();
    std::fs::create_dir(host.state_dir()).unwrap();
    std::fs::copy(&file, host.state_dir().join("ledger.db")).unwrap();
    let _daemon = host.ready();
    until("what was made since is found", || {
        Lease::all(&host).into_iter().find(|(lease, _)| lease.reference == since.reference)
    });
    before.ends_among_others(&sandbox);
    since.ends_among_others(&sandbox);
    history_verifies(&host);
}

#[test]
fn without_a_ledger_or_the_right_to_read_it_there_is_none() {
    let sandbox = Sandbox::start();
    let host = sandbox.host(GRANTD, &Config::default());
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("grantd.db").display().to_string();
    let none = host.grantd(&["backup", &file, "--state-dir", "/nonexistent"]);
    assert_eq!(none.code, Some(66), "{none:?}");
    let state = host.state_dir().display().to_string();
    drop(host.ready());
    let inside = host.state_dir().join("b").display().to_string();
    let refused = host.grantd(&["backup", &inside, "--state-dir", &state]);
    assert_eq!(refused.code, Some(64), "{refused:?}");
    assert!(!std::path::Path::new(&file).exists());
}
