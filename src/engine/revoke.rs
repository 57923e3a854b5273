//! Ending a lease early, because a named person asks.

use std::rc::Rc;

use super::Caller;
use super::context::{Context, ledger_fault};
use super::desk::lease;
use super::meant::meant;
use super::refusals::refused;
use super::send::ASKER_WAITS;
use crate::fault::{Fault, Kind};
use crate::ledger::{Ledger, Row, Urgency};
use crate::rules::access::{self, Sight};
use crate::rules::life::{Class, Origin, Outcome, State, Why};
use crate::rules::pace::Part;
use crate::rules::policy;
use crate::rules::time::SECOND;
use crate::wire;

/// End a lease before its deadline.
pub(crate) async fn revoke(
    cx: &Rc<Context>,
    caller: &Caller,
    reference: &str,
    reason: Option<String>,
) -> Result<wire::Lease, Fault> {
    policy::sayable(reason.as_deref().unwrap_or_default())?;
    let prefix = reference.to_owned();
    let asked = serde_json::json!({ "ref": reference });
    let read = move |books: &mut Ledger, sight: &Sight| books.seen(&prefix, sight);
    let known = meant(cx, caller, ("revoke", asked.clone()), read).await?;
    if let Err(fault) = not_yours(cx, caller, &known) {
        refused(cx, caller, &fault, "revoke", asked);
        return Err(fault);
    }
    if known.closed_at.is_some() {
        return Ok(known);
    }
    let (lease_ref, now) = (known.reference.clone(), cx.time.now());
    let note = crate::ledger::Note::person(caller.uid, &caller.name, reason);
    let rows = cx
        .ledger
        .run(Urgency::End, move |books| books.end_lease(&lease_ref, Why::Asked, now, &note))
        .await
        .map_err(ledger_fault)?;
    let waits: Vec<_> = rows.into_iter().map(|row| end_now(cx, row)).collect();
    let ended = futures_util::future::join_all(waits).await;
    let after = lease(cx, &known.reference).await?;
    match ended.into_iter().find_map(Result::err) {
        Some(fault) => Err(fault.about(known.reference)),
        None => Ok(after),
    }
}

/// Refuse whoever may not end this lease.
pub(crate) fn not_yours(cx: &Context, caller: &Caller, known: &wire::Lease) -> Result<(), Fault> {
    let owner = known.asker.as_ref().map(|asker| asker.uid);
    let config = cx.config();
    let own = access::owns(config.as_deref(), caller, known.policy.as_deref(), owner);
    match own || access::ends(config.as_deref(), caller, owner) {
        true => Ok(()),
        false => Err(anothers(cx, caller, known)),
    }
}

/// Why this caller may not touch the lease; whose it is, he is told only where he may read it.
pub(crate) fn anothers(cx: &Context, caller: &Caller, lease: &wire::Lease) -> Fault {
    let owner = lease.asker.as_ref().map(|asker| asker.uid);
    let whose = match (&lease.asker, lease.origin) {
        _ if !access::sees(cx.config().as_deref(), caller, owner) => {
            "another asked for it".to_owned()
        }
        (Some(asker), _) => format!("{} asked for it", asker.name),
        (None, Origin::Probe) => "grantd made it, to prove that it can end grants".to_owned(),
        (None, Origin::Adopted) => "it was adopted, so nobody here asked for it".to_owned(),
        (None, Origin::Found | Origin::Asked) => {
            "it was found by its Name, so nobody here asked for it".to_owned()
        }
    };
    let text = format!("lease {} is not yours: {whose}", lease.reference);
    Fault::new(Kind::NotYours, text).about(lease.reference.clone())
}

/// End one grant and wait for KMS's yes, at most as long as an asker waits. The scheduler keeps at
/// it afterwards.
pub(crate) async fn end_now(cx: &Rc<Context>, row: Row) -> Result<(), Fault> {
    let (id, give_up) = (row.id(), cx.time.now().latest.plus(ASKER_WAITS));
    let still = |why: String, kind| {
        Fault::new(kind, format!("{why}; the wish to end it is recorded, and grantd keeps trying"))
    };
    cx.put(row.clone());
    while !cx.agenda.borrow_mut().claim(id) {
        // Its create, or a look at it, is under way: that comes to its end first.
        if cx.time.now().latest >= give_up {
            let why = "KMS has not answered an earlier call".to_owned();
            return Err(still(why, Kind::OutcomeUnknown));
        }
        cx.time.pause(SECOND / 10).await;
    }
    let mut row = cx.ledger.run(Urgency::Work, move |books| books.row(id)).await.unwrap_or(row);
    let mut result = Ok(());
    while matches!(row.life().state, State::Active { .. } | State::Ending { .. }) {
        cx.place(row.lane(), super::lane::Op::End, Part::Urgent).await;
        let (after, outcome, detail) = super::due::end(cx, row).await;
        row = after;
        if outcome == Outcome::Done(()) {
            break;
        }
        let pause = row.life().next.map_or(0, |next| next.at.since(cx.time.now().latest));
        let pause = pause.clamp(SECOND / 4, 2 * SECOND);
        let over = cx.time.now().latest.plus(pause) >= give_up || cx.stopping.get();
        // Final only when the next try would be the first way again: until then another is left.
        let first = row.facts().order.first();
        let round = matches!(row.life().state, State::Ending { via, .. } if via == first);
        let denied = round && outcome == Outcome::Refused(Class::Denied);
        if over || denied {
            let kind = if denied { Kind::KmsDenied } else { Kind::OutcomeUnknown };
            let words = detail.unwrap_or_else(|| "KMS does not answer".to_owned());
            result = Err(still(words, kind));
            break;
        }
        cx.time.pause(pause).await;
    }
    if matches!(row.life().state, State::Creating { .. }) {
        let why = "it is not known yet whether KMS made the grant".to_owned();
        result = Err(still(why, Kind::OutcomeUnknown));
    }
    cx.put(row);
    cx.release(id);
    result
}
