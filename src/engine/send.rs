//! Sending a create: the stored request, to the letter, while the asker waits.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use super::context::Context;
use super::lane::{Op, Sent};
use super::record::{Happening, RECORD_PATIENCE};
use crate::config::Config;
use crate::fault::{Fault, Kind};
use crate::kms::{Answer, Created, Lane};
use crate::ledger::{Intent, LedgerError, NewLease, Row, Successor};
use crate::rules::life::{Class, Event, Outcome, State};
use crate::rules::pace::Part;
use crate::rules::time::{Now, SECOND, Time};

/// How long an asker waits for KMS; then the outcome is called unknown (DESIGN 6).
pub(crate) const ASKER_WAITS: i64 = 10 * SECOND;
/// The first pause before an unanswered create is sent again; doubled each time.
const REPLAY_FIRST: i64 = SECOND / 10;
const REPLAY_MAX: i64 = 2 * SECOND;

/// What became of a create while the asker waited.
#[derive(Debug)]
pub(crate) enum Made {
    /// KMS has it, and so has the ledger.
    Granted(Row),
    /// KMS will not; nothing was made.
    Refused(Row, Class, String),
    /// Not known yet. The row finds its way by looking; it ends at its deadline in any case.
    Unknown(Row, String),
}

impl Made {
    /// The row, as it is afterwards.
    pub(crate) const fn row(&self) -> &Row {
        match self {
            Self::Granted(row) | Self::Refused(row, ..) | Self::Unknown(row, _) => row,
        }
    }
}

impl Context {
    /// Make the lease's intent durable and send its create, again and again while it stays
    /// unanswered, for at most [`ASKER_WAITS`] and never at or after its due time.
    pub(crate) async fn send(
        self: &Rc<Self>,
        new: NewLease,
        by: &Arc<Config>,
    ) -> Result<Made, LedgerError> {
        let now = self.ready(&new.lane, new.deadline, new.lead_ms, by).await?;
        let begun = self.ledger.begin(new, now).await?;
        Ok(self.follow(begun).await)
    }

    /// The same for a successor.
    pub(crate) async fn succeed(
        self: &Rc<Self>,
        new: Successor,
        by: &Arc<Config>,
    ) -> Result<Made, LedgerError> {
        let now = self.ready(&new.lane, new.deadline, new.facts.lead, by).await?;
        let begun = self.ledger.succeed(new, now).await?;
        Ok(self.follow(begun).await)
    }

    /// Wait for a place in the pace; the present, in which a create that was decided `by` this
    /// configuration may still leave. Nothing else happens on this thread before its intent is on
    /// its way to the ledger.
    async fn ready(
        &self,
        lane: &Lane,
        deadline: Time,
        lead: i64,
        by: &Arc<Config>,
    ) -> Result<Now, LedgerError> {
        self.place(lane, Op::Create, Part::Due).await;
        let now = self.time.now();
        if now.latest >= deadline.plus(-lead) {
            let text = format!("the deadline {deadline} passed while the request waited");
            return Err(Fault::new(Kind::DeadlinePast, text).into());
        }
        if self.stopping.get() {
            return Err(Fault::new(Kind::Stopping, "grantd is stopping").into());
        }
        if !self.is_in_force(by) {
            let text = "the configuration was replaced while the request was under way";
            return Err(Fault::new(Kind::Replaced, text).into());
        }
        Ok(now)
    }

    /// Send what was begun, and put its row where it belongs.
    async fn follow(self: &Rc<Self>, (row, intent): (Row, Intent)) -> Made {
        let held = Held { cx: self, id: row.id(), held: Cell::new(true) };
        self.agenda.borrow_mut().claim(held.id);
        let made = self.send_until_known(row, intent, &held).await;
        held.let_go(made.row().clone());
        made
    }

