//! Sending a create: the stored request, to the letter, while the asker waits.

use std::rc::Rc;

use super::context::Context;
use super::lane::Op;
use super::record::Happening;
use crate::fault::{Fault, Kind};
use crate::ledger::{Intent, LedgerError, NewLease, Row};
use crate::rules::life::{Class, Event, Outcome, State};
use crate::rules::time::SECOND;

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

impl Context {
    /// Make the lease's intent durable and send its create, again and again while it stays
    /// unanswered, for at most [`ASKER_WAITS`] and never at or after its due time.
    pub(crate) async fn send(self: &Rc<Self>, new: NewLease) -> Result<Made, LedgerError> {
        let lane = std::sync::Arc::clone(&new.lane);
        self.place(&lane, Op::Create, false).await;
        let now = self.time.now();
        if now.latest >= new.deadline.plus(-new.lead_ms) {
            let text = format!("the deadline {} passed while the request waited", new.deadline);
            return Err(Fault::new(Kind::DeadlinePast, text).into());
        }
        let (row, intent) = self.ledger.begin(new, now).await?;
        let id = row.id();
        self.agenda.borrow_mut().claim(id);
        let made = self.send_until_known(row, intent).await;
        let row = match &made {
            Made::Granted(row) | Made::Refused(row, ..) | Made::Unknown(row, _) => row.clone(),
        };
        self.put(row);
        self.release(id);
        Ok(made)
    }

    async fn send_until_known(self: &Rc<Self>, mut row: Row, mut intent: Intent) -> Made {
        let give_up = self.time.now().latest.plus(ASKER_WAITS);
        let mut pause = REPLAY_FIRST;
        loop {
            let answer = self.kms.create(&intent).await;
            self.heard(row.lane(), Op::Create, Some(row.key_arn()), false, &answer);
            let now = self.time.now();
            let detail = answer.detail.clone().unwrap_or_else(|| "KMS did not answer".to_owned());
            let event = match &answer.outcome {
                Outcome::Done(created) => {
                    self.keep_token(row.id(), created.token.clone());
                    Event::Created(Outcome::Done(created.id.clone()))
                }
                Outcome::Refused(class) => Event::Created(Outcome::Refused(*class)),
                Outcome::Unknown => Event::Created(Outcome::Unknown),
            };
            let happening = Happening::kms(event, now, &answer);
            row = self.record(&row, vec![happening], None).await;
            match answer.outcome {
                Outcome::Done(_) => return Made::Granted(row),
                Outcome::Refused(class) if closed(&row) => {
                    return Made::Refused(row, class, detail);
                }
                Outcome::Refused(_) | Outcome::Unknown => {}
            }
            let again = now.latest.plus(pause);
            let too_late = again >= give_up.min(row.facts().due_at()) || self.stopping.get();
            let final_no = matches!(answer.outcome, Outcome::Refused(class) if !class.passing());
            if !too_late && !final_no {
                self.time.pause(pause).await;
                pause = (pause * 2).min(REPLAY_MAX);
                self.place(row.lane(), Op::Create, false).await;
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
            row = self.record(&row, vec![abandoned], None).await;
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

fn closed(row: &Row) -> bool {
    matches!(row.life().state, State::Closed { .. })
}
