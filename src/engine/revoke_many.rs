//! Ending many leases early: the wishes are one commit, and the scheduler does the rest at its
//! pace, so that who asks may go away, and hundreds of ends hold hundreds of nothing.

use std::rc::Rc;

use super::Caller;
use super::context::{Context, ledger_fault};
use super::meant::meant;
use super::refusals::refused;
use super::revoke::not_yours;
use crate::fault::{Fault, Kind};
use crate::ids::Ref;
use crate::ledger::{Ledger, LedgerError, Note, Urgency};
use crate::rules::access::Sight;
use crate::rules::life::Why;
use crate::rules::policy;
use crate::wire::{Lease, Page, REVOKE_MAX, RevokeLeases};

/// Leases of others that a refusal names; the rest is a number.
const NAMED: usize = 4;

/// End all of the leases before their deadlines, or none where one of them is not the caller's to
/// end. The leases as they are then.
pub(crate) async fn revoke_many(
    cx: &Rc<Context>,
    caller: &Caller,
    request: RevokeLeases,
) -> Result<Page<Lease>, Fault> {
    let RevokeLeases { refs, reason, dry_run } = request;
    if refs.is_empty() || refs.len() > REVOKE_MAX {
        let text = format!("{} refs are not 1 to {REVOKE_MAX}", refs.len());
        return Err(Fault::new(Kind::BadArgument, text).hint("end them in several requests"));
    }
    policy::sayable(reason.as_deref().unwrap_or_default())?;
    let asked = serde_json::json!({ "refs": refs });
    let known = meant(cx, caller, ("revoke", asked.clone()), leases(&refs)).await?;
    let others = known.iter().filter_map(|lease| not_yours(cx, caller, lease).err());
    let others: Vec<Fault> = others.collect();
    if let Some(fault) = all_of(others) {
        refused(cx, caller, &fault, "revoke", asked);
        return Err(fault);
    }
    if dry_run {
        return Ok(Page { items: known, next: None });
    }
    let note = Note::person(caller.uid, &caller.name, reason);
    let open = known.into_iter().filter(|lease| lease.closed_at.is_none());
    let open: Vec<Ref> = open.map(|lease| lease.reference).collect();
    let now = cx.time.now();
    let end = move |books: &mut Ledger| -> Result<Vec<_>, LedgerError> {
        let ended = open.iter().map(|lease| books.end_lease(lease, Why::Asked, now, &note));
        ended.collect()
    };
    let rows = cx.ledger.run(Urgency::End, end).await.map_err(ledger_fault)?;
    rows.into_iter().flatten().for_each(|row| cx.put(row));
    let items = meant(cx, caller, ("revoke", asked), leases(&refs)).await?;
    Ok(Page { items, next: None })
}

fn leases(
    refs: &[Ref],
) -> impl FnMut(&mut Ledger, &Sight) -> Result<Vec<Lease>, LedgerError> + use<> {
    let refs = refs.to_vec();
    move |books, sight| refs.iter().map(|lease| books.seen(lease.as_str(), sight)).collect()
}

/// One refusal for all of them.
fn all_of(others: Vec<Fault>) -> Option<Fault> {
    let texts: Vec<&str> = others.iter().take(NAMED).map(|fault| fault.text.as_str()).collect();
    let mut text = texts.join("; ");
    if others.len() > NAMED {
        text.push_str(&format!("; and {} more", others.len() - NAMED));
    }
    let first = others.into_iter().next()?;
    let fault = Fault { text: format!("{text}. Nothing was ended"), ..first };
    Some(fault.hint("--mine (or \"mine\") leaves out what is not yours"))
}
