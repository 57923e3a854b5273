//! What needs a process of its own: a lock that somebody else holds, a disk that is really full, a
//! write that really fails. Each test starts this very binary again for its second part, with the
//! part's name in the environment.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::fixture::{World, facts, lease, now, reference, verify};
use super::pump::block;
use crate::ledger::{Handle, Ledger, LedgerError, OpenError, Urgency};
use crate::rules::time::Time;

const PART: &str = "GRANTD_TEST_PART";
const DIR: &str = "GRANTD_TEST_DIR";

/// Where a part works; `None` when the test was started for itself.
fn part(name: &str) -> Option<PathBuf> {
    (std::env::var(PART).ok()? == name).then(|| std::env::var_os(DIR).unwrap().into())
}

/// This binary, for `part` in `dir`; through `shell` with `"$@"` for the command, where one is
/// given.
fn again(shell: Option<&str>, part: &str, dir: &Path) -> Command {
    let exe = std::env::current_exe().unwrap();
    let mut command = match shell {
        None => Command::new(&exe),
        Some(script) => {
            let mut command = Command::new("sh");
            command.args(["-c", script, "sh"]).arg(&exe);
            command
        }
    };
    let name = format!("ledger::tests::processes::{part}");
    command.args(["--exact", &name, "--nocapture", "--test-threads=1"]);
    command.env(PART, part).env(DIR, dir);
    command
}

fn succeed(mut command: Command) -> String {
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{errors}");
    assert!(text.contains("1 passed"), "the part did not run: {text}\n{errors}");
    text
}

/// Ends the child, whatever the test came to.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _gone = self.0.kill().is_err();
        let _gone = self.0.wait().is_err();
    }
}

#[test]
fn holder() {
    let Some(dir) = part("holder") else { return };
    let (mut ledger, _) = Ledger::open(&dir).unwrap();
    let lane = ledger.lane(&facts("grantd")).unwrap();
    ledger.begin(&lease(&lane, 1), now(0)).unwrap();
    std::io::stdout().write_all(b"\nheld\n").unwrap();
    std::io::stdout().flush().unwrap();
    std::thread::park();
}

/// A killed holder leaves its last commits in the WAL: the copy has them, and the file stays as it
/// was.
#[test]
fn a_running_daemon_s_ledger_is_held_and_a_killed_one_s_can_be_read_without_a_change() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = again(None, "holder", dir.path()).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let child = Killed(child);
    assert!(lines.map(Result::unwrap).any(|line| line == "held"));

    let file = dir.path().join("ledger.db");
    let open = Ledger::open(dir.path());
    assert!(matches!(open, Err(OpenError::Held(_))), "{open:?}");
    let copy = Ledger::read_copy(&file);
    assert!(matches!(copy, Err(OpenError::Held(_))), "{copy:?}");
    drop(child);

    let names = || {
        let read = |path: PathBuf| (path.clone(), std::fs::read(&path).unwrap());
        let mut all: Vec<_> =
            std::fs::read_dir(dir.path()).unwrap().map(|e| read(e.unwrap().path())).collect();
        all.sort();
        all
    };
    let before = names();
    assert!(
        before.iter().any(|(path, bytes)| path.ends_with("ledger.db-wal") && !bytes.is_empty())
    );
    let copy = Ledger::read_copy(&file).unwrap();
    assert_eq!(copy.lease(reference(1).as_str()).unwrap().state, "creating");
    assert_eq!(verify(&copy), (1, None));
    let scratch = copy.dir().to_owned();
    assert!(scratch.exists());
    drop(copy);
    assert!(!scratch.exists());
    assert!(names() == before, "reading changed the files");
    let absent = Ledger::read_copy(&dir.path().join("none.db"));
    assert!(matches!(absent, Err(OpenError::Absent(_))), "{absent:?}");
}

/// A write beyond the file size limit fails as a broken disk does (EFBIG, which SQLite takes for an
/// I/O error).
#[test]
fn failing_writes() {
    let Some(dir) = part("failing_writes") else { return };
    let (mut ledger, _) = Ledger::open(&dir).unwrap();
    let lane = ledger.lane(&facts("grantd")).unwrap();
    let handle = Handle::inline(ledger);
    let mut n = 0;
    let error = loop {
        n += 1;
        assert!(n < 10_000, "no write ever fails");
        if let Err(error) = block(handle.begin(lease(&lane, n), now(0))) {
            break error;
        }
    };
    assert!(matches!(error, LedgerError::InDoubt(_)), "{error:?}");
    let limit = rustix::process::Resource::Fsize;
    let hard = rustix::process::getrlimit(limit).maximum;
    let wide = rustix::process::Rlimit { current: hard, maximum: hard };
    rustix::process::setrlimit(limit, wide).unwrap();
    // Read afresh: all that was answered is there, and the one in doubt is there whole or not at
    // all.
    let last = reference(n);
    let seen = handle.run(Urgency::Read, move |ledger| {
        let there = ledger.lease(last.as_str()).is_ok();
        Ok((there, verify(ledger)))
    });
    let (there, (rows, broken)) = block(seen).unwrap();
    assert_eq!(broken, None);
    assert_eq!(u64::try_from(rows).unwrap(), n - u64::from(!there));
    block(handle.begin(lease(&lane, n + 1), now(0))).unwrap();
}

