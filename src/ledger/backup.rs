//! A backup, made by another process while the daemon runs (`grantd backup`).
//!
//! The daemon is not asked, so nothing of it waits. (SQLite's online backup would have to run in
//! the daemon, on the connection that records the ends; the ledger lets no second one in.) The file
//! is copied first and its WAL after it. That is a whole ledger as long as the WAL was not begun
//! anew meanwhile: what a checkpoint may have been moving into the file while it was copied stands
//! in the WAL too, and of a commit that was just being appended recovery drops the torn end. A WAL
//! that begins anew has another salt in its header (SQLite's file format, "The Write-Ahead Log"),
//! so the header tells, and the copy is made again.
//!
//! Nothing has the name of a backup before it is whole, checked and on the disk. A crash leaves a
//! directory `.grantd-…` beside it, which may be removed.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rusqlite::Connection;
use rustix::fs::{CWD, FlockOperation, RenameFlags, fcntl_lock, renameat_with};
use rustix::io::Errno;

use super::copy::{Scratch, duplicate, duplicate_wal, named};
use super::{Head, Ledger, LedgerError, OpenError, Walk, open, place};
use crate::fault::{Fault, Kind};
use crate::wire::Broken;

/// How often a copy is tried whose ledger is checkpointed under it. Between two checkpoints lie a
/// thousand pages of commits.
const TRIES: u32 = 10;
/// Bytes of a WAL's header, which has its salts.
const WAL_HEADER: usize = 32;

/// What was backed up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackedUp {
    /// Size of the file.
    pub bytes: u64,
    /// Rows of its history that fit.
    pub rows: i64,
    /// The last of them.
    pub head: Head,
    /// The first row that does not fit; the copy is kept all the same, since the deadlines in it
    /// do not depend on the history.
    pub broken: Option<Broken>,
    /// Its grants that have not closed.
    pub open: i64,
}

/// Why there is no backup.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BackupError {
    /// A file of that name is there.
    #[error("{} is there already", .0.display())]
    Exists(PathBuf),
    /// It would lie where the ledger lies.
    #[error("{} would lie in the state directory, and be lost with it", .0.display())]
    Inside(PathBuf),
    /// Each time the ledger was checkpointed meanwhile.
    #[error("the ledger {} is written to faster than it can be copied", .0.display())]
    Restless(PathBuf),
    /// The ledger, or the copy, cannot be read or written.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The copy cannot be read.
    #[error("the copy cannot be read: {0}")]
    Read(#[from] LedgerError),
}

impl From<BackupError> for Fault {
    fn from(error: BackupError) -> Self {
        let text = error.to_string();
        match error {
            BackupError::Exists(_) => {
                Self::new(Kind::BadArgument, text).hint("name a file that is not there")
            }
            BackupError::Inside(_) => Self::new(Kind::BadArgument, text)
                .hint("name a file elsewhere, best on another disk or host"),
            BackupError::Restless(_) => {
                Self::new(Kind::Busy, text).hint("try again when it is quieter")
            }
            BackupError::Open(error) => error.into(),
            BackupError::Read(error) => error.into(),
        }
    }
}

impl Ledger {
    /// Back the ledger of the state directory `dir` up into the new file `to`, whether or not a
    /// daemon runs on it. It gets the mode 0600, needs no WAL, and is of the version that the
    /// ledger is of.
    ///
    /// Call it from a process that does not hold the ledger itself: POSIX locks are per process.
    ///
    /// # Errors
    /// [`BackupError`]; then there is no file `to`.
    pub fn back_up(dir: &Path, to: &Path) -> Result<BackedUp, BackupError> {
        let file = dir.join(place::FILE);
        if !place::exists(&file)? {
            return Err(OpenError::Absent(file).into());
        }
        let home = free(dir, to)?;
        let scratch = Scratch::within(&home, ".grantd-")?;
        let copy = scratch.path().join(place::FILE);
        copied(&file, &copy, || {})?;
        settle(&copy).map_err(|error| named(error, &file))?;
        let backed_up = checked(&copy)?;
        File::open(&copy).and_then(|copy| copy.sync_all()).map_err(place::io(&copy))?;
        give_name(&copy, to)?;
        place::sync_directory(&home)?;
        Ok(backed_up)
    }
}

/// The directory that `to` is to lie in, if it may.
fn free(dir: &Path, to: &Path) -> Result<PathBuf, BackupError> {
    let home = match to.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    };
    let home = fs::canonicalize(home).map_err(place::io(home))?;
    let state = fs::canonicalize(dir).map_err(place::io(dir))?;
    if home.starts_with(&state) {
        return Err(BackupError::Inside(to.to_owned()));
    }
    if place::exists(to)? {
        return Err(BackupError::Exists(to.to_owned()));
    }
    Ok(home)
}

