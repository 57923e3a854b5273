//! How SQLite sees the simulated disk.

use std::io::{Error, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use sqlite_vfs::{DatabaseHandle, LockKind, OpenOptions, Vfs, WalDisabled};

use crate::disk::{self, Change, Files, hold};

/// Registered as SQLite's default.
pub(crate) struct Simulated;

/// A file that was opened.
pub(crate) struct Open {
    files: Arc<Mutex<Files>>,
    name: String,
    /// The crash count when it was opened: a dead program's file does nothing any more.
    life: u32,
    lock: LockKind,
}

impl Open {
    fn files(&self) -> MutexGuard<'_, Files> {
        hold(&self.files)
    }
}

fn index(offset: u64) -> Result<usize, Error> {
    usize::try_from(offset).map_err(|_| ErrorKind::InvalidInput.into())
}

impl Vfs for Simulated {
    type Handle = Open;

    fn open(&self, path: &str, _: OpenOptions) -> Result<Open, Error> {
        let (files, name) = disk::of(path);
        let life = {
            let mut held = hold(&files);
            held.open(&name);
            held.life()
        };
        Ok(Open { files, name, life, lock: LockKind::None })
    }

    fn delete(&self, path: &str) -> Result<(), Error> {
        let (files, name) = disk::of(path);
        hold(&files).delete(&name)
    }

    fn exists(&self, path: &str) -> Result<bool, Error> {
        let (files, name) = disk::of(path);
        let has = hold(&files).has(&name);
        Ok(has)
    }

    fn temporary_name(&self) -> String {
        "/temporary".to_owned()
    }

    fn random(&self, buffer: &mut [i8]) {
        buffer.fill(7);
    }

    fn sleep(&self, duration: Duration) -> Duration {
        duration
    }
}

impl DatabaseHandle for Open {
    type WalIndex = WalDisabled;

    fn size(&self) -> Result<u64, Error> {
        let size = self.files().size(self.life, &self.name)?;
        Ok(u64::try_from(size).unwrap())
    }

    fn read_exact_at(&mut self, buf: &mut [u8], offset: u64) -> Result<(), Error> {
        self.files().read(self.life, &self.name, index(offset)?, buf)
    }

    fn write_all_at(&mut self, buf: &[u8], offset: u64) -> Result<(), Error> {
        let change = Change::Write { at: index(offset)?, bytes: buf.to_vec() };
        self.files().change(self.life, &self.name, change)
    }

    fn sync(&mut self, _: bool) -> Result<(), Error> {
        self.files().sync(self.life, &self.name)
    }

    fn set_len(&mut self, size: u64) -> Result<(), Error> {
        self.files().change(self.life, &self.name, Change::Cut(index(size)?))
    }

    fn lock(&mut self, lock: LockKind) -> Result<bool, Error> {
        self.lock = lock;
        Ok(true)
    }

    fn reserved(&mut self) -> Result<bool, Error> {
        Ok(false)
    }

    fn current_lock(&self) -> Result<LockKind, Error> {
        Ok(self.lock)
    }

    fn wal_index(&self, _: bool) -> Result<WalDisabled, Error> {
        Ok(WalDisabled)
    }
}
