//! The one connection, its transactions, and what happens to it after an error.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::{Connection, OptionalExtension as _, TransactionState, params};

use super::{LaneFacts, LedgerError, open, place, sql};
use crate::fault::chain;
use crate::ids::{AccountId, Principal, Region};
use crate::kms::{Lane, Ways};
use crate::rules::time::Time;

/// At most so many lanes are read at once: accounts × Regions of one host are far fewer.
const LANES_MAX: i64 = 1_000;

/// The ledger. Synchronous, one connection; [`super::Handle`] is its door for everybody else.
#[derive(Debug)]
pub struct Ledger {
    dir: PathBuf,
    /// `None` between an error that left the file in doubt and the next successful opening.
    conn: Option<Connection>,
    /// Why the WAL that was found is still there. Nothing may be added to it then: after a sync
    /// that failed, the system shows pages of it that never reached the disk and that no later
    /// sync writes (reliability 2), and what follows them there would be lost with them at a power
    /// cut. Reading goes on, and with it the ends of what is due.
    undrained: Option<String>,
    /// Shared by the rows; forgotten where one of them changes.
    lanes: RefCell<BTreeMap<i64, Arc<Lane>>>,
    /// Set while the disk is known to be full; shared with the handles.
    full: Arc<AtomicBool>,
    /// Removes a copy's directory when the ledger is closed.
    _scratch: Option<super::copy::Scratch>,
}

impl Ledger {
    pub(super) fn of(dir: &Path, conn: Connection, scratch: Option<super::copy::Scratch>) -> Self {
        Self {
            dir: dir.to_owned(),
            conn: Some(conn),
            undrained: None,
            lanes: RefCell::default(),
            full: Arc::default(),
            _scratch: scratch,
        }
    }

    pub(super) fn conn(&self) -> Result<&Connection, LedgerError> {
        self.conn
            .as_ref()
            .ok_or_else(|| LedgerError::Unavailable("it was closed after an error".to_owned()))
    }

