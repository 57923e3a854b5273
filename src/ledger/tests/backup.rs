//! Backups of a ledger that is written to. (Here by this very process: opening the file drops the
//! writer's lock then, which nobody else wants.)

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use crate::ledger::{BackupError, Ledger, OpenError, backup, open};
use crate::rules::time::Time;

fn note(ledger: &mut Ledger, words: &str) {
    let body = serde_json::json!({ "words": words });
    ledger.note(Time(1), None, "noted", "a test", &body).unwrap();
}

/// Stops the writer, also where the test fails.
struct Stopped<'a>(&'a AtomicBool);

impl Drop for Stopped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The WAL begins anew every few commits, which is when a copy may fit nothing. Whatever was
/// acknowledged before a backup began is in it, and its chain is whole.
#[test]
fn a_backup_under_writing_holds_all_that_was_acknowledged_before() {
    let (state, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (mut ledger, _) = Ledger::open(state.path()).unwrap();
    ledger.conn().unwrap().pragma_update(None, "wal_autocheckpoint", 16).unwrap();
    let (written, stop) = (AtomicI64::new(0), AtomicBool::new(false));
    let (mut whole, mut restless) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                note(&mut ledger, &"x".repeat(3_000));
                written.store(ledger.head().unwrap().seq, Ordering::Release);
            }
        });
        let _stopped = Stopped(&stop);
        while whole < 30 {
            let before = written.load(Ordering::Acquire);
            let to = elsewhere.path().join(format!("{whole}-{restless}"));
            match Ledger::back_up(state.path(), &to) {
                Ok(done) => {
                    assert_eq!((done.broken, done.rows), (None, done.head.seq));
                    assert!(done.rows >= before, "{} of {before}", done.rows);
                    whole += 1;
                }
                Err(BackupError::Restless(_)) => {
                    assert!(!to.exists());
                    restless += 1;
                }
                Err(error) => panic!("{error}"),
            }
        }
    });
    let left: Vec<_> = std::fs::read_dir(elsewhere.path()).unwrap().collect();
    assert_eq!(left.len(), whole, "nothing lies beside them");
}

/// Between the copies of file and WAL all is moved to the file, and the WAL begun anew: what was
/// copied of the one lacks what was dropped from the other.
#[test]
fn what_was_checkpointed_while_it_was_copied_is_copied_again() {
    let (state, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (mut ledger, _) = Ledger::open(state.path()).unwrap();
    note(&mut ledger, "before");
    let (file, copy) = (state.path().join("ledger.db"), elsewhere.path().join("ledger.db"));
    let mut times = 0;
    backup::copied(&file, &copy, || {
        times += 1;
        if times == 1 {
            for _ in 0..50 {
                note(&mut ledger, &"x".repeat(3_000));
            }
            open::drain(ledger.conn().unwrap()).unwrap();
            note(&mut ledger, "after");
        }
    })
    .unwrap();
    backup::settle(&copy).unwrap();
    let done = backup::checked(&copy).unwrap();
    assert_eq!((times, done.rows, done.broken), (2, 52, None));
}

#[test]
fn a_backup_is_a_ledger_that_opens_and_goes_on() {
    let (state, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (mut ledger, _) = Ledger::open(state.path()).unwrap();
    note(&mut ledger, "before");
    let head = ledger.head().unwrap();
    let to = elsewhere.path().join("ledger.db");
    let done = Ledger::back_up(state.path(), &to).unwrap();
    assert_eq!((done.rows, done.head, done.open), (1, head, 0));
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&to).unwrap());
    assert_eq!(mode & 0o777, 0o600);
    std::fs::set_permissions(elsewhere.path(), private()).unwrap();
    let (mut restored, opened) = Ledger::open(elsewhere.path()).unwrap();
    assert!(!opened.fresh && opened.broken.is_none());
    note(&mut restored, "after");
    let walk = restored.verify_slice(None, 10).unwrap();
    assert_eq!((walk.rows, walk.broken), (2, None));
}

fn private() -> std::fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o700)
}

#[test]
fn a_backup_takes_nobody_s_place() {
    let (state, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let to = elsewhere.path().join("b");
    let backup = |to: &std::path::Path| Ledger::back_up(state.path(), to);
    assert!(matches!(backup(&to), Err(BackupError::Open(OpenError::Absent(_)))));
    let (ledger, _) = Ledger::open(state.path()).unwrap();
    std::fs::write(&to, "mine").unwrap();
    assert_eq!(backup(&to), Err(BackupError::Exists(to.clone())));
    assert_eq!(std::fs::read_to_string(&to).unwrap(), "mine");
    let inside = state.path().join("b");
    assert_eq!(backup(&inside), Err(BackupError::Inside(inside.clone())));
    let nowhere = elsewhere.path().join("no/such/b");
    assert!(matches!(backup(&nowhere), Err(BackupError::Open(OpenError::Io { .. }))));
    drop(ledger);
    let file = state.path().join("ledger.db");
    std::fs::write(&file, "no ledger at all, but long enough to be read as one".repeat(40))
        .unwrap();
    let corrupt = elsewhere.path().join("c");
    assert!(matches!(backup(&corrupt), Err(BackupError::Open(OpenError::Corrupt { .. }))));
    let left = std::fs::read_dir(elsewhere.path()).unwrap().count();
    assert_eq!(left, 1, "but for mine nothing lies there");
}