    /// Record an answer for an asker: what he is told is on the disk. Where the disk does not
    /// answer soon, the row is let go meanwhile, so that its end does not wait for it.
    async fn record_for_asker(
        self: &Rc<Self>,
        row: &Row,
        happening: Happening,
        held: &Held<'_>,
    ) -> Result<Row, Row> {
        let (foreseen, mut written) = self.recording(row, vec![happening]);
        if let Some(Ok(row)) = self.time.within(RECORD_PATIENCE, &mut written).await {
            return Ok(row);
        }
        held.let_go(foreseen.clone());
        match self.time.within(ASKER_WAITS, written).await {
            Some(Ok(row)) => Ok(row),
            Some(Err(_)) | None => Err(foreseen),
        }
    }

    /// What an answer to a create is to the row; its token is kept.
    fn created(&self, row: &Row, answer: &Answer<Created>) -> Event {
        Event::Created(match &answer.outcome {
            Outcome::Done(created) => {
                self.keep_token(row.id(), created.token.clone());
                Outcome::Done(created.id.clone())
            }
            Outcome::Refused(class) => Outcome::Refused(*class),
            Outcome::Unknown => Outcome::Unknown,
        })
    }

    async fn send_until_known(
        self: &Rc<Self>,
        mut row: Row,
        mut intent: Intent,
        held: &Held<'_>,
    ) -> Made {
        let give_up = self.time.now().latest.plus(ASKER_WAITS);
        let mut pause = REPLAY_FIRST;
        loop {
            let answer = self.kms.create(&intent).await;
            self.heard(row.lane(), Op::Create, Some(row.key_arn()), Sent::default(), &answer);
            let now = self.time.now();
            let detail = answer.detail.clone().unwrap_or_else(|| "KMS did not answer".to_owned());
            let event = self.created(&row, &answer);
            let happening = Happening::kms(event, now, &answer);
            row = match self.record_for_asker(&row, happening, held).await {
                Ok(row) => row,
                Err(row) => {
                    return Made::Unknown(row, "the ledger does not take the answer".to_owned());
                }
            };
            match answer.outcome {
                Outcome::Done(_) => return Made::Granted(row),
                Outcome::Refused(class) if closed(&row) => {
                    return Made::Refused(row, class, detail);
                }
                Outcome::Refused(_) | Outcome::Unknown => {}
            }
            let again = now.latest.plus(pause);
            let late = again >= give_up.min(row.facts().due_at());
            let too_late = late || self.stopping.get() || !held.held.get();
            let final_no = matches!(answer.outcome, Outcome::Refused(class) if !class.passing());
            if !too_late && !final_no {
                self.time.pause(pause).await;
                pause = (pause * 2).min(REPLAY_MAX);
                self.place(row.lane(), Op::Create, Part::Due).await;
                match self.ledger.resend(row.id(), self.time.now()).await {
                    Ok((resent, fresh)) => {
                        (row, intent) = (resent, fresh);
                        continue;
                    }
                    // Without a record there is no send: the asker learns that the outcome is open.
                    Err(error) => tracing::warn!("not sent again: {}", crate::fault::chain(&error)),
                }
            }
            let abandoned = Happening::own(Event::Abandoned, self.time.now());
            row = match self.record_for_asker(&row, abandoned, held).await {
                Ok(row) | Err(row) => row,
            };
            return match answer.outcome {
                // With an earlier send still unanswered, a "no" to the last one decides nothing.
                Outcome::Refused(class) if closed(&row) => Made::Refused(row, class, detail),
                Outcome::Refused(_) | Outcome::Done(_) | Outcome::Unknown => {
                    Made::Unknown(row, detail)
                }
            };
        }
    }
}

/// A row that nobody else works on while its create is under way.
struct Held<'a> {
    cx: &'a Rc<Context>,
    id: i64,
    held: Cell<bool>,
}

impl Held<'_> {
    /// Give the row back, once.
    fn let_go(&self, row: Row) {
        if self.held.replace(false) {
            self.cx.put(row);
            self.cx.release(self.id);
        }
    }
}

fn closed(row: &Row) -> bool {
    matches!(row.life().state, State::Closed { .. })
}
