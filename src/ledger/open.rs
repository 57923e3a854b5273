//! Opening: the order of these steps is what makes the ledger single, durable and never silently
//! empty.

use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::{Ledger, OpenError, place};
use crate::fault::chain;

/// SQLite before this can corrupt a WAL database (reliability 0.10).
const SQLITE_MIN: i32 = 3_051_003;
/// "grtd": marks the file as a ledger.
const APPLICATION_ID: i64 = 0x6772_7464;
/// The migrations, in order; a file's `user_version` says how many it has.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("../../migrations/0001_init.sql"),
    include_str!("../../migrations/0002_lane_ways.sql"),
    include_str!("../../migrations/0003_hold.sql"),
    include_str!("../../migrations/0004_freeze.sql"),
    include_str!("../../migrations/0005_extension.sql"),
    include_str!("../../migrations/0006_lease_until.sql"),
    include_str!("../../migrations/0007_freeze_keys.sql"),
    include_str!("../../migrations/0008_limits.sql"),
    include_str!("../../migrations/0009_refusals.sql"),
    include_str!("../../migrations/0010_lane_proxy.sql"),
    include_str!("../../migrations/0011_owed_probes.sql"),
    include_str!("../../migrations/0012_adopted.sql"),
    include_str!("../../migrations/0013_drift.sql"),
    include_str!("../../migrations/0014_found.sql"),
];
/// Files up to this size are checked whole at every start: some tens of milliseconds. Larger ones
/// are checked in slices while grantd already ends what is due.
const CHECK_BYTES: i64 = 8 << 20;

/// What opening found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// The ledger is new: what lives at KMS has to be found by its Names.
    pub fresh: bool,
    /// A corrupt ledger was put aside, here.
    pub broken: Option<PathBuf>,
}

/// The newest version that this program knows.
fn known() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

impl Ledger {
    /// Open the ledger of the state directory `dir`; make one where there is none. Holds it alone
    /// until dropped.
    ///
    /// # Errors
    /// [`OpenError`]; a corrupt file is no error: it is put aside, and [`Opened::broken`] says
    /// where.
    pub fn open(dir: &Path) -> Result<(Self, Opened), OpenError> {
        if rusqlite::version_number() < SQLITE_MIN {
            return Err(OpenError::OldSqlite(rusqlite::version()));
        }
        let dir = place::directory(dir)?;
        let file = place::file(&dir)?;
        let (conn, opened) = match connect(&file, true) {
            Ok((conn, fresh)) => (conn, Opened { fresh, broken: None }),
            Err(OpenError::Corrupt { path, why }) => {
                let aside = place::set_aside(&dir).map_err(|error| OpenError::Corrupt {
                    path,
                    why: format!("{why}; and it cannot be put aside: {error}"),
                })?;
                let (conn, fresh) = connect(&place::file(&dir)?, true)?;
                let broken = Some(aside);
                (conn, Opened { fresh, broken })
            }
            Err(error) => return Err(error),
        };
        place::sync_directory(&dir)?;
        let mut ledger = Self::of(&dir, conn, None);
        ledger.distrust_wal();
        if !place::ensure_ballast(&dir) {
            // No room for the ballast: as good as full. The first batch with room puts it there.
            ledger.full_flag().store(true, std::sync::atomic::Ordering::Relaxed);
        }
        Ok((ledger, opened))
    }
}

/// Open again what an error closed. Never makes a file: an empty ledger must not pass for ours.
pub(super) fn reopen(dir: &Path) -> Result<Connection, OpenError> {
    let file = dir.join(place::FILE);
    if !place::exists(&file)? {
        return Err(OpenError::Absent(file));
    }
    let (conn, fresh) = connect(&place::file(dir)?, false)?;
    if fresh {
        let why = "it is empty, and was not when it was opened first".to_owned();
        return Err(OpenError::Corrupt { path: file, why });
    }
    // Closing removed the WAL: its new name has to be as durable as the first one was.
    place::sync_directory(dir)?;
    Ok(conn)
}

/// Move what the WAL holds to the file, and begin it anew.
pub(super) fn drain(conn: &Connection) -> Result<(), rusqlite::Error> {
    conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

/// Open `file`, take it for ourselves, and bring it up to date. True when it held nothing yet.
pub(super) fn connect(file: &Path, check: bool) -> Result<(Connection, bool), OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let mut conn = Connection::open_with_flags(file, flags).map_err(|e| refine(file, &e))?;
    match settle(&mut conn, file, check) {
        Ok(fresh) => Ok((conn, fresh)),
        Err(error) => {
            if matches!(error, OpenError::Corrupt { .. }) {
                // Leave the evidence as it is: closing must not write the WAL into the file.
                let _kept = conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
            }
            Err(error)
        }
    }
}

