//! Reading rows back: for the engine by what comes next, for people by ref. Each call is bounded.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{OptionalExtension as _, Row as Raw, params};

use super::ahead::AHEAD_MAX;
use super::columns::{Cells, Columns, optional, parse};
use super::{Ledger, LedgerError, Row, sql};
use crate::fault::{Fault, Kind};
use crate::ids::{KeyArn, Principal, Ref};
use crate::rules::life::{EndOrder, Facts, State};
use crate::rules::time::Time;
use crate::wire;

/// Of ends that are due together no more are looked at: at 20 a second four minutes of them.
const DUE_MAX: u32 = 5_000;

/// How many rows one call may look at (DESIGN 5); more come by a cursor.
pub(super) const LOOK_MAX: usize = 1_000;
/// A lease has one grant, a few after extensions, and twins only by accident.
const GRANTS_MAX: i64 = 1_000;
/// Above every key ARN, so that a cursor can start below all of them.
const BEFORE_ALL: &str = "";

/// One slice of a check of the rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The last row id looked at: where the next slice starts.
    pub after: i64,
    /// How many rows of this slice mean something.
    pub rows: usize,
    /// What is wrong, by row id.
    pub wrong: Vec<(i64, String)>,
    /// There are no more rows.
    pub done: bool,
}