#[test]
fn a_write_that_fails_at_commit_is_in_doubt() {
    let world = World::new();
    let dir = world.dir;
    drop(world.ledger);
    // 1,024 blocks of 512 bytes; the ballast is there already.
    let script = "trap '' XFSZ; ulimit -S -f 1024; exec \"$@\"";
    succeed(again(Some(script), "failing_writes", dir.path()));
}

#[test]
fn full_disk() {
    let Some(dir) = part("full_disk") else { return };
    let (mut ledger, _) = Ledger::open(&dir).unwrap();
    let lane = ledger.lane(&facts("grantd")).unwrap();
    let first = ledger.begin(&lease(&lane, 1), now(0)).unwrap();
    let handle = Handle::inline(ledger);
    // Somebody fills the disk to the last byte.
    let mut filler = std::fs::File::create(dir.join("filler")).unwrap();
    let block_of = vec![0; 4_096];
    while filler.write_all(&block_of).is_ok() {}
    drop(filler);
    drop(handle);

    // A start on a full disk works, and an ending is recorded: the ballast makes room.
    let (ledger, opened) = Ledger::open(&dir).unwrap();
    assert!(!opened.fresh && opened.broken.is_none());
    let handle = Handle::inline(ledger);
    let mut n = 1;
    let error = loop {
        n += 1;
        assert!(n < 10_000, "the disk is not full");
        if let Err(error) = block(handle.begin(lease(&lane, n), now(0))) {
            break error;
        }
    };
    // The ballast is given up, and not to a new promise.
    assert_eq!(error, LedgerError::Full);
    assert!(handle.is_full() && !dir.join("ballast").exists());
    let note = crate::ledger::Note::grantd();
    let end = handle.run(Urgency::End, move |ledger| {
        let why = crate::rules::life::Why::Asked;
        ledger.end_lease(first.reference(), why, now(5), &note)
    });
    assert_eq!(block(end).unwrap().len(), 1);
    assert_eq!(block(handle.begin(lease(&lane, n), now(0))).unwrap_err(), LedgerError::Full);
    // With the ballast used up as well: a definite no, and nothing lost.
    let write = || {
        let body = serde_json::json!({ "text": "x".repeat(1_000) });
        handle.run(Urgency::Work, move |ledger| ledger.note(Time(6), None, "test", "me", &body))
    };
    let mut notes = 0;
    let error = loop {
        assert!(notes < 100_000, "the ballast never ends");
        if let Err(error) = block(write()) {
            break error;
        }
        notes += 1;
    };
    assert_eq!(error, LedgerError::Full);
    std::fs::remove_file(dir.join("filler")).unwrap();
    block(write()).unwrap();
    assert!(!handle.is_full() && dir.join("ballast").exists());
    block(handle.begin(lease(&lane, n), now(0))).unwrap();
    let seen = block(handle.run(Urgency::Read, |ledger| Ok(verify(ledger)))).unwrap();
    assert_eq!(seen, (i64::try_from(n).unwrap() + 1 + notes + 1, None));
}

/// On a small tmpfs in a mount namespace of its own, so that nothing is left behind.
#[test]
fn a_full_disk_refuses_leases_and_records_endings() {
    let dir = tempfile::tempdir().unwrap();
    let user = if rustix::process::geteuid().is_root() { "" } else { "--user --map-root-user" };
    let mount = "mount -t tmpfs -o size=40m,mode=0700 none \"$GRANTD_TEST_DIR\"";
    let able = format!("unshare {user} --mount sh -c '{mount}'");
    let able = Command::new("sh").args(["-c", &able]).env(DIR, dir.path()).status();
    assert!(
        able.is_ok_and(|status| status.success()),
        "this test needs unshare(1) and the right to mount a tmpfs in a namespace of its own"
    );
    let script = format!("exec unshare {user} --mount sh -c '{mount} && exec \"$@\"' sh \"$@\"");
    succeed(again(Some(&script), "full_disk", dir.path()));
}
