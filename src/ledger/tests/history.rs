//! The chain: triggers stop bugs, and the walk finds what somebody did to the file with other
//! tools.

use std::path::Path;

use proptest::prelude::*;
use rusqlite::Connection;
use tempfile::TempDir;

use super::fixture::{World, now, verify};
use crate::ledger::{Head, Ledger, LedgerError, open};

fn chain(rows: i64) -> (TempDir, Head) {
    let mut world = World::new();
    for n in 0..rows {
        let at = now(n).latest;
        let body = serde_json::json!({ "n": n });
        world.ledger.note(at, None, "noted", "grantd", &body).unwrap();
    }
    let head = world.ledger.head().unwrap();
    assert_eq!(verify(&world.ledger), (rows, None));
    (world.dir, head)
}

/// Change the closed file as its owner can, past the triggers and without a trace of that.
fn change(dir: &Path, sql: &str) {
    let raw = Connection::open(dir.join("ledger.db")).unwrap();
    let mut query =
        raw.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").unwrap();
    let triggers = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let triggers: Vec<(String, String)> = triggers.map(Result::unwrap).collect();
    for (name, _) in &triggers {
        raw.execute_batch(&format!("DROP TRIGGER {name}")).unwrap();
    }
    raw.execute_batch(sql).unwrap();
    for (_, made) in &triggers {
        raw.execute_batch(made).unwrap();
    }
}

/// The same; then say where the walk finds it.
fn tamper(dir: &TempDir, sql: &str) -> Option<i64> {
    change(dir.path(), sql);
    let (ledger, _) = Ledger::open(dir.path()).unwrap();
    verify(&ledger).1.and_then(|broken| broken.seq)
}

#[test]
fn every_kind_of_tampering_is_found_and_placed() {
    for (sql, found) in [
        ("UPDATE history SET body = '{\"n\":99}' WHERE seq = 5", Some(5)),
        ("UPDATE history SET at = at + 1 WHERE seq = 5", Some(5)),
        ("UPDATE history SET lease = 'g-000000000000' WHERE seq = 5", Some(5)),
        ("UPDATE history SET kind = 'note', actor = 'dgrantd' WHERE seq = 5", Some(5)),
        ("DELETE FROM history WHERE seq = 5", Some(6)),
        ("DELETE FROM history WHERE seq = 1", Some(2)),
        // Swap two rows' contents and keep the numbers.
        (
            "UPDATE history SET seq = -5 WHERE seq = 5; UPDATE history SET seq = 5 WHERE seq = 6; \
             UPDATE history SET seq = 6 WHERE seq = -5",
            Some(5),
        ),
        // Rows before the first, which fit it or nothing.
        (
            "INSERT INTO history SELECT 0, at, lease, kind, actor, body, prev, randomblob(32) \
             FROM history WHERE seq = 1",
            Some(0),
        ),
        (
            "INSERT INTO history SELECT -7, at, 'g-000000000000', kind, actor, body, zeroblob(32), \
             randomblob(32) FROM history WHERE seq = 1",
            Some(-7),
        ),
        (
            "INSERT INTO history SELECT -9223372036854775808, at, lease, kind, actor, body, prev, \
             randomblob(32) FROM history WHERE seq = 1",
            Some(i64::MIN),
        ),
        // A row between others, the later ones moved up.
        (
            "UPDATE history SET seq = -seq WHERE seq > 5; \
             UPDATE history SET seq = 1 - seq WHERE seq < 0; \
             INSERT INTO history SELECT 6, at, lease, kind, actor, body, hash, zeroblob(32) \
             FROM history WHERE seq = 5",
            Some(6),
        ),
    ] {
        let (dir, _) = chain(20);
        assert_eq!(tamper(&dir, sql), found, "{sql}");
    }
}

/// Whoever owns the file can take the guards away, or add a guard that lies.
#[test]
fn changed_guards_are_found_by_name() {
    for (sql, why) in [
        ("DROP TRIGGER history_chain", "trigger history_chain is missing"),
        (
            "DROP TRIGGER history_kept; CREATE TRIGGER history_kept BEFORE UPDATE ON history \
             BEGIN SELECT 1; END",
            "trigger history_kept is not as grantd made it",
        ),
        (
            "CREATE TRIGGER again AFTER INSERT ON history BEGIN SELECT 1; END",
            "trigger again is none of grantd's",
        ),
        (
            "CREATE TRIGGER quiet AFTER UPDATE ON kms_grant BEGIN DELETE FROM refusal; END",
            "trigger quiet is none of grantd's",
        ),
        ("DROP INDEX history_at", "index history_at is missing"),
        (
            "ALTER TABLE history RENAME TO old; CREATE VIEW history AS SELECT * FROM old",
            "index history_at is missing",
        ),
    ] {
        let (dir, _) = chain(3);
        let raw = Connection::open(dir.path().join("ledger.db")).unwrap();
        raw.execute_batch(sql).unwrap();
        drop(raw);
        let (ledger, _) = Ledger::open(dir.path()).unwrap();
        let broken = verify(&ledger).1.unwrap();
        assert_eq!((broken.seq, broken.why.as_str()), (None, why), "{sql}");
    }
}

