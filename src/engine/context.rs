//! What the parts of the engine share: the ports, the agenda, the lanes. One thread, so plain
//! cells; no borrow is ever held across an await.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::EndOnly;
use super::adopt::Unadopted;
use super::agenda::{Agenda, ROWS_MAX};
use super::audit::Findings;
use super::hold::Holder;
use super::lane::{LaneState, Notice, Op, Sent};
use super::metrics::Metrics;
use super::record::Backlog;
use super::refusals::Refusals;
use super::reload::Reloading;
use super::survey::Doubtful;
use super::timekeeper::TimeKeeper;
use crate::config::Config;
use crate::fault::Fault;
use crate::ids::{KeyArn, Ref};
use crate::kms::{Answer, Kms, Lane, Token};
use crate::ledger::{Handle, LedgerError, Row, Urgency};
use crate::rng::Rng;
use crate::rules::pace::Part;
use crate::rules::time::Time;

/// How many tokens are kept in memory: those of grants that are not settled yet, far more than a
/// host makes.
const TOKENS_MAX: usize = 10_000;

/// Whoever holds it proves the way out; the others wait for the result.
pub(crate) type Turn = Rc<tokio::sync::Mutex<()>>;

pub(crate) struct Context {
    pub(crate) kms: Rc<dyn Kms>,
    pub(crate) rng: Rc<dyn Rng>,
    pub(crate) time: TimeKeeper,
    pub(crate) ledger: Handle,
    in_force: RefCell<InForce>,
    /// Where another configuration is had from, and who is told.
    pub(crate) reloading: Reloading,
    pub(crate) started_at: Cell<Time>,
    pub(crate) agenda: RefCell<Agenda>,
    pub(crate) lanes: RefCell<BTreeMap<i64, LaneState>>,
    pub(crate) backlog: RefCell<Backlog>,
    /// What the last search of each lane saw that is not ours, or is in doubt.
    pub(crate) doubtful: RefCell<BTreeMap<i64, Doubtful>>,
    /// Grants of others that policies would end, and do not take up.
    pub(crate) unadopted: Unadopted,
    /// Counts up whenever the keys are to be searched without waiting for the next time.
    searches: Cell<u64>,
    seek: Notify,
    /// What the check of the books found wrong.
    pub(crate) findings: Findings,
    /// Proofs of the way out that are under way, by lane and key.
    pub(crate) proving: RefCell<BTreeMap<(i64, KeyArn), Turn>>,
    /// Who is there of those by whom leases live.
    pub(crate) holders: RefCell<BTreeMap<Ref, Holder>>,
    /// Whether a lease may be open that lives by being held: else nobody need look.
    pub(crate) held: Cell<bool>,
    /// The head of the history when the clocks were noted last.
    pub(crate) noted: Cell<i64>,
    /// Keys whose grants are being counted.
    pub(crate) counting: RefCell<BTreeSet<KeyArn>>,
    /// What is refused and not all told yet.
    pub(crate) metrics: Metrics,
    pub(crate) refusals: Refusals,
    /// Set once the daemon stops: nothing new is sent.
    pub(crate) stopping: Cell<bool>,
    /// Wakes those who rest when the daemon stops.
    pub(crate) halt: Notify,
    /// Something changed that the main loop should look at.
    pub(crate) wake: Notify,
    /// The ledger took a record: those that wait to be written are tried again.
    pub(crate) mended: Notify,
    /// The look-ahead is to be read again without what waits, since it may keep others out.
    pub(crate) crowded: Cell<bool>,
    tokens: RefCell<BTreeMap<i64, Token>>,
    tasks: RefCell<JoinSet<()>>,
}

/// What the configuration lets the daemon do.
struct InForce {
    /// `None`: the daemon only ends.
    config: Option<Arc<Config>>,
    /// Why the daemon only ends.
    end_only: Option<EndOnly>,
}

/// The ports and the state to start from.
pub(crate) struct Parts {
    pub(crate) kms: Rc<dyn Kms>,
    pub(crate) rng: Rc<dyn Rng>,
    pub(crate) time: TimeKeeper,
    pub(crate) ledger: Handle,
    pub(crate) config: Option<Arc<Config>>,
    pub(crate) end_only: Option<EndOnly>,
    pub(crate) refusals: Refusals,
}