    pub(super) fn full_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.full)
    }

    /// Whether the disk is known to be full. Creates are refused then; endings go on.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    /// All of `work` or nothing of it: a transaction of its own, or a savepoint of the one under
    /// way.
    pub(super) fn atomic<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        if self.conn()?.is_autocommit() {
            self.begin_batch()?;
            return match work(self) {
                Ok(value) => self.commit_batch().map(|()| value),
                Err(error) => Err(self.roll_back(error)),
            };
        }
        self.execute("SAVEPOINT job")?;
        let result = work(self);
        if result.is_err() {
            self.lanes.borrow_mut().clear();
        }
        // Some errors roll the whole transaction back; then there is no savepoint left, and the
        // batch notices.
        match result {
            Ok(value) => self.execute("RELEASE job").map(|()| value),
            Err(error) => {
                let _gone = self.conn()?.execute_batch("ROLLBACK TO job; RELEASE job").is_err();
                Err(error)
            }
        }
    }

    /// A statement of each batch, prepared once: to parse it anew each time is a tenth of the work.
    fn execute(&self, sql: &'static str) -> Result<(), LedgerError> {
        self.conn()?.prepare_cached(sql)?.execute([])?;
        Ok(())
    }

    /// Start a batch; opens the file again if an error closed it.
    pub(super) fn begin_batch(&mut self) -> Result<(), LedgerError> {
        let reopened = self.conn.is_none();
        if reopened {
            let conn =
                open::reopen(&self.dir).map_err(|error| LedgerError::Unavailable(chain(&error)))?;
            self.conn = Some(conn);
            self.lanes.borrow_mut().clear();
        }
        if reopened || self.undrained.is_some() {
            self.distrust_wal();
        }
        self.execute("BEGIN")
    }

    /// Move what somebody left in the WAL to the file, or write nothing until that succeeds.
    pub(super) fn distrust_wal(&mut self) {
        let Some(conn) = &self.conn else { return };
        let full = |error: &rusqlite::Error| {
            error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull)
        };
        let drained = match open::drain(conn) {
            Err(error) if full(&error) && self.release_ballast() => {
                self.full.store(true, Ordering::Relaxed);
                open::drain(conn)
            }
            drained => drained,
        };
        self.undrained = drained.err().map(|error| chain(&error));
    }

    /// Whether the transaction of the batch is still there: some errors end it.
    pub(super) fn in_batch(&self) -> bool {
        self.conn.as_ref().is_some_and(|conn| !conn.is_autocommit())
    }

    /// End a batch. On an error other than "full" the file is closed: what it holds has to be read
    /// afresh.
    pub(super) fn commit_batch(&mut self) -> Result<(), LedgerError> {
        if let Some(why) = &self.undrained
            && self.conn()?.transaction_state(None::<&str>)? == TransactionState::Write
        {
            let why = format!("what it holds cannot be made durable: {why}");
            return Err(self.roll_back(LedgerError::Unavailable(why)));
        }
        match self.execute("COMMIT") {
            Ok(()) => Ok(()),
            Err(error) => {
                let full = matches!(error, LedgerError::Full);
                let doubt = if full { error } else { LedgerError::InDoubt(chain(&error)) };
                Err(self.roll_back(doubt))
            }
        }
    }

    /// Give up a batch, and the connection too if `error` leaves the file in doubt.
    pub(super) fn roll_back(&mut self, error: LedgerError) -> LedgerError {
        self.lanes.borrow_mut().clear();
        if matches!(error, LedgerError::Full) {
            self.full.store(true, Ordering::Relaxed);
        }
        let lost = matches!(error, LedgerError::InDoubt(_)) || !self.rolled_back();
        if lost {
            // Closing rolls back what is open. Pages that failed to reach the disk are read again
            // afterwards.
            self.conn = None;
        }
        error
    }

    fn rolled_back(&self) -> bool {
        let Some(conn) = &self.conn else {
            return true;
        };
        conn.is_autocommit() || conn.execute_batch("ROLLBACK").is_ok()
    }

    /// Give the ballast's space to the ledger. False when there is none left to give.
    pub(super) fn release_ballast(&self) -> bool {
        place::release_ballast(&self.dir)
    }

    /// Once there is space again: put the ballast back, and take creates again.
    pub(super) fn restore_ballast(&self) {
        if self.is_full() && place::ensure_ballast(&self.dir) {
            self.full.store(false, Ordering::Relaxed);
        }
    }

    /// Where the ledger lies.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The lane of these facts; a new row where any of them is new. Its ways are those given from
    /// now on. The revoke role and the proxy go to every lane of the account, Region and endpoint:
    /// they end what a lane made whose own role is gone, too.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn lane(&mut self, facts: &LaneFacts) -> Result<Arc<Lane>, LedgerError> {
        let id = self.atomic(|ledger| {
            let conn = ledger.conn()?;
            let values = params![
                facts.account.as_str(),
                facts.region.as_str(),
                facts.role_arn.as_ref().map(Principal::as_str),
                facts.external_id,
                facts.endpoint,
                facts.retiring_principal.as_str(),
            ];
            let known = conn
                .prepare_cached(sql::LANE_BY_FACTS)?
                .query_row(values, |raw| raw.get(0))
                .optional()?;
            let id: i64 = match known {
                Some(id) => id,
                None => {
                    conn.prepare_cached(sql::NEW_LANE)?.execute(values)?;
                    conn.last_insert_rowid()
                }
            };
            ledger.set_ways(id, facts)?;
            Ok(id)
        })?;
        self.lane_of(id)
    }

    /// Another configuration: its lanes, and the history row that says `by` whom and what.
    ///
    /// # Errors
    /// Those of the disk; nothing is changed then.
    pub fn reload(
        &mut self,
        lanes: &[LaneFacts],
        at: Time,
        by: &str,
        what: &serde_json::Value,
    ) -> Result<(), LedgerError> {
        self.atomic(|ledger| {
            for facts in lanes {
                ledger.lane(facts)?;
            }
            ledger.append(at, None, "reloaded", by, what)
        })
    }

    fn set_ways(&self, id: i64, facts: &LaneFacts) -> Result<(), LedgerError> {
        if self.has_ways(id, facts)? {
            return Ok(());
        }
        let (conn, ways) = (self.conn()?, &facts.ways);
        let mut own = conn.prepare_cached(sql::SET_WAYS)?;
        own.execute(params![id, ways.profile, ways.session_name])?;
        let mut shared = conn.prepare_cached(sql::SET_SHARED_WAYS)?;
        shared.execute(params![
            facts.account.as_str(),
            facts.region.as_str(),
            facts.endpoint,
            ways.revoke_role.as_ref().map(Principal::as_str),
            ways.proxy,
        ])?;
        self.lanes.borrow_mut().clear();
        Ok(())
    }

    /// Whether nothing is to be changed. It is asked first, since even an update of nothing writes,
    /// and a start on a disk that takes nothing has to end what is due.
    fn has_ways(&self, id: i64, facts: &LaneFacts) -> Result<bool, LedgerError> {
        let ways = &facts.ways;
        let endpoint = |of: &Option<String>| of.clone().unwrap_or_default();
        let kin = |lane: &Lane| {
            lane.account == facts.account
                && lane.region == facts.region
                && endpoint(&lane.endpoint) == endpoint(&facts.endpoint)
        };
        let shares = |had: &Ways| had.revoke_role == ways.revoke_role && had.proxy == ways.proxy;
        let all = self.lanes()?;
        Ok(self.lane_of(id)?.ways == *ways
            && all.iter().all(|lane| !kin(lane) || shares(&lane.ways)))
    }

    /// Every lane that ever was, by row id.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn lanes(&self) -> Result<Vec<Arc<Lane>>, LedgerError> {
        let mut query = self.conn()?.prepare_cached(sql::LANE_IDS)?;
        let ids = query
            .query_map(params![0, LANES_MAX], |raw| raw.get(0))?
            .collect::<Result<Vec<i64>, _>>()?;
        ids.into_iter().map(|id| self.lane_of(id)).collect()
    }

    pub(super) fn lane_of(&self, id: i64) -> Result<Arc<Lane>, LedgerError> {
        if let Some(lane) = self.lanes.borrow().get(&id) {
            return Ok(Arc::clone(lane));
        }
        let mut query = self.conn()?.prepare_cached(sql::LANE)?;
        let mut rows = query.query([id])?;
        let Some(raw) = rows.next()? else {
            return Err(LedgerError::Corrupt(format!("lane {id} is missing")));
        };
        let bad = |error: crate::ids::BadId| LedgerError::Corrupt(format!("lane {id}: {error}"));
        let principal = |column: &str| -> Result<Option<Principal>, LedgerError> {
            let text: Option<String> = raw.get(column)?;
            text.map(Principal::parse).transpose().map_err(bad)
        };
        let lane = Arc::new(Lane {
            id,
            account: AccountId::parse(raw.get::<_, String>("account")?).map_err(bad)?,
            region: Region::parse(raw.get::<_, String>("region")?).map_err(bad)?,
            role_arn: principal("role_arn")?,
            external_id: raw.get("external_id")?,
            endpoint: raw.get("endpoint")?,
            retiring_principal: Principal::parse(raw.get::<_, String>("retiring_principal")?)
                .map_err(bad)?,
            ways: Ways {
                profile: raw.get("profile")?,
                session_name: raw.get("session_name")?,
                revoke_role: principal("revoke_role_arn")?,
                proxy: raw.get("proxy")?,
            },
        });
        self.lanes.borrow_mut().insert(id, Arc::clone(&lane));
        Ok(lane)
    }
}
