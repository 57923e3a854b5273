//! Refusals: what is told of them goes into the history, what is still counted beside it, until a
//! row of the history has it. One transaction for both, so that a crash tells nothing twice.

use rusqlite::params;

use super::reads::corrupt;
use super::{Ledger, LedgerError, sql};
use crate::rules::refusals::{PLACES_MAX, Told};
use crate::rules::time::Time;

/// More were never open at once: the places and the one for all others.
const LEFT_MAX: usize = PLACES_MAX + 1;

impl Ledger {
    /// Write what is to be told.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn refused(&mut self, at: Time, told: &Told) -> Result<(), LedgerError> {
        self.atomic(|ledger| {
            for row in &told.rows {
                ledger.append(at, row.lease.as_ref(), row.kind, &row.actor, &row.body)?;
            }
            for place in &told.done {
                ledger.conn()?.prepare_cached(sql::REFUSAL_TOLD)?.execute([place])?;
            }
            for count in &told.counts {
                let mut save = ledger.conn()?.prepare_cached(sql::SAVE_REFUSAL)?;
                save.execute(params![count.place, count.actor, count.body.to_string()])?;
            }
            Ok(())
        })
    }

    /// Tell what a crash left counted. At the start, before anything is refused.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn tell_refusals(&mut self, at: Time) -> Result<(), LedgerError> {
        self.atomic(|ledger| {
            let mut left: Vec<(String, String, String)> = Vec::new();
            let mut query = ledger.conn()?.prepare_cached(sql::REFUSALS)?;
            let mut rows = query.query([i64::try_from(LEFT_MAX).unwrap_or(i64::MAX)])?;
            while let Some(raw) = rows.next()? {
                left.push((raw.get("place")?, raw.get("actor")?, raw.get("body")?));
            }
            drop(rows);
            drop(query);
            for (place, actor, body) in left {
                let body = serde_json::from_str(&body).map_err(corrupt)?;
                ledger.append(at, None, "refused-again", &actor, &body)?;
                ledger.conn()?.prepare_cached(sql::REFUSAL_TOLD)?.execute([place])?;
            }
            Ok(())
        })
    }
}
