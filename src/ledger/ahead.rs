//! The look-ahead: the rows whose time comes next. Bounded, and each kind apart, so that nothing
//! that waits, and nobody's flood, keeps the others out.

use rusqlite::types::Value;
use rusqlite::{params, params_from_iter};

use super::columns::{END, LOOK};
use super::reads::limit as bound;
use super::{Ledger, LedgerError, Row, Waiting, sql};
use crate::rules::time::Time;

/// The engine's look-ahead holds at most so many rows (DESIGN 5).
pub(super) const AHEAD_MAX: usize = 10_000;

impl Ledger {
    /// Rows whose next act comes at or before `until`: ends by time, then looks by time; at most
    /// `limit` and 10,000. A row that cannot be read is reported and left out: one bad row must
    /// not block the others.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn ahead(&self, until: Time, limit: usize) -> Result<Vec<Row>, LedgerError> {
        self.coming((sql::ROWS_AHEAD, sql::FOUND_AHEAD), until, limit, None)
    }

    /// The same without the rows whose lane or key waits beyond `now`: when a look-ahead is full
    /// of rows that wait, the others must not wait behind them; nor what is due behind what a
    /// person ends early. It steps over each row that waits, so [`Ledger::ahead`] is the one for
    /// every day.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn ahead_beside_stalls(
        &self,
        until: Time,
        limit: usize,
        now: Time,
    ) -> Result<Vec<Row>, LedgerError> {
        self.coming((sql::ROWS_BESIDE, sql::FOUND_BESIDE), until, limit, Some(now))
    }

    fn coming(
        &self,
        (ours, found): (&str, &str),
        until: Time,
        limit: usize,
        now: Option<Time>,
    ) -> Result<Vec<Row>, LedgerError> {
        let limit = limit.min(AHEAD_MAX);
        // Whoever may create grants on a key can make thousands that are found: they fill no more
        // than half, and ours no more than the rest.
        let mut rows = self.coming_of(found, until, limit / 2, now)?;
        rows.extend(self.coming_of(ours, until, limit.saturating_sub(rows.len()), now)?);
        Ok(rows)
    }

    fn coming_of(
        &self,
        sql: &str,
        until: Time,
        limit: usize,
        now: Option<Time>,
    ) -> Result<Vec<Row>, LedgerError> {
        let mut found = Vec::new();
        // Where room is scarce, what a person ends comes after what is due.
        let kinds: &[(&str, Option<bool>)] = match now {
            None => &[(END, None), (LOOK, None)],
            Some(_) => &[(END, Some(false)), (END, Some(true)), (LOOK, None)],
        };
        for (act, asked) in kinds {
            let rest = bound(limit.saturating_sub(found.len()));
            let mut values: Vec<Value> =
                vec![(*act).to_owned().into(), until.0.into(), rest.into()];
            values.extend(now.iter().flat_map(|now| [now.0.into(), Value::from(*asked)]));
            let mut query = self.conn()?.prepare_cached(sql)?;
            let mut rows = query.query(params_from_iter(values))?;
            while let Some(raw) = rows.next()? {
                match self.read(raw) {
                    Ok(row) => found.push(row),
                    Err(error) => {
                        let grant: i64 = raw.get("id")?;
                        tracing::error!(grant, %error, "a row that cannot be read is left out");
                    }
                }
            }
        }
        Ok(found)
    }

    /// A row of what waits, whose end comes at or before `until`: the one that tries for all.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn one_of(
        &self,
        lane: i64,
        what: &Waiting,
        until: Time,
    ) -> Result<Option<Row>, LedgerError> {
        let conn = self.conn()?;
        let (key, adopted) = match what {
            Waiting::Key(key) => (key, false),
            Waiting::Adopted(key) => (key, true),
            Waiting::Lane => {
                for sql in [sql::FIRST_OF_LANE, sql::FIRST_FOUND_OF_LANE] {
                    let mut query = conn.prepare_cached(sql)?;
                    let mut rows = query.query(params![lane, until.0])?;
                    if let Some(raw) = rows.next()? {
                        return self.read(raw).map(Some);
                    }
                }
                return Ok(None);
            }
        };
        let mut query = conn.prepare_cached(sql::FIRST_OF_KEY)?;
        let mut rows = query.query(params![lane, key.as_str(), until.0, adopted])?;
        rows.next()?.map(|raw| self.read(raw)).transpose()
    }
}
