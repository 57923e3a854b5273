//! Commits that fail. The error at COMMIT is a real one: a foreign key that is checked only there
//! (deferred) and does not hold. A failing disk is in `processes`.

use super::fixture::{World, lease, now, reference, verify};
use super::pump::block;
use crate::ledger::{Handle, Ledger, LedgerError, Urgency};

const ORPHAN: &str = "PRAGMA defer_foreign_keys = ON; \
    INSERT INTO proof(lane, key_arn, proven_at) VALUES(999, 'k', 0)";

fn orphan(ledger: &mut Ledger) -> Result<(), LedgerError> {
    Ok(ledger.conn()?.execute_batch(ORPHAN)?)
}

#[test]
fn an_error_at_commit_is_in_doubt_and_the_file_is_read_afresh() {
    let World { dir: _dir, ledger, lane } = World::new();
    let handle = Handle::inline(ledger);
    block(handle.begin(lease(&lane, 1), now(0))).unwrap();
    let other = lane.clone();
    let doubt = block(handle.run(Urgency::Work, move |ledger| {
        ledger.begin(&lease(&other, 2), now(0))?;
        orphan(ledger)
    }));
    assert!(matches!(doubt, Err(LedgerError::InDoubt(_))), "{doubt:?}");
    // The next batch opens the file again, and finds what is true.
    let seen = block(handle.run(Urgency::Work, |ledger| {
        let there = [1, 2].map(|n| ledger.lease(reference(n).as_str()).is_ok());
        Ok((there, verify(ledger)))
    }));
    assert_eq!(seen.unwrap(), ([true, false], (1, None)));
    // The lane that the handle's users still hold works on.
    block(handle.begin(lease(&lane, 2), now(0))).unwrap();
}

#[test]
fn a_begin_in_doubt_gives_no_intent() {
    let mut world = World::new();
    let new = world.lease(1);
    // The same without the pump: begin within a transaction that cannot commit.
    let result = world.ledger.atomic(|ledger| {
        let row = ledger.begin(&new, now(0))?;
        orphan(ledger)?;
        Ok(row)
    });
    assert!(matches!(result, Err(LedgerError::InDoubt(_))), "{result:?}");
    let closed = world.ledger.conn().map(|_| ());
    assert!(matches!(closed, Err(LedgerError::Unavailable(_))));
    world.ledger.begin(&new, now(0)).unwrap_err();
    world.ledger.begin_batch().unwrap();
    world.ledger.commit_batch().unwrap();
    world.ledger.begin(&new, now(0)).unwrap();
}

#[test]
fn while_the_file_cannot_be_opened_every_batch_says_so_and_tries_again() {
    let World { dir, ledger, .. } = World::new();
    let handle = Handle::inline(ledger);
    let file = dir.path().join("ledger.db");
    let away = dir.path().join("away.db");
    assert!(block(handle.run(Urgency::Work, orphan)).is_err());
    std::fs::rename(&file, &away).unwrap();
    for _ in 0..2 {
        let answer = block(handle.run(Urgency::End, |_| Ok(())));
        assert!(matches!(answer, Err(LedgerError::Unavailable(_))), "{answer:?}");
        assert!(!file.exists(), "an empty ledger must not pass for ours");
    }
    std::fs::write(&file, "").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&file, mode).unwrap();
    let answer = block(handle.run(Urgency::End, |_| Ok(())));
    assert!(matches!(answer, Err(LedgerError::Unavailable(_))), "{answer:?}");
    std::fs::rename(&away, &file).unwrap();
    assert_eq!(block(handle.run(Urgency::End, |_| Ok(()))), Ok(()));
}

/// `max_page_count` gives the same SQLITE_FULL as a full disk.
#[test]
fn a_full_ledger_is_a_definite_no_that_ends_when_there_is_room() {
    let World { dir, ledger, lane } = World::new();
    let handle = Handle::inline(ledger);
    let cap = |pages: u32| {
        let sql = format!("PRAGMA max_page_count = {pages}");
        let done = handle.run(Urgency::Work, move |ledger| {
            let conn = ledger.conn()?;
            conn.query_row(&sql, [], |_| Ok(())).map_err(LedgerError::from)
        });
        block(done).unwrap();
    };
    cap(1);
    let mut n = 0;
    let full = loop {
        n += 1;
        assert!(n < 1_000, "it never becomes full");
        if let Err(error) = block(handle.begin(lease(&lane, n), now(0))) {
            break error;
        }
    };
    assert_eq!(full, LedgerError::Full);
    assert!(handle.is_full());
    assert!(!dir.path().join("ballast").exists(), "its space was given to the ledger");
    cap(1_000_000);
    // The first batch that succeeds puts the ballast back.
    assert!(!handle.is_full());
    assert!(dir.path().join("ballast").exists());
    block(handle.begin(lease(&lane, n), now(0))).unwrap();
    let seen = block(handle.run(Urgency::Read, |ledger| Ok(verify(ledger))));
    assert_eq!(seen.unwrap(), (i64::try_from(n).unwrap(), None));
}