/// A listing by time or by lease follows an index: what that lacks is hidden from whoever asks so.
#[test]
fn a_row_that_an_index_lacks_is_found() {
    for (index, columns) in [("history_at", "at, seq"), ("history_lease", "lease, seq")] {
        let mut world = World::new();
        for n in 1..8 {
            let (at, of) = (now(n).latest, super::fixture::reference(1));
            world.ledger.note(at, Some(&of), "noted", "grantd", &serde_json::json!({})).unwrap();
        }
        let World { dir, ledger, .. } = world;
        drop(ledger);
        let raw = Connection::open(dir.path().join("ledger.db")).unwrap();
        raw.execute_batch(&format!(
            "CREATE TABLE kept AS SELECT sql FROM sqlite_schema WHERE name = '{index}'; \
             DROP INDEX {index}; \
             CREATE INDEX {index} ON history({columns}) WHERE lease IS NOT NULL AND seq <> 5; \
             PRAGMA writable_schema = ON; \
             UPDATE sqlite_schema SET sql = (SELECT sql FROM kept) WHERE name = '{index}'"
        ))
        .unwrap();
        drop(raw);
        let (conn, _) = open::connect(&dir.path().join("ledger.db"), false).unwrap();
        let broken = verify(&Ledger::of(dir.path(), conn, None)).1.unwrap();
        assert_eq!(
            (broken.seq, broken.why.as_str()),
            (Some(5), "an index lacks it: listings hide it")
        );
    }
}

/// Whoever rewrites the tail can make it fit: only a head from the journal shows it.
#[test]
fn a_cut_tail_shows_against_the_head_that_the_journal_holds() {
    let (dir, head) = chain(20);
    assert_eq!(tamper(&dir, "DELETE FROM history WHERE seq > 15"), None);
    let (ledger, _) = Ledger::open(dir.path()).unwrap();
    assert_eq!(ledger.hash_of(head.seq).unwrap(), None);
    assert_ne!(ledger.head().unwrap(), head);
}

#[test]
fn the_triggers_refuse_every_way_but_the_next_row() {
    let world = World::new();
    let mut ledger = world.ledger;
    for n in 0..3 {
        ledger.note(now(n).latest, None, "noted", "grantd", &serde_json::json!({})).unwrap();
    }
    let conn = ledger.conn().unwrap();
    for sql in [
        "UPDATE history SET body = '{}' WHERE seq = 2",
        "DELETE FROM history WHERE seq = 3",
        // The row itself again: REPLACE passes the triggers on UPDATE and DELETE.
        "INSERT OR REPLACE INTO history SELECT * FROM history WHERE seq = 3",
        "INSERT INTO history SELECT seq + 2, at, lease, kind, actor, body, hash, randomblob(32) \
         FROM history WHERE seq = 3",
        "INSERT INTO history SELECT seq + 1, at, lease, kind, actor, body, prev, randomblob(32) \
         FROM history WHERE seq = 3",
        "INSERT INTO history SELECT seq + 1, at, lease, kind, actor, body, hash, x'00' \
         FROM history WHERE seq = 3",
    ] {
        assert!(conn.execute_batch(sql).is_err(), "{sql}");
    }
    let fits = "INSERT INTO history SELECT seq + 1, at, lease, kind, actor, body, hash, \
                randomblob(32) FROM history WHERE seq = 3";
    conn.execute_batch(fits).unwrap();
    // It fits the triggers, and not the hash.
    assert_eq!(verify(&ledger).1.and_then(|broken| broken.seq), Some(4));
}

#[test]
fn a_note_with_a_body_of_any_text_keeps_the_chain() {
    let mut world = World::new();
    let body = serde_json::json!({ "words": "nul \u{0}, quote \", snowman \u{2603}" });
    let reference = super::fixture::reference(3);
    let at = now(1).latest;
    world.ledger.note(at, Some(&reference), "alarm", "grantd", &body).unwrap();
    let world = world.reopen();
    assert_eq!(verify(&world.ledger), (1, None));
    let page = world.ledger.history(&Default::default()).unwrap();
    assert_eq!((&page.items[0].body, page.items[0].reference.as_ref()), (&body, Some(&reference)));
    assert_eq!(page.items[0].hash, world.ledger.head().unwrap().hex());
    let unknown = world.ledger.hash_of(2).unwrap();
    assert_eq!(unknown, None);
    let none = world.ledger.row(1);
    assert_eq!(none, Err(LedgerError::NoRow(1)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    /// One byte of one field of one row, wherever it is.
    #[test]
    fn any_changed_byte_is_found(
        row in 1i64..=12,
        field in prop::sample::select(vec!["kind", "actor", "body", "prev", "hash"]),
        at in any::<prop::sample::Index>(),
        flip in 1u8..=255,
    ) {
        let (dir, _) = chain(12);
        let raw = Connection::open(dir.path().join("ledger.db")).unwrap();
        let sql = format!("SELECT CAST({field} AS BLOB) FROM history WHERE seq = {row}");
        let mut bytes: Vec<u8> = raw.query_row(&sql, [], |raw| raw.get(0)).unwrap();
        drop(raw);
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        let hex = crate::ledger::history::hex(&bytes);
        let kind = if ["prev", "hash"].contains(&field) { "BLOB" } else { "TEXT" };
        let set = format!("SET {field} = CAST(x'{hex}' AS {kind})");
        let sql = format!("UPDATE history {set} WHERE seq = {row}");
        // What is no text any more is found as well, and hides no other row.
        prop_assert_eq!(tamper(&dir, &sql), Some(row), "{}", sql);
        let (ledger, _) = Ledger::open(dir.path()).unwrap();
        let page = ledger.history(&Default::default()).unwrap();
        let seqs: Vec<i64> = page.items.iter().map(|row| row.seq).collect();
        prop_assert_eq!(seqs, (1..=12).collect::<Vec<_>>());
    }
}
