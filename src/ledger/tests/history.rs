//! The chain: triggers stop bugs, and the walk finds what somebody did to the file with other
//! tools.

use proptest::prelude::*;
use rusqlite::Connection;
use tempfile::TempDir;

use super::fixture::{World, now, verify};
use crate::ledger::{Head, Ledger, LedgerError};

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

/// Change the closed file as its owner can, triggers or not; then say where the walk finds it.
fn tamper(dir: &TempDir, sql: &str) -> Option<i64> {
    let raw = Connection::open(dir.path().join("ledger.db")).unwrap();
    raw.execute_batch(
        "DROP TRIGGER history_chain; DROP TRIGGER history_kept; DROP TRIGGER history_stays;",
    )
    .unwrap();
    raw.execute_batch(sql).unwrap();
    drop(raw);
    let (ledger, _) = Ledger::open(dir.path()).unwrap();
    verify(&ledger).1.map(|broken| broken.seq)
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
    assert_eq!(verify(&ledger).1.map(|broken| broken.seq), Some(4));
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
        let raw = Connection::open(dir.path().join("ledger.db")).unwrap();
        raw.execute_batch("DROP TRIGGER history_kept").unwrap();
        raw.execute_batch(&sql).unwrap();
        drop(raw);
        // What is no text any more is found even sooner, by the reading.
        let (ledger, _) = Ledger::open(dir.path()).unwrap();
        let mut head = Head::default();
        let found = loop {
            match ledger.verify_slice(head, 5) {
                Err(error) => break matches!(error, LedgerError::Corrupt(_)),
                Ok(walk) if walk.done => break walk.broken.is_some(),
                Ok(walk) => head = walk.head,
            }
        };
        prop_assert!(found, "{}", sql);
    }
}