/// Copy file and WAL, again and again until they belong together. `between` is what happens to the
/// ledger after the one and before the other.
pub(super) fn copied(
    file: &Path,
    copy: &Path,
    mut between: impl FnMut(),
) -> Result<(), BackupError> {
    let (wal, copied_wal) = (place::beside(file, "-wal"), place::beside(copy, "-wal"));
    for _ in 0..TRIES {
        let source = File::open(file).map_err(place::io(file))?;
        // Without a daemon none is to start meanwhile; it waits for whoever reads.
        match fcntl_lock(&source, FlockOperation::NonBlockingLockShared) {
            Ok(()) | Err(Errno::AGAIN | Errno::ACCESS) => {}
            Err(error) => return Err(place::io(file)(error.into()).into()),
        }
        let before = Mark::of(file, &wal)?;
        duplicate(&source, copy).map_err(place::io(copy))?;
        between();
        duplicate_wal(file, copy)?;
        if Mark::of(file, &wal)? == before {
            return Ok(());
        }
        for half in [copy, &copied_wal] {
            if place::exists(half)? {
                fs::remove_file(half).map_err(place::io(half))?;
            }
        }
    }
    Err(BackupError::Restless(file.to_owned()))
}

/// By what it is seen whether file and WAL still are what they were.
#[derive(Debug, PartialEq, Eq)]
struct Mark {
    /// The file may be put aside, and another take its name.
    inode: u64,
    wal: Wal,
}

#[derive(Debug, PartialEq, Eq)]
enum Wal {
    /// What the file holds may be in the making, and is in the WAL as well.
    Begun([u8; WAL_HEADER]),
    /// There is none, or nothing in it: then nobody may have written to the file either.
    Empty(Option<SystemTime>),
}

impl Mark {
    fn of(file: &Path, wal: &Path) -> Result<Self, OpenError> {
        let facts = fs::metadata(file).map_err(place::io(file))?;
        let mut header = [0; WAL_HEADER];
        let read = File::open(wal).and_then(|mut wal| wal.read_exact(&mut header));
        let wal = match read {
            Ok(()) => Wal::Begun(header),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof
                ) =>
            {
                Wal::Empty(facts.modified().ok())
            }
            Err(error) => return Err(place::io(wal)(error)),
        };
        Ok(Self { inode: facts.ino(), wal })
    }
}

/// Make one file of the copy and its WAL, as it is: without a migration, so that it also serves
/// the version that wrote it.
pub(super) fn settle(copy: &Path) -> Result<(), OpenError> {
    let sql = |error: rusqlite::Error| open::refine(copy, &error);
    let conn = Connection::open(copy).map_err(sql)?;
    // The WAL index on the heap, as the daemon has it.
    conn.pragma_update_and_check(None, "locking_mode", "EXCLUSIVE", |_| Ok(())).map_err(sql)?;
    open::drain(&conn).map_err(sql)?;
    let word: String =
        conn.query_row("PRAGMA integrity_check(1)", [], |raw| raw.get(0)).map_err(sql)?;
    if word != "ok" {
        return Err(OpenError::Corrupt { path: copy.to_owned(), why: word });
    }
    conn.close().map_err(|(_, error)| sql(error))
}

/// Read what was copied as a ledger, to the last row of its history.
pub(super) fn checked(copy: &Path) -> Result<BackedUp, BackupError> {
    let bytes = fs::metadata(copy).map_err(place::io(copy))?.len();
    let ledger = Ledger::read_copy(copy)?;
    let Walk { rows, head, broken, done: _ } = ledger.verify()?;
    let counts = ledger.counts()?;
    let open = counts.iter().filter(|(state, _)| *state != "closed").map(|(_, n)| n).sum();
    Ok(BackedUp { bytes, rows, head, broken, open })
}

/// Never in place of a file that came there meanwhile, where the file system can promise that.
fn give_name(copy: &Path, to: &Path) -> Result<(), BackupError> {
    match renameat_with(CWD, copy, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        Err(Errno::EXIST) => Err(BackupError::Exists(to.to_owned())),
        Err(Errno::INVAL | Errno::NOSYS) => Ok(fs::rename(copy, to).map_err(place::io(to))?),
        Err(error) => Err(place::io(to)(error.into()).into()),
    }
}