pub(super) fn limit(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

pub(super) fn corrupt(error: impl std::fmt::Display) -> LedgerError {
    LedgerError::Corrupt(error.to_string())
}

impl Ledger {
    pub(super) fn read(&self, raw: &Raw<'_>) -> Result<Row, LedgerError> {
        self.read_whole(raw).map(|(row, _, _)| row)
    }

    /// The row, its columns as they are stored, and its lease.
    fn read_whole(&self, raw: &Raw<'_>) -> Result<(Row, Columns, i64), LedgerError> {
        let mut cells = Cells::of(raw);
        let id = cells.get("id")?;
        let reference = Ref::parse(cells.get::<String>("ref")?).map_err(corrupt)?;
        let lease = cells.get("lease")?;
        let lane = self.lane_of(cells.get("lane")?)?;
        let key_arn = KeyArn::parse(cells.get::<String>("key_arn")?).map_err(corrupt)?;
        let (serial, twin) = (cells.get("serial")?, cells.get("twin")?);
        let origin = parse(cells.get("origin")?)?;
        let name = cells.get("name")?;
        let request: Option<String> = cells.get("request")?;
        let request = request.map(|text| serde_json::from_str(&text)).transpose();
        let deadline = Time(cells.get("deadline")?);
        let (lead, settle) = (cells.get("lead_ms")?, cells.get("settle_ms")?);
        // Whose grant it is was fixed at birth; which ways its lane has today, the lane says.
        let order = match parse(cells.get("end_order")?)? {
            EndOrder::Retire | EndOrder::RetireThenRevoke => lane.own_order(),
            EndOrder::Revoke => EndOrder::Revoke,
        };
        let columns = Columns::read(&mut cells)?;
        let grantee = Principal::parse(cells.get::<String>("grantee")?).map_err(corrupt)?;
        let row = Row {
            id,
            reference,
            lane,
            key_arn,
            grantee,
            serial,
            twin,
            name,
            request: request.map_err(corrupt)?,
            facts: Facts { deadline, lead, settle, order, origin },
            life: columns.life()?,
        };
        Ok((row, columns, lease))
    }

    /// One row.
    ///
    /// # Errors
    /// [`LedgerError::NoRow`]; those of the disk.
    pub fn row(&self, grant: i64) -> Result<Row, LedgerError> {
        Ok(self.stored(grant)?.0)
    }

    /// One row with its columns and its lease's id.
    pub(super) fn stored(&self, grant: i64) -> Result<(Row, Columns, i64), LedgerError> {
        let mut query = self.conn()?.prepare_cached(sql::ROW)?;
        let mut rows = query.query([grant])?;
        let raw = rows.next()?.ok_or(LedgerError::NoRow(grant))?;
        self.read_whole(raw)
    }

    pub(super) fn by_serial(&self, lease: i64, serial: u32) -> Result<Option<Row>, LedgerError> {
        let mut query = self.conn()?.prepare_cached(sql::ROW_BY_SERIAL)?;
        let mut rows = query.query(params![lease, serial])?;
        rows.next()?.map(|raw| self.read(raw)).transpose()
    }

    pub(super) fn lease_id(&self, reference: &Ref) -> Result<i64, LedgerError> {
        let mut find = self.conn()?.prepare_cached(sql::LEASE_ID)?;
        let lease: Option<i64> =
            find.query_row([reference.as_str()], |raw| raw.get(0)).optional()?;
        lease.ok_or_else(|| unknown(reference.as_str()))
    }

    /// All grants of a lease, by serial and twin.
    ///
    /// # Errors
    /// A `Fault` of `RefUnknown`; those of the disk.
    pub fn rows_of_lease(&self, reference: &Ref) -> Result<Vec<Row>, LedgerError> {
        let lease = self.lease_id(reference)?;
        let mut query = self.conn()?.prepare_cached(sql::ROWS_OF_LEASE)?;
        let mut rows = query.query([lease, GRANTS_MAX])?;
        let mut found = Vec::new();
        while let Some(raw) = rows.next()? {
            found.push(self.read(raw)?);
        }
        Ok(found)
    }

    /// Open rows of a key after row id `after` (0 to start), by row id; at most 1,000, then the
    /// cursor of the next.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn open_rows_of_key(
        &self,
        lane: i64,
        key: &KeyArn,
        after: i64,
    ) -> Result<(Vec<Row>, Option<i64>), LedgerError> {
        let mut query = self.conn()?.prepare_cached(sql::ROWS_OF_KEY)?;
        let mut rows = query.query(params![lane, key.as_str(), after, limit(LOOK_MAX)])?;
        let mut found = Vec::new();
        while let Some(raw) = rows.next()? {
            found.push(self.read(raw)?);
        }
        let full = found.len() == LOOK_MAX;
        let next = found.last().filter(|_| full).map(Row::id);
        Ok((found, next))
    }

    /// Probes of a key whose end KMS has not accepted, newest first; at most `limit`.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn owed_probes(
        &self,
        lane: i64,
        key: &KeyArn,
        limit: usize,
    ) -> Result<Vec<Row>, LedgerError> {
        let mut query = self.conn()?.prepare_cached(sql::OWED_PROBES)?;
        let mut rows = query.query(params![lane, key.as_str(), self::limit(limit)])?;
        let mut found = Vec::new();
        while let Some(raw) = rows.next()? {
            found.push(self.read(raw)?);
        }
        Ok(found)
    }

    /// Keys of a lane with open grants other than probes, after `after`, in order; at most 1,000
    /// (then ask again after the last one).
    ///
    /// # Errors
    /// Those of the disk.
    pub fn live_keys(&self, lane: i64, after: Option<&KeyArn>) -> Result<Vec<KeyArn>, LedgerError> {
        let mut query = self.conn()?.prepare_cached(sql::NEXT_KEY)?;
        let mut last = after.map_or(BEFORE_ALL, KeyArn::as_str).to_owned();
        let mut keys = Vec::new();
        while keys.len() < LOOK_MAX {
            let next: Option<String> =
                query.query_row(params![lane, last], |raw| raw.get(0)).optional()?;
            let Some(next) = next else { break };
            last.clone_from(&next);
            keys.push(KeyArn::parse(next).map_err(corrupt)?);
        }
        Ok(keys)
    }

    /// The earliest deadline of a grant whose end KMS has not accepted.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn next_deadline(&self) -> Result<Option<Time>, LedgerError> {
        let mut query = self.conn()?.prepare_cached(sql::NEXT_DEADLINE)?;
        let at = query.query_row([], |raw| raw.get(0)).optional()?;
        Ok(at.map(Time))
    }

    /// Grants past their deadline whose end KMS has not accepted, oldest first, and how many there
    /// are (counted up to 10,000).
    ///
    /// # Errors
    /// Those of the disk.
    pub fn overdue(
        &self,
        now: Time,
        limit: usize,
    ) -> Result<(Vec<wire::Overdue>, i64), LedgerError> {
        let mut query = self.conn()?.prepare_cached(sql::OVERDUE)?;
        let mut rows = query.query(params![now.0, self::limit(limit.min(LOOK_MAX))])?;
        let mut found = Vec::new();
        while let Some(raw) = rows.next()? {
            found.push(wire::Overdue {
                reference: Ref::parse(raw.get::<_, String>("ref")?).map_err(corrupt)?,
                deadline: Time(raw.get("deadline")?),
                attempts: raw.get("end_count")?,
                cause: optional(raw, "fault")?,
            });
        }
        let mut query = self.conn()?.prepare_cached(sql::OVERDUE_COUNT)?;
        let count = query.query_row(params![now.0, self::limit(AHEAD_MAX)], |raw| raw.get(0))?;
        Ok((found, count))
    }

    /// Grants by state, over all lanes; kept by triggers, so it costs nothing.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn counts(&self) -> Result<BTreeMap<String, i64>, LedgerError> {
        let mut query = self.conn()?.prepare_cached(sql::TALLY)?;
        let mut rows = query.query([])?;
        let mut counts = BTreeMap::new();
        while let Some(raw) = rows.next()? {
            let state: String = raw.get("state")?;
            *counts.entry(state).or_insert(0) += raw.get::<_, i64>("n")?;
        }
        counts.retain(|_, n| *n != 0);
        Ok(counts)
    }

    /// When ends of a lane are due after `from` and up to `to`, sorted: of more than
    /// 5,000 the last.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn due_between(&self, lane: i64, from: Time, to: Time) -> Result<Vec<Time>, LedgerError> {
        let mut query = self.conn()?.prepare_cached(sql::DUE_BETWEEN)?;
        let due = query.query_map(params![lane, from.0, to.0, DUE_MAX], |raw| raw.get(0).map(Time));
        let mut due = due?.collect::<Result<Vec<_>, _>>()?;
        due.reverse();
        Ok(due)
    }

    /// The lanes with grants that are not closed.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn open_lanes(&self) -> Result<BTreeSet<i64>, LedgerError> {
        let mut query = self.conn()?.prepare_cached(sql::OPEN_LANES)?;
        let lanes = query.query_map([], |raw| raw.get(0))?;
        Ok(lanes.collect::<Result<_, _>>()?)
    }

    /// Read rows after row id `after` (0 to start), to see that each page can be read and each row
    /// means something: a check of a large ledger in slices, beside the walk of the history.
    ///
    /// # Errors
    /// Those of the disk; [`LedgerError::Corrupt`] where SQLite cannot read on.
    pub fn check_slice(&self, after: i64, limit: usize) -> Result<Checked, LedgerError> {
        let limit = limit.clamp(1, LOOK_MAX);
        let mut query = self.conn()?.prepare_cached(sql::ROWS_AFTER)?;
        let mut rows = query.query([after, self::limit(limit)])?;
        let (mut seen, mut checked) =
            (0, Checked { after, rows: 0, wrong: Vec::new(), done: false });
        while let Some(raw) = rows.next()? {
            seen += 1;
            checked.after = raw.get("id")?;
            match self.read(raw) {
                Ok(row) => match inconsistent(&row) {
                    None => checked.rows += 1,
                    Some(why) => checked.wrong.push((checked.after, why)),
                },
                Err(error) => checked.wrong.push((checked.after, error.to_string())),
            }
        }
        checked.done = seen < limit;
        Ok(checked)
    }
}

fn inconsistent(row: &Row) -> Option<String> {
    let closed = matches!(row.life().state, State::Closed { .. });
    (closed != row.life().next.is_none())
        .then(|| "it is closed and waits, or open and waits for nothing".to_owned())
}

/// No lease has this ref.
pub(super) fn unknown(text: &str) -> LedgerError {
    Fault::new(Kind::RefUnknown, format!("no lease has the ref {text:?}")).into()
}
