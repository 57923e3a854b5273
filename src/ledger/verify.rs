//! Whether the history is what grantd wrote: every row that a listing can show, in order, without a
//! gap, each fitting the one before; found by each index; and guarded by the triggers.
//!
//! The walk begins at the one first row, so a row before it is a forged one, however well it fits.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::history::Stored;
use super::{Head, Ledger, LedgerError, open, sql};
use crate::fault::chain;
use crate::wire::Broken;

/// At most so many rows are walked in one job (about 10 ms), so that endings never wait for a
/// verification.
const WALK_MAX: u32 = 1_000;

/// One slice of a verification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Walk {
    /// How many rows of this slice fit.
    pub rows: i64,
    /// The last row that fits: where the next slice starts.
    pub head: Head,
    /// The first thing that does not, and why.
    pub broken: Option<Broken>,
    /// There are no more rows, or there is no use in going on.
    pub done: bool,
}

impl Walk {
    fn stop(mut self, seq: Option<i64>, why: String) -> Self {
        self.broken = Some(Broken { seq, why });
        self.done = true;
        self
    }
}

impl Ledger {
    /// Walk the chain over at most `limit` (and 1,000) rows: from its beginning, or on from the
    /// last row that fits, `after`.
    ///
    /// # Errors
    /// Those of the disk. A chain that does not fit is no error: [`Walk::broken`] says where.
    pub fn verify_slice(&self, after: Option<Head>, limit: u32) -> Result<Walk, LedgerError> {
        let mut walk = Walk { rows: 0, head: after.unwrap_or_default(), broken: None, done: false };
        if after.is_none() {
            if let Some(why) = self.unguarded()? {
                return Ok(walk.stop(None, why));
            }
            let mut before = self.conn()?.prepare_cached(sql::HISTORY_BEFORE)?;
            let forged = before.query_row([walk.head.seq], |raw| raw.get(0)).optional()?;
            if let Some(seq) = forged {
                let why = "it stands before the first row: grantd did not write it".to_owned();
                return Ok(walk.stop(Some(seq), why));
            }
        }
        let limit = limit.min(WALK_MAX);
        let mut query = self.conn()?.prepare_cached(sql::HISTORY_WALK)?;
        let mut rows = query.query(params![walk.head.seq, limit])?;
        while let Some(raw) = rows.next()? {
            let seq: i64 = raw.get("seq")?;
            let row = match Stored::read(raw) {
                Ok(row) => row,
                Err(error) => {
                    let why = format!("it cannot be read: {}", chain(&error));
                    return Ok(walk.stop(Some(seq), why));
                }
            };
            let digest = row.digest();
            if let Some(why) = misfit(&row, &walk.head, &digest) {
                return Ok(walk.stop(Some(seq), why));
            }
            if !raw.get::<_, bool>("indexed")? {
                let why = "an index lacks it: listings hide it".to_owned();
                return Ok(walk.stop(Some(seq), why));
            }
            walk.rows += 1;
            walk.head = Head { seq, hash: digest };
        }
        walk.done = walk.rows < i64::from(limit);
        Ok(walk)
    }

    /// The whole chain, slice by slice, for who keeps nobody waiting by it: of a copy.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn verify(&self) -> Result<Walk, LedgerError> {
        let mut all = self.verify_slice(None, WALK_MAX)?;
        while !all.done {
            let slice = self.verify_slice(Some(all.head), WALK_MAX)?;
            all = Walk { rows: all.rows + slice.rows, ..slice };
        }
        Ok(all)
    }

    /// The hash of row `seq`, to compare with a head that somebody holds; `None` when the tail was
    /// cut before it.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn hash_of(&self, seq: i64) -> Result<Option<[u8; 32]>, LedgerError> {
        let mut query = self.conn()?.prepare_cached(sql::HISTORY_HASH)?;
        Ok(query.query_row([seq], |raw| raw.get(0)).optional()?)
    }

    /// What of the history's table, its indexes and all triggers is not as grantd made it.
    fn unguarded(&self) -> Result<Option<String>, LedgerError> {
        let empty = Connection::open_in_memory()?;
        for migration in open::MIGRATIONS {
            empty.execute_batch(migration)?;
        }
        let (wanted, found) = (guards(&empty)?, guards(self.conn()?)?);
        let of = |all: &[Guard], name: &str| all.iter().find(|guard| guard.name == name).cloned();
        let changed = wanted.iter().find_map(|guard| match of(&found, &guard.name) {
            None => Some(format!("{} {} is missing", guard.kind, guard.name)),
            Some(same) if same == *guard => None,
            Some(_) => Some(format!("{} {} is not as grantd made it", guard.kind, guard.name)),
        });
        let added = || {
            let added = found.iter().find(|guard| of(&wanted, &guard.name).is_none());
            added.map(|guard| format!("{} {} is none of grantd's", guard.kind, guard.name))
        };
        Ok(changed.or_else(added))
    }
}

/// What keeps the history: a table, an index, a trigger, as the schema has it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Guard {
    kind: String,
    name: String,
    of: String,
    sql: Option<String>,
}

fn guards(conn: &Connection) -> Result<Vec<Guard>, rusqlite::Error> {
    let mut query = conn.prepare(sql::GUARDS)?;
    let guards = query.query_map([], |raw| {
        Ok(Guard { kind: raw.get(0)?, name: raw.get(1)?, of: raw.get(2)?, sql: raw.get(3)? })
    });
    guards?.collect()
}

fn misfit(row: &Stored, before: &Head, digest: &[u8; 32]) -> Option<String> {
    if row.seq != before.seq + 1 {
        return Some(format!("row {} is missing, or was removed", before.seq.saturating_add(1)));
    }
    if row.prev != before.hash {
        return Some("it does not follow the row before: one of them was changed".to_owned());
    }
    (row.hash != digest).then(|| "its content does not fit its hash: it was changed".to_owned())
}
