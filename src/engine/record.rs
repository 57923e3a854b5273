//! Recording what happened to rows.
//!
//! The ledger is written before a send where it can be. Where the disk stalls or is full, an *end*
//! goes out all the same and what happened waits here, in order, until it can be written with its
//! true time. A crash in between loses the record of an end, never of a create: the row then simply
//! ends once more after the restart.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use tokio::sync::oneshot;

use super::context::Context;
use crate::kms::Answer;
use crate::ledger::{LedgerError, Note, Row, Urgency};
use crate::rules::life::{Event, Life, State};
use crate::rules::time::{Now, SECOND};

/// How long an end waits for its record before it leaves without (DESIGN 5).
pub(crate) const RECORD_PATIENCE: i64 = SECOND / 4;
/// A write that failed is tried again this often, by the first of those that wait.
const RETRY: i64 = SECOND;
/// The others try after so long at the most, in case the first fails by itself.
const RETRY_ALONE: i64 = 60 * SECOND;

/// Something that happened to a row.
#[derive(Debug, Clone)]
pub(crate) struct Happening {
    pub(crate) event: Event,
    pub(crate) now: Now,
    pub(crate) note: Note,
}

impl Happening {
    /// By grantd itself.
    pub(crate) fn own(event: Event, now: Now) -> Self {
        Self::by("grantd", event, now)
    }

    pub(crate) fn by(actor: impl Into<String>, event: Event, now: Now) -> Self {
        Self { event, now, note: Note { actor: actor.into(), detail: None, request_id: None } }
    }

    /// By KMS's answer.
    pub(crate) fn kms<T>(event: Event, now: Now, answer: &Answer<T>) -> Self {
        let note = Note {
            actor: "kms".to_owned(),
            detail: answer.detail.clone(),
            request_id: answer.request_id.clone(),
        };
        Self { event, now, note }
    }
}

struct Batch {
    happenings: Vec<Happening>,
    /// The life that they lead to: after a commit in doubt it tells whether they are written.
    after: Life,
    done: oneshot::Sender<Row>,
}

/// What came of it in the ledger.
struct Written {
    row: Row,
    /// Other rows, to be ended at once.
    twins: Vec<Row>,
    replaced: Vec<Row>,
}

impl Written {
    fn of(row: Row) -> Self {
        Self { row, twins: Vec::new(), replaced: Vec::new() }
    }
}

/// What waits to be written, by row and in order. A row that is here has one writer.
#[derive(Default)]
pub(crate) struct Backlog {
    rows: BTreeMap<i64, VecDeque<Batch>>,
}

impl Backlog {
    /// Whether the ledger lags behind for this row: then what is in memory is newer.
    pub(crate) fn holds(&self, id: i64) -> bool {
        self.rows.contains_key(&id)
    }

    /// How many rows wait to be written.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }
}

impl Context {
    /// Record `happenings` of `row`; what the row is afterwards. Waits for the ledger at most
    /// `patience` ms (`None`: until it is written) and then answers from memory, while the writing
    /// goes on behind.
    pub(crate) async fn record(
        self: &Rc<Self>,
        row: &Row,
        happenings: Vec<Happening>,
        patience: Option<i64>,
    ) -> Row {
        let (foreseen, written) = self.recording(row, happenings);
        let written = match patience {
            Some(ms) => self.time.within(ms, written).await.and_then(Result::ok),
            None => written.await.ok(),
        };
        written.unwrap_or(foreseen)
    }

    /// The same without waiting: the row as it is foreseen, and as it will have been written.
    pub(crate) fn recording(
        self: &Rc<Self>,
        row: &Row,
        happenings: Vec<Happening>,
    ) -> (Row, oneshot::Receiver<Row>) {
        let mut foreseen = row.clone();
        for happening in &happenings {
            match foreseen.stepped(&happening.event, happening.now) {
                Ok(next) => foreseen = next,
                Err(error) => tracing::error!(lease = %row.reference(), "{error}"),
            }
        }
        let (done, written) = oneshot::channel();
        let after = foreseen.life().clone();
        self.enqueue(row.id(), Batch { happenings, after, done });
        (foreseen, written)
    }

    fn enqueue(self: &Rc<Self>, id: i64, batch: Batch) {
        let mut backlog = self.backlog.borrow_mut();
        if let Some(waiting) = backlog.rows.get_mut(&id) {
            waiting.push_back(batch);
            return;
        }
        backlog.rows.insert(id, VecDeque::from([batch]));
        drop(backlog);
        let cx = Rc::clone(self);
        self.spawn(async move { cx.write_out(id).await });
    }

