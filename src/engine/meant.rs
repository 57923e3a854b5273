//! Which lease a caller means by a ref, or by the beginning of one.

use serde_json::Value;

use super::Caller;
use super::context::{Context, ledger_fault};
use super::refusals::refused;
use crate::fault::{Fault, Kind};
use crate::ledger::{Ledger, LedgerError, Urgency};
use crate::rules::access::{Sight, sight};

/// What `read` finds of the leases that the caller may see. Others are as if they were not there,
/// and a `command` that looks for them stands in the history, as it was `asked`.
pub(crate) async fn meant<T: Send + 'static>(
    cx: &Context,
    caller: &Caller,
    (command, asked): (&str, Value),
    mut read: impl FnMut(&mut Ledger, &Sight) -> Result<T, LedgerError> + Send + 'static,
) -> Result<T, Fault> {
    let sight = sight(cx.config().as_deref(), caller);
    let sees_all = sight == Sight::All;
    let read = move |books: &mut Ledger| read(books, &sight);
    let found = cx.ledger.run(Urgency::Work, read).await.map_err(ledger_fault);
    if let Err(fault) = &found
        && fault.kind == Kind::RefUnknown
        && !sees_all
    {
        refused(cx, caller, fault, command, asked);
    }
    found
}