impl Context {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { kms, rng, time, ledger, config, end_only, refusals } = parts;
        let reloading = Reloading::new(end_only.as_ref(), time.wall());
        Self {
            kms,
            rng,
            time,
            ledger,
            metrics: Metrics::default(),
            reloading,
            in_force: RefCell::new(InForce { config, end_only }),
            started_at: Cell::default(),
            agenda: RefCell::new(Agenda::new(ROWS_MAX)),
            lanes: RefCell::default(),
            backlog: RefCell::default(),
            doubtful: RefCell::default(),
            unadopted: Unadopted::default(),
            searches: Cell::default(),
            seek: Notify::new(),
            findings: Findings::default(),
            proving: RefCell::default(),
            holders: RefCell::default(),
            held: Cell::new(true),
            noted: Cell::default(),
            counting: RefCell::default(),
            refusals,
            stopping: Cell::default(),
            halt: Notify::new(),
            wake: Notify::new(),
            mended: Notify::new(),
            crowded: Cell::default(),
            tokens: RefCell::default(),
            tasks: RefCell::default(),
        }
    }

    /// The configuration in force; `None` where none loads. A task that lives long asks again: it
    /// may be replaced.
    pub(crate) fn config(&self) -> Option<Arc<Config>> {
        self.in_force.borrow().config.clone()
    }

    /// Why the daemon only ends; `None` while it makes leases too.
    pub(crate) fn end_only(&self) -> Option<EndOnly> {
        self.in_force.borrow().end_only.clone()
    }

    /// Put a configuration in force. Only a broken ledger keeps the daemon from making leases then.
    pub(crate) fn put_in_force(&self, config: Arc<Config>) {
        let mut in_force = self.in_force.borrow_mut();
        in_force.config = Some(config);
        in_force.end_only.take_if(|end_only| !end_only.lasting);
    }

    /// Whether `config` is still the one in force.
    pub(crate) fn is_in_force(&self, config: &Arc<Config>) -> bool {
        self.in_force.borrow().config.as_ref().is_some_and(|now| Arc::ptr_eq(now, config))
    }

    /// Run `work` beside the main loop, which joins it: nothing dies in silence.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + 'static) {
        self.tasks.borrow_mut().spawn_local(work);
    }

    /// Reap what has finished. A panic of a task is a panic of the engine: systemd restarts it, and
    /// the ledger knows all.
    pub(crate) fn reap(&self) {
        while let Some(done) = self.tasks.borrow_mut().try_join_next() {
            if let Err(error) = done
                && let Ok(panic) = error.try_into_panic()
            {
                std::panic::resume_unwind(panic);
            }
        }
    }

    /// Whether any task is under way.
    pub(crate) fn idle(&self) -> bool {
        self.reap();
        self.tasks.borrow().is_empty()
    }

    pub(crate) fn put(&self, row: Row) {
        self.agenda.borrow_mut().put(row);
        self.wake.notify_one();
    }

    /// Take in rows as the ledger has them. What is being worked on, or not yet written, is newer
    /// in memory.
    pub(crate) fn take_in(&self, rows: Vec<Row>) {
        for row in rows {
            let busy = self.agenda.borrow().is_busy(row.id());
            if !busy && !self.backlog.borrow().holds(row.id()) {
                self.put(row);
            }
        }
    }

    pub(crate) fn release(&self, id: i64) {
        self.agenda.borrow_mut().release(id);
        self.wake.notify_one();
    }

    pub(crate) fn lane<T>(&self, lane: &Lane, look: impl FnOnce(&mut LaneState) -> T) -> Option<T> {
        self.lanes.borrow_mut().get_mut(&lane.id).map(look)
    }

    /// Wait for a place in the pace of `op` on `lane`, and take it.
    pub(crate) async fn place(&self, lane: &Lane, op: Op, part: Part) {
        loop {
            let now = self.time.ticks();
            let at = self.lane(lane, |state| state.pace(op).next(part, now)).unwrap_or(now);
            if at <= now {
                self.lane(lane, |state| state.pace(op).sent(part, now));
                return;
            }
            self.time.nap(at.since(now)).await;
        }
    }

    /// A pause that the end of the daemon cuts short.
    pub(crate) async fn rest(&self, ms: i64) {
        if !self.stopping.get() {
            let _stopped = self.time.within(ms, self.halt.notified()).await.is_some();
        }
    }

    /// Search the keys now: those that rest between two searches, and those that are at one, again.
    pub(crate) fn search_soon(&self) {
        self.searches.set(self.searches.get().wrapping_add(1));
        self.seek.notify_waiters();
    }

    /// Which searches were asked for so far.
    pub(crate) const fn searches(&self) -> u64 {
        self.searches.get()
    }

    /// A pause between two searches, the last of which knew of `seen`.
    pub(crate) async fn rest_from_search(&self, ms: i64, seen: u64) {
        let sought = std::pin::pin!(self.seek.notified());
        if seen == self.searches.get() {
            let _sought = futures_util::future::select(sought, std::pin::pin!(self.rest(ms))).await;
        }
    }

    /// Take note of AWS's date, where an answer carries one. The word of an emulator on this host
    /// counts only where no lane leads to AWS itself.
    pub(crate) fn time_of<T>(&self, lane: &Lane, answer: &Answer<T>) {
        let aws = self.lanes.borrow().values().any(|state| !state.lane.is_local());
        if aws && lane.is_local() {
            return;
        }
        if let Some(date) = answer.date {
            self.time.heard(date);
        }
    }

    /// Take note of an answer: AWS's date, who waits, and what there is to tell.
    pub(crate) fn heard<T>(
        &self,
        lane: &Lane,
        op: Op,
        key: Option<&KeyArn>,
        sent: Sent,
        answer: &Answer<T>,
    ) {
        self.time_of(lane, answer);
        let class = answer.outcome.class();
        self.metrics.called(lane, op, class);
        let now = self.time.shown();
        let detail = answer.detail.as_deref();
        let told = self.lane(lane, |state| {
            let ticks = self.time.ticks();
            let waiting = state.waiting();
            let told =
                state.heard((op, key), (class, sent), detail, (now, ticks), self.rng.as_ref());
            // A full look-ahead may hold nothing but rows of what waits from now on.
            let full = || self.agenda.borrow().len() >= ROWS_MAX;
            if matches!(op, Op::End | Op::EndAdopted) && state.waiting() > waiting && full() {
                self.crowded.set(true);
            }
            told
        });
        for notice in told.unwrap_or_default() {
            self.tell(lane, &notice);
        }
        self.wake.notify_one();
    }

    fn tell(&self, lane: &Lane, notice: &Notice) {
        let (kind, body) = match notice {
            Notice::Alarm { key, class, tries, detail } => {
                let key = key.as_ref().map(KeyArn::as_str);
                tracing::error!(account = %lane.account, region = %lane.region, key, ?class, tries,
                    "AWS refuses or does not answer: {detail}; grantd keeps trying");
                let body = serde_json::json!({ "account": lane.account, "region": lane.region,
                    "key": key, "class": class, "tries": tries, "detail": detail });
                ("alarm", body)
            }
            Notice::Over { key, class, lasted } => {
                let key = key.as_ref().map(KeyArn::as_str);
                tracing::info!(account = %lane.account, region = %lane.region, key, ?class,
                    lasted_ms = lasted, "AWS answers again");
                let body = serde_json::json!({ "account": lane.account, "region": lane.region,
                    "key": key, "class": class, "lasted-ms": lasted });
                ("alarm-over", body)
            }
        };
        self.chronicle(None, kind, "grantd", body);
    }

    /// A history row for what is no transition; written beside the work, since nothing depends on
    /// it.
    pub(crate) fn chronicle(
        &self,
        lease: Option<Ref>,
        kind: &'static str,
        actor: &str,
        body: serde_json::Value,
    ) {
        let (now, actor, ledger) = (self.time.now(), actor.to_owned(), self.ledger.clone());
        self.spawn(async move {
            let written = ledger
                .run(Urgency::Work, move |books| {
                    books.note(now.latest, lease.as_ref(), kind, &actor, &body)
                })
                .await;
            if let Err(error) = written {
                tracing::error!(kind, "the history row is lost: {}", crate::fault::chain(&error));
            }
        });
    }

    pub(crate) fn keep_token(&self, grant: i64, token: Token) {
        let mut tokens = self.tokens.borrow_mut();
        if tokens.len() < TOKENS_MAX {
            tokens.insert(grant, token);
        }
    }

    pub(crate) fn token(&self, grant: i64) -> Option<Token> {
        self.tokens.borrow().get(&grant).cloned()
    }

    pub(crate) fn forget_token(&self, grant: i64) {
        self.tokens.borrow_mut().remove(&grant);
    }
}

/// A ledger's error as the asker reads it.
pub(crate) fn ledger_fault(error: LedgerError) -> Fault {
    Fault::from(error)
}

/// Whether the config still makes grants on this lane. What it no longer names is only ended.
pub(crate) fn is_current(config: &Config, lane: &Lane) -> bool {
    config.lanes().any(|(_, wanted)| wanted.is(lane))
}
