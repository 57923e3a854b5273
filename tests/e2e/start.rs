//! A ledger that this program cannot serve is refused, and left as it is.

use rusqlite::Connection;
use testbed::{Config, Sandbox};

use crate::GRANTD;

#[test]
fn a_newer_ledger_is_refused_and_not_changed() {
    let sandbox = Sandbox::start();
    let host = sandbox.host(GRANTD, &Config::default());
    assert_eq!(host.ready().stop(), Some(0));
    let ledger = only_database(&host.state_dir());
    let newer = |ledger: &std::path::Path| {
        let db = Connection::open(ledger).unwrap();
        db.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0)).unwrap()
    };
    let known = newer(&ledger);
    Connection::open(&ledger).unwrap().pragma_update(None, "user_version", known + 1).unwrap();
    let daemon = host.start();
    assert_eq!(daemon.code(), Some(78), "{}", host.log());
    let said = format!("is of version {}; this grantd knows versions up to {known}", known + 1);
    assert!(host.log().contains(&said), "{}", host.log());
    assert_eq!(newer(&ledger), known + 1);
}

/// The ledger: the one SQLite file of the state directory.
fn only_database(dir: &std::path::Path) -> std::path::PathBuf {
    let files = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let is_sqlite = |path: &std::path::PathBuf| {
        std::fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"SQLite format 3\0"))
    };
    let found: Vec<_> = files.filter(is_sqlite).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].clone()
}
