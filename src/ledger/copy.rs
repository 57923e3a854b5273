//! Reading a ledger while the daemon is down (`--ledger FILE`), without a change to the file.
//!
//! Opening a WAL database writes: SQLite makes companions, recovers, and removes the WAL on
//! closing. So the file and its WAL are copied to a directory of our own, under a lock that a
//! starting daemon respects, and the copy is opened.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, fcntl_lock};
use rustix::io::Errno;

use super::{Ledger, OpenError, open, place};
use crate::rng::{OsRng, Rng as _};

/// A directory that is removed with the copy in it.
#[derive(Debug)]
pub(super) struct Scratch(PathBuf);

impl Scratch {
    /// In `home`, readable by nobody else; its name begins with `prefix`.
    pub(super) fn within(home: &Path, prefix: &str) -> Result<Self, OpenError> {
        let dir = home.join(format!("{prefix}{:016x}", OsRng.next_u64()));
        let made = fs::DirBuilder::new().mode(0o700).create(&dir);
        made.map_err(place::io(&dir))?;
        Ok(Self(dir))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A copy that cannot be removed is readable by nobody else; the system clears its temporary
        // directory.
        let _left = fs::remove_dir_all(&self.0).is_err();
    }
}

impl Ledger {
    /// Open a copy of `file` for reading. Changes nothing about `file`; whatever is written goes to
    /// the copy and is lost.
    ///
    /// Call it from a process that does not hold the ledger itself: POSIX locks are per process.
    ///
    /// # Errors
    /// [`OpenError::Held`] while a daemon runs on it, [`OpenError::Absent`], [`OpenError::Newer`],
    /// [`OpenError::Corrupt`], [`OpenError::Io`].
    pub fn read_copy(file: &Path) -> Result<Self, OpenError> {
        if !place::exists(file)? {
            return Err(OpenError::Absent(file.to_owned()));
        }
        let source = File::open(file).map_err(place::io(file))?;
        // Over the whole file, SQLite's lock bytes included: a daemon holds them exclusively.
        match fcntl_lock(&source, FlockOperation::NonBlockingLockShared) {
            Ok(()) => {}
            Err(Errno::AGAIN | Errno::ACCESS) => return Err(OpenError::Held(file.to_owned())),
            Err(error) => return Err(place::io(file)(error.into())),
        }
        let scratch = Scratch::within(&std::env::temp_dir(), "grantd-")?;
        let copy = scratch.0.join(place::FILE);
        duplicate(&source, &copy).map_err(place::io(&copy))?;
        duplicate_wal(file, &copy)?;
        drop(source);
        let (conn, fresh) = open::connect(&copy, true).map_err(|error| named(error, file))?;
        if fresh {
            let why = "it is empty".to_owned();
            let path = file.to_owned();
            return Err(OpenError::Corrupt { path, why });
        }
        let dir = scratch.0.clone();
        Ok(Self::of(&dir, conn, Some(scratch)))
    }
}

pub(super) fn duplicate(mut source: &File, to: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    io::copy(&mut source, &mut options.open(to)?)?;
    Ok(())
}

/// The WAL of `file`, if it has one, as that of `copy`.
pub(super) fn duplicate_wal(file: &Path, copy: &Path) -> Result<(), OpenError> {
    let (wal, copy) = (place::beside(file, "-wal"), place::beside(copy, "-wal"));
    match File::open(&wal) {
        Ok(source) => duplicate(&source, &copy).map_err(place::io(&copy)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(place::io(&wal)(error)),
    }
}

/// The same error about the file that was named, not about its copy.
pub(super) fn named(error: OpenError, file: &Path) -> OpenError {
    let path = file.to_owned();
    match error {
        OpenError::Newer { found, known, .. } => OpenError::Newer { path, found, known },
        OpenError::Corrupt { why, .. } => OpenError::Corrupt { path, why },
        OpenError::Unsafe { why, .. } => OpenError::Unsafe { path, why },
        OpenError::Io { why, .. } => OpenError::Io { path, why },
        OpenError::Held(_) => OpenError::Held(path),
        OpenError::Absent(_) => OpenError::Absent(path),
        OpenError::OldSqlite(version) => OpenError::OldSqlite(version),
    }
}