fn settle(conn: &mut Connection, file: &Path, check: bool) -> Result<bool, OpenError> {
    let sql = |error: rusqlite::Error| refine(file, &error);
    // Before the first access: the WAL index then lives on the heap, which a full disk cannot deny,
    // and nobody else gets in.
    let locking: String = conn
        .pragma_update_and_check(None, "locking_mode", "EXCLUSIVE", |raw| raw.get(0))
        .map_err(sql)?;
    let application: i64 = pragma(conn, "application_id").map_err(sql)?;
    let found: i64 = pragma(conn, "user_version").map_err(sql)?;
    let pages: i64 = pragma(conn, "page_count").map_err(sql)?;
    let fresh = found == 0 && (pages == 0 || application == 0 && tables(conn).map_err(sql)? == 0);
    if !fresh && application != APPLICATION_ID {
        let why = "it is a SQLite file of something else; move it away".to_owned();
        let path = file.to_owned();
        return Err(OpenError::Unsafe { path, why });
    }
    if found > known() {
        return Err(OpenError::Newer { path: file.to_owned(), found, known: known() });
    }
    let journal: String =
        conn.pragma_update_and_check(None, "journal_mode", "WAL", |raw| raw.get(0)).map_err(sql)?;
    if (locking.as_str(), journal.as_str()) != ("exclusive", "wal") {
        let why = format!("SQLite gives {locking} locking and a {journal} journal here");
        let path = file.to_owned();
        return Err(OpenError::Unsafe { path, why });
    }
    secure(conn).map_err(sql)?;
    migrate(conn, found).map_err(sql)?;
    // A migration may have to write the schema; from here on nobody does.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true).map_err(sql)?;
    if check && !fresh {
        let size = pages.saturating_mul(pragma(conn, "page_size").map_err(sql)?);
        if size <= CHECK_BYTES {
            quick_check(conn, file)?;
        }
    }
    Ok(fresh)
}

fn secure(conn: &Connection) -> Result<(), rusqlite::Error> {
    for (name, value) in [
        ("synchronous", "FULL"),
        ("foreign_keys", "ON"),
        ("trusted_schema", "OFF"),
        ("cell_size_check", "ON"),
        ("mmap_size", "0"),
        // Nothing is spilled: neither temporary files nor half a transaction needs the disk before
        // COMMIT.
        ("temp_store", "MEMORY"),
        ("cache_spill", "OFF"),
    ] {
        conn.pragma_update(None, name, value)?;
    }
    // A plan goes by the statement, never by the values: otherwise (STAT4 is built in) SQLite
    // prepares a statement anew whenever a value that may matter is bound, at each seek of what is
    // due.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    conn.set_prepared_statement_cache_capacity(128);
    // Takes the lock now, so that "held" is said here and not at the first job.
    conn.execute_batch("BEGIN IMMEDIATE; COMMIT")
}

fn migrate(conn: &mut Connection, found: i64) -> Result<(), rusqlite::Error> {
    let skip = usize::try_from(found).unwrap_or(0);
    for (migration, version) in MIGRATIONS.iter().zip(1i64..).skip(skip) {
        let change = conn.transaction()?;
        change.execute_batch(migration)?;
        change.pragma_update(None, "application_id", APPLICATION_ID)?;
        change.pragma_update(None, "user_version", version)?;
        change.commit()?;
    }
    Ok(())
}

fn quick_check(conn: &Connection, file: &Path) -> Result<(), OpenError> {
    let word: String = conn
        .query_row("PRAGMA quick_check(1)", [], |raw| raw.get(0))
        .map_err(|error| refine(file, &error))?;
    if word == "ok" {
        return Ok(());
    }
    Err(OpenError::Corrupt { path: file.to_owned(), why: word })
}

fn pragma(conn: &Connection, name: &str) -> Result<i64, rusqlite::Error> {
    conn.pragma_query_value(None, name, |raw| raw.get(0))
}

fn tables(conn: &Connection) -> Result<i64, rusqlite::Error> {
    conn.query_row("SELECT count(*) FROM sqlite_schema", [], |raw| raw.get(0))
}

pub(super) fn refine(file: &Path, error: &rusqlite::Error) -> OpenError {
    let path = file.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => OpenError::Held(path),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            OpenError::Corrupt { path, why: chain(error) }
        }
        Some(_) | None => OpenError::Io { path, why: chain(error) },
    }
}
