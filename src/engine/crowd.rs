//! Whether so much else ends when a new lease does that its end would be late.
//!
//! A word to the asker, not a limit: two who ask at once may both be told that there is room.

use std::rc::Rc;

use super::context::{Context, ledger_fault};
use crate::config::Config;
use crate::fault::{Fault, Kind};
use crate::ledger::{NewLease, Urgency};
use crate::rules::forecast::{LOOK_BACK, late};
use crate::rules::policy::show_span;
use crate::rules::time::SECOND;

/// By how many ms the end of `new` would be sent late; `None` below a second.
///
/// # Errors
/// [`Kind::EndsCrowded`] where that is more than the policy's `max-late`; those of the ledger.
pub(crate) async fn crowded(
    cx: &Rc<Context>,
    config: &Config,
    new: &NewLease,
) -> Result<Option<i64>, Fault> {
    let (lane, due) = (new.lane.id, new.origin.due_at(new.deadline, new.lead_ms));
    let read = cx
        .ledger
        .run(Urgency::Work, move |books| books.due_between(lane, due.plus(-LOOK_BACK), due));
    let before = read.await.map_err(ledger_fault)?;
    let pace = cx.lane(&new.lane, |state| state.ends_per_second()).unwrap_or_default();
    let late = late(before, due, pace);
    let policy = new.policy.as_deref().and_then(|name| config.policy(name));
    match policy.and_then(|policy| Some((policy, policy.max_late?))) {
        Some((policy, max)) if late > max => {
            let text = format!(
                "so much else ends by {} in account {}, Region {}, that this lease would end {} \
                 late, more than policy {} ({}) takes ({})",
                new.deadline,
                new.lane.account,
                new.lane.region,
                show_span(late),
                policy.name,
                config.place(policy),
                show_span(max)
            );
            Err(Fault::new(Kind::EndsCrowded, text))
        }
        Some(_) | None => Ok((late >= SECOND).then_some(late)),
    }
}