    async fn write_out(self: Rc<Self>, id: i64) {
        let mut doubt = false;
        loop {
            let first = self.backlog.borrow().rows.get(&id).and_then(|waiting| {
                waiting.front().map(|batch| (batch.happenings.clone(), batch.after.clone()))
            });
            let Some((happenings, after)) = first else {
                self.backlog.borrow_mut().rows.remove(&id);
                return;
            };
            match self.write(id, happenings, doubt.then_some(after)).await {
                Ok(written) => {
                    doubt = false;
                    self.written(id, written);
                }
                Err(error) => {
                    doubt |= matches!(error, LedgerError::InDoubt(_));
                    let text = crate::fault::chain(&error);
                    tracing::error!(grant = id, "cannot record: {text}; trying again");
                    self.retry(id).await;
                }
            }
        }
    }

    /// Wait until a write is worth another try. The first tries for all: what it finds mended the
    /// others hear of, also while they pause. Nobody tries more often than once in `RETRY`: a row
    /// that fails by itself hears of the others' successes all the time.
    async fn retry(&self, id: i64) {
        let mended = self.mended.notified();
        self.time.pause(RETRY).await;
        let (first, waiting) = {
            let backlog = self.backlog.borrow();
            let waiting = i64::try_from(backlog.len()).unwrap_or(i64::MAX);
            (backlog.rows.keys().next() == Some(&id), waiting)
        };
        if !first {
            let spread = waiting.saturating_mul(RETRY).min(RETRY_ALONE);
            let _heard = self.time.within(self.rng.up_to(spread), mended).await;
        }
    }

    fn written(&self, id: i64, Written { row, twins, replaced }: Written) {
        self.mended.notify_waiters();
        let batch = self.backlog.borrow_mut().rows.get_mut(&id).and_then(VecDeque::pop_front);
        for twin in twins {
            let lease = twin.reference();
            tracing::warn!(%lease, "a second grant under one name: ending it");
            self.put(twin);
        }
        for old in replaced {
            let (lease, serial) = (old.reference(), old.serial());
            tracing::info!(%lease, serial, "a shorter grant took its place: ending it");
            self.put(old);
        }
        if matches!(row.life().state, State::Closed { .. }) {
            self.forget_token(id);
        }
        let late = batch.is_some_and(|batch| batch.done.send(row.clone()).is_err());
        // Nobody waits any more: the agenda learns it from here, unless newer happenings follow.
        let last = self.backlog.borrow().rows.get(&id).is_none_or(VecDeque::is_empty);
        if late && last && !self.agenda.borrow().is_busy(id) {
            self.put(row);
        }
    }

    /// `doubted`: the last commit may have come through, and this is the life it led to.
    async fn write(
        &self,
        id: i64,
        happenings: Vec<Happening>,
        doubted: Option<Life>,
    ) -> Result<Written, LedgerError> {
        // What looks found is no hurry; it must not stand before the endings.
        let looked = |happening: &Happening| matches!(happening.event, Event::Looked { .. });
        let urgency = if happenings.iter().all(looked) { Urgency::Work } else { Urgency::End };
        self.ledger
            .run(urgency, move |books| {
                if let Some(after) = &doubted {
                    let stored = books.row(id)?;
                    if after == stored.life() {
                        // What came of it besides is in the ledger, and due.
                        return Ok(Written::of(stored));
                    }
                }
                let (mut twins, mut replaced, mut last) = (Vec::new(), Vec::new(), None);
                for happening in &happenings {
                    match books.step(id, &happening.event, happening.now, &happening.note) {
                        Ok(stepped) => {
                            twins.extend(stepped.twins);
                            replaced.extend(stepped.replaced);
                            last = Some(stepped.row);
                        }
                        // Memory was behind the ledger: what is written there is the truth.
                        Err(LedgerError::Illegal(error)) => {
                            tracing::warn!(grant = id, "not recorded: {error}");
                        }
                        Err(error) => return Err(error),
                    }
                }
                let row = last.map_or_else(|| books.row(id), Ok)?;
                Ok(Written { row, twins, replaced })
            })
            .await
    }
}

/// Whether the row's grant is so young that KMS may not show it yet.
pub(crate) fn young(row: &Row, now: Now) -> bool {
    let settle = row.facts().settle;
    match &row.life().state {
        State::Creating { create, .. }
        | State::Active { create, .. }
        | State::Ending { create, .. }
        | State::Ended { create, .. } => !create.settled(settle, now.least),
        State::Closed { .. } => false,
    }
}
