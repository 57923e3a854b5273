//! What opening refuses, what it repairs, and what it leaves alone.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::fixture::{SETTLE, World, now, open, reference, verify};
use crate::ledger::open::MIGRATIONS;
use crate::ledger::{Ledger, Note, OpenError, Row, broken_files};
use crate::rules::life::{Event, Outcome};
use crate::rules::time::HOUR;
use crate::wire::{Asker, NewFreeze, Scope};

fn file(dir: &Path) -> PathBuf {
    dir.join("ledger.db")
}

#[test]
fn a_new_ledger_is_fresh_once_private_and_set_up() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let (ledger, opened) = Ledger::open(&state).unwrap();
    assert!(opened.fresh);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&state), mode(&file(&state))), (0o700, 0o600));
    assert_eq!(mode(&state.join("ledger.db-wal")), 0o600);
    assert!(!state.join("ledger.db-shm").exists(), "the WAL index is on the heap");
    assert_eq!(fs::metadata(state.join("ballast")).unwrap().len(), 4 << 20);
    assert!(!ledger.is_full());
    let conn = ledger.conn().unwrap();
    let pragma = |name: &str| -> String {
        let sql = format!("SELECT CAST({name} AS TEXT) FROM pragma_{name}");
        conn.query_row(&sql, [], |raw| raw.get(0)).unwrap()
    };
    let version = MIGRATIONS.len().to_string();
    for (name, value) in [
        ("locking_mode", "exclusive"),
        ("journal_mode", "wal"),
        ("synchronous", "2"),
        ("foreign_keys", "1"),
        ("trusted_schema", "0"),
        ("cell_size_check", "1"),
        ("user_version", &version),
    ] {
        assert_eq!(pragma(name), value, "{name}");
    }
    drop(ledger);
    let (_, opened) = Ledger::open(&state).unwrap();
    assert!(!opened.fresh && opened.broken.is_none());
}

#[test]
fn a_held_ledger_is_refused_and_stays_usable_by_its_holder() {
    let mut world = World::new();
    let held = Ledger::open(world.dir.path());
    assert!(matches!(held, Err(OpenError::Held(_))), "{held:?}");
    world.granted(1);
    assert_eq!(world.ledger.counts().unwrap().len(), 1);
}

