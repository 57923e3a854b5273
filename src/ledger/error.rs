//! What can go wrong with the ledger, and what is then known about the disk.

use std::path::PathBuf;

use rusqlite::ErrorCode;

use crate::fault::{Fault, Kind, chain};
use crate::ids::Ref;
use crate::rules::life::Illegal;

/// Why a ledger cannot be opened. Nothing was changed, unless the text says so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("the ledger {} is held by another process", .0.display())]
    Held(PathBuf),
    /// A newer grantd wrote it.
    #[error(
        "the ledger {} is of version {found}; this grantd knows versions up to {known}",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its `user_version`.
        found: i64,
        /// The newest that this program knows.
        known: i64,
    },
    /// It is no readable ledger, and could not be put aside (or was only to be read).
    #[error("the ledger {} is corrupt: {why}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// SQLite's words.
        why: String,
    },
    /// It lies where others could change it, or on a file system whose locks and syncs cannot be
    /// trusted.
    #[error("{} is no safe place for the ledger: {why}", path.display())]
    Unsafe {
        /// The file or directory.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        why: String,
    },
    /// The path is not there.
    #[error("{} does not exist", .0.display())]
    Absent(PathBuf),
    /// The system refuses.
    #[error("cannot open the ledger {}: {why}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The system's words.
        why: String,
    },
    /// This build carries a SQLite that it must not (reliability 0.10).
    #[error("this build of grantd carries SQLite {0}, older than the fixed 3.51.3")]
    OldSqlite(&'static str),
}

impl From<OpenError> for Fault {
    fn from(error: OpenError) -> Self {
        let kind = match &error {
            OpenError::Held(_) => Kind::LedgerHeld,
            OpenError::Newer { .. } => Kind::LedgerNewer,
            OpenError::Corrupt { .. } => Kind::LedgerCorrupt,
            OpenError::Absent(_) => Kind::FileAbsent,
            OpenError::Unsafe { .. } | OpenError::Io { .. } => Kind::Io,
            OpenError::OldSqlite(_) => Kind::Bug,
        };
        Self::new(kind, error.to_string())
    }
}

/// Why a job on the ledger failed. Except for [`LedgerError::InDoubt`], nothing of the job is on
/// the disk.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// The disk is full: rolled back for certain.
    #[error("the disk of the ledger is full")]
    Full,
    /// The commit failed in a way that may still turn out as done: act on neither outcome, look
    /// again.
    #[error("it is not known whether the ledger was written: {0}")]
    InDoubt(String),
    /// The ledger was closed after an error and cannot be opened again yet.
    #[error("the ledger cannot be opened again after an error: {0}")]
    Unavailable(String),
    /// SQLite finds the file damaged, or a row does not mean anything.
    #[error("the ledger is corrupt: {0}")]
    Corrupt(String),
    /// An event that cannot befall the row.
    #[error(transparent)]
    Illegal(#[from] Illegal),
    /// There is no such row.
    #[error("the ledger has no grant with row id {0}: this is a bug in grantd, please report it")]
    NoRow(i64),
    /// The idempotency key has already made this lease, by the same request.
    #[error("this idempotency key has already made lease {0}")]
    Repeated(Ref),
    /// A fault for the asker.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// Too many reads wait.
    #[error("too many requests wait for the ledger")]
    Busy,
    /// The ledger's thread has ended.
    #[error("the ledger is closed: grantd is stopping")]
    Stopped,
    /// SQLite refuses a statement: a bug.
    #[error("the ledger refuses a statement: {0}; this is a bug in grantd, please report it")]
    Sql(String),
}

impl From<rusqlite::Error> for LedgerError {
    fn from(error: rusqlite::Error) -> Self {
        let text = chain(&error);
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::SystemIoFailure | ErrorCode::OutOfMemory) => Self::InDoubt(text),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Corrupt(text),
            Some(_) => Self::Sql(text),
            // A column that does not hold what the schema promises.
            None => Self::Corrupt(text),
        }
    }
}

impl From<LedgerError> for Fault {
    fn from(error: LedgerError) -> Self {
        let kind = match &error {
            LedgerError::Fault(fault) => return fault.clone(),
            LedgerError::Full | LedgerError::Unavailable(_) => Kind::DiskFull,
            LedgerError::InDoubt(_) => Kind::OutcomeUnknown,
            LedgerError::Corrupt(_) => Kind::LedgerCorrupt,
            LedgerError::Busy => Kind::Busy,
            LedgerError::Stopped => Kind::Stopping,
            LedgerError::Illegal(_)
            | LedgerError::NoRow(_)
            | LedgerError::Repeated(_)
            | LedgerError::Sql(_) => Kind::Bug,
        };
        Self::new(kind, chain(&error))
    }
}