#[test]
fn a_newer_ledger_is_refused_and_not_touched() {
    let world = World::new();
    let dir = world.dir;
    drop(world.ledger);
    let raw = Connection::open(file(dir.path())).unwrap();
    raw.pragma_update(None, "user_version", 99).unwrap();
    drop(raw);
    let before = fs::read(file(dir.path())).unwrap();
    match Ledger::open(dir.path()) {
        Err(OpenError::Newer { found: 99, known, .. }) => {
            assert_eq!(usize::try_from(known).unwrap(), MIGRATIONS.len());
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(fs::read(file(dir.path())).unwrap(), before);
    assert_eq!(broken_files(dir.path()).unwrap(), [] as [PathBuf; 0]);
}

#[test]
fn a_ledger_without_extensions_is_taken_over_with_what_is_in_it() {
    let mut world = World::new();
    let grant = world.granted(1);
    let dir = world.dir;
    drop(world.ledger);
    let raw = Connection::open(file(dir.path())).unwrap();
    raw.execute_batch(
        "DROP TRIGGER lease_until_born; DROP TRIGGER lease_until_moves; DROP TABLE extension_key;
         ALTER TABLE freeze DROP COLUMN keys; DROP INDEX lease_live; DROP TABLE census;
         DROP TABLE refusal;
         ALTER TABLE lane DROP COLUMN proxy; DROP INDEX grant_probe;
         DROP TABLE enforced; DROP TABLE brake; DROP TABLE let_end; DROP INDEX grant_adopted;
         DROP TABLE key_off; DROP TABLE alias_pin; DROP INDEX grant_missing; DROP INDEX grant_found; DROP INDEX grant_due_found;",
    )
    .unwrap();
    raw.pragma_update(None, "user_version", 4).unwrap();
    drop(raw);
    let (mut ledger, opened) = Ledger::open(dir.path()).unwrap();
    assert!(!opened.fresh);
    let row = ledger.row(grant).unwrap();
    assert_eq!(ledger.standing(row.reference(), now(0).latest).unwrap().next, 2);
    assert_eq!(ledger.by_idempotency(1000, "k").unwrap(), None);
    ledger.step(grant, &Event::Due, now(0), &Note::grantd()).unwrap();
}

/// A file as the first version wrote it: lease 1 lives, lease 2 is closed.
fn first_version(path: &Path) {
    let raw = Connection::open(path).unwrap();
    raw.execute_batch(MIGRATIONS[0]).unwrap();
    raw.pragma_update(None, "application_id", 0x6772_7464).unwrap();
    raw.pragma_update(None, "user_version", 1).unwrap();
    let new = World::new().lease(1);
    let request = serde_json::to_string(&new.request).unwrap();
    let (key, role) = (new.request.key_arn.as_str(), new.request.grantee.as_str());
    raw.execute(
        "INSERT INTO lane(account, region, retiring_principal) \
         VALUES('111122223333', 'ap-northeast-1', ?1)",
        [new.lane.retiring_principal.as_str()],
    )
    .unwrap();
    for n in [1_i64, 2] {
        let lease = reference(n.unsigned_abs());
        raw.execute(
            "INSERT INTO lease(ref, lane, origin, key, key_arn, key_id, grantee, grantee_short, \
             operations, constraints, asker_uid, asker, started_at, deadline, latest, lead_ms) \
             VALUES(?1, 1, 'asked', 'alias/app', ?2, 'k1', ?3, 'Role1', '[\"Decrypt\"]', ?4, 1000, \
             'alice', ?5, ?6, ?6, 5000)",
            rusqlite::params![
                lease.as_str(),
                key,
                role,
                serde_json::to_string(&new.request.constraints).unwrap(),
                new.started_at.0,
                new.deadline.0
            ],
        )
        .unwrap();
        raw.execute(
            "INSERT INTO kms_grant(lease, lane, key_arn, serial, origin, name, request, deadline, \
             lead_ms, settle_ms, end_order, state, grant_id, create_count, create_sent, act, \
             next_action_at) VALUES(?1, 1, ?2, 1, 'asked', ?3, ?4, ?5, 5000, ?6, 'retire', \
             'active', 'a' || ?1, 1, ?7, 'end', ?5 - 5000)",
            rusqlite::params![
                n,
                key,
                new.request.name,
                request,
                new.deadline.0,
                new.settle,
                new.started_at.0
            ],
        )
        .unwrap();
    }
    raw.execute(
        "UPDATE kms_grant SET state = 'closed', why = 'asked', via = 'retire', how = 'retired', \
         act = NULL, next_action_at = NULL, end_count = 1, gone_at = ?1, closed_at = ?1 \
         WHERE id = 2",
        [new.started_at.0],
    )
    .unwrap();
    drop(raw);
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn a_ledger_of_the_first_version_ends_and_closes_what_is_in_it() {
    let dir = tempfile::tempdir().unwrap();
    first_version(&file(dir.path()));
    let (mut ledger, opened) = Ledger::open(dir.path()).unwrap();
    assert_eq!((opened.fresh, opened.broken), (false, None));
    let version: i64 =
        ledger.conn().unwrap().pragma_query_value(None, "user_version", |raw| raw.get(0)).unwrap();
    assert_eq!(usize::try_from(version).unwrap(), MIGRATIONS.len());
    let row = ledger.row(1).unwrap();
    assert_eq!(row.life().state.word(), "active");
    assert_eq!(row.lane().ways, crate::kms::Ways::default());
    assert_eq!(ledger.standing(row.reference(), now(0).latest).unwrap().next, 2);
    let ahead = ledger.ahead(now(HOUR).latest, 10).unwrap();
    assert_eq!(ahead.iter().map(Row::id).collect::<Vec<_>>(), [1]);
    for (event, at) in [
        (Event::Due, HOUR),
        (Event::Sending, HOUR),
        (Event::Answered(Outcome::Done(())), HOUR + 1),
        (Event::Looked { began: now(HOUR + SETTLE), ids: vec![] }, HOUR + SETTLE),
    ] {
        ledger.step(1, &event, now(at), &Note::grantd()).unwrap();
    }
    for n in [1, 2] {
        let lease = ledger.lease(reference(n).as_str()).unwrap();
        assert_eq!((lease.state.as_str(), lease.closed_at.is_some()), ("closed", true), "{n}");
    }
    let (rows, broken) = verify(&ledger);
    assert!(rows >= 3 && broken.is_none(), "{rows} {broken:?}");
}

#[test]
fn a_freeze_of_before_its_keys_were_kept_still_stands() {
    let mut world = World::new();
    let scope = Scope { key: Some("alias/app".to_owned()), ..Scope::default() };
    let new = NewFreeze { scope, all: false, reason: "incident".to_owned() };
    let by = Asker { uid: 0, name: "root".to_owned() };
    let freeze = world.ledger.freeze(&new, &[], &by, now(0)).unwrap();
    let dir = world.dir;
    drop(world.ledger);
    let raw = Connection::open(file(dir.path())).unwrap();
    raw.execute_batch(
        "ALTER TABLE freeze DROP COLUMN keys; DROP INDEX lease_live; DROP TABLE census; DROP TABLE refusal;
         ALTER TABLE lane DROP COLUMN proxy; DROP INDEX grant_probe;
         DROP TABLE enforced; DROP TABLE brake; DROP TABLE let_end; DROP INDEX grant_adopted;
         DROP TABLE key_off; DROP TABLE alias_pin; DROP INDEX grant_missing; DROP INDEX grant_found; DROP INDEX grant_due_found;",
    )
    .unwrap();
    raw.pragma_update(None, "user_version", 6).unwrap();
    drop(raw);
    let (ledger, opened) = Ledger::open(dir.path()).unwrap();
    assert!(!opened.fresh);
    assert_eq!(ledger.freezes().unwrap(), [freeze]);
}

#[test]
fn somebody_else_s_database_is_refused_and_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    let raw = Connection::open(file(dir.path())).unwrap();
    raw.execute_batch("CREATE TABLE theirs(x)").unwrap();
    drop(raw);
    fs::set_permissions(file(dir.path()), fs::Permissions::from_mode(0o600)).unwrap();
    let before = fs::read(file(dir.path())).unwrap();
    let error = Ledger::open(dir.path()).unwrap_err();
    assert!(error.to_string().contains("something else"), "{error}");
    assert_eq!(fs::read(file(dir.path())).unwrap(), before);
}

/// Each damage leads to the broken file kept aside, a fresh ledger, and a word about it.
#[test]
fn a_corrupt_ledger_is_kept_aside_and_never_silently_replaced() {
    type Damage = fn(&mut Vec<u8>);
    let damages: [(&str, Damage); 3] = [
        ("no header", |bytes| bytes[..100].fill(b'x')),
        ("a page of the schema", |bytes| bytes[100..2_000].fill(0xFF)),
        // Every page after the first few: found by the quick check alone.
        ("pages of the tables", |bytes| {
            for page in bytes.chunks_mut(4_096).skip(8) {
                page[..64].fill(0xAA);
            }
        }),
    ];
    for (name, damage) in damages {
        let mut world = World::new();
        world.granted(1);
        let dir = world.dir;
        drop(world.ledger);
        let mut bytes = fs::read(file(dir.path())).unwrap();
        damage(&mut bytes);
        fs::write(file(dir.path()), &bytes).unwrap();

        let (ledger, opened) = Ledger::open(dir.path()).unwrap();
        assert!(opened.fresh, "{name}");
        let aside = opened.broken.unwrap();
        assert_eq!(fs::read(&aside).unwrap(), bytes, "{name}: the evidence is kept");
        assert_eq!(broken_files(dir.path()).unwrap(), [aside]);
        assert!(ledger.lease(reference(1).as_str()).is_err());
        drop(ledger);
        // It is said as long as the file lies there, also at a later start.
        open(&dir);
        assert_eq!(broken_files(dir.path()).unwrap().len(), 1);
    }
}

#[test]
fn a_second_corrupt_ledger_of_the_same_second_gets_its_own_name() {
    let dir = tempfile::tempdir().unwrap();
    for n in 1..=3 {
        let path = file(dir.path());
        fs::write(&path, vec![b'x'; 4_096]).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let (ledger, opened) = Ledger::open(dir.path()).unwrap();
        assert!(opened.broken.is_some());
        drop(ledger);
        assert_eq!(broken_files(dir.path()).unwrap().len(), n);
    }
}

fn refused(dir: &Path, word: &str) {
    match Ledger::open(dir) {
        Err(OpenError::Unsafe { why, .. }) => assert!(why.contains(word), "{why}"),
        other => panic!("{word}: {other:?}"),
    }
}

#[test]
fn an_unsafe_place_is_refused_with_the_remedy() {
    let made = || {
        let world = World::new();
        let dir = world.dir;
        drop(world.ledger);
        dir
    };
    let mode = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    let dir = made();
    mode(dir.path(), 0o770);
    refused(dir.path(), "chmod 0700");

    let dir = made();
    mode(&file(dir.path()), 0o640);
    refused(dir.path(), "chmod 0600");

    let dir = made();
    fs::hard_link(file(dir.path()), dir.path().join("second")).unwrap();
    refused(dir.path(), "2 names");

    let dir = made();
    fs::rename(file(dir.path()), dir.path().join("elsewhere")).unwrap();
    symlink("elsewhere", file(dir.path())).unwrap();
    refused(dir.path(), "no regular file");

    let dir = made();
    fs::write(dir.path().join("ledger.db-wal"), "").unwrap();
    mode(&dir.path().join("ledger.db-wal"), 0o644);
    refused(dir.path(), "chmod 0600");
}

/// systemd's state directory is a symbolic link under `DynamicUser=`.
#[test]
fn a_linked_directory_is_followed() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("private")).unwrap();
    fs::set_permissions(dir.path().join("private"), fs::Permissions::from_mode(0o700)).unwrap();
    symlink("private", dir.path().join("state")).unwrap();
    let (ledger, _) = Ledger::open(&dir.path().join("state")).unwrap();
    assert!(ledger.dir().ends_with("private"));
}
