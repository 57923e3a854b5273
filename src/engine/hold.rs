//! Leases that live only while somebody holds them: whoever asked keeps a connection open, and the
//! lease is ended when that closes.
//!
//! That a lease is held is a row of the ledger; who is there is memory. So a restart finds every
//! held lease alone, and gives each holder a grace to come back: the same that a new lease's asker
//! has to come at all. The deadline bounds all of it.

use std::rc::Rc;

use futures_util::future::{Either, select};
use tokio::sync::mpsc;

use super::Caller;
use super::context::Context;
use super::desk::lease;
use super::meant::meant;
use super::refusals::refused;
use crate::fault::{Fault, Kind, chain};
use crate::ids::Ref;
use crate::ledger::{Ledger, Urgency};
use crate::rules::access::Sight;
use crate::rules::time::{SECOND, Time};
use crate::wire::{HeldLease, Lease};

/// How long a lease may be alone before its holder has come, or come back after a restart: the
/// command line tries once a second, and a restart takes a few.
const GRACE: i64 = 30 * SECOND;
/// Held leases are looked through for lonely ones this often.
pub(crate) const TEND_EVERY: i64 = 5 * SECOND;
/// A holder is told how his lease is this often: soon enough for a person, and for hundreds of
/// holders no load.
const TELL_EVERY: i64 = 5 * SECOND;
/// A little after a deadline its lease is `ending`.
const AFTER: i64 = SECOND / 4;

/// Where the holder of a lease is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Holder {
    /// On this many connections.
    Here(usize),
    /// Nowhere, since then by the boot clock.
    Away(Time),
}

/// Hold a lease: its lines come for as long as it lives and their receiver does.
pub(crate) async fn hold(
    cx: &Rc<Context>,
    caller: &Caller,
    reference: &str,
) -> Result<mpsc::Receiver<HeldLease>, Fault> {
    let prefix = reference.to_owned();
    let asked = serde_json::json!({ "ref": reference });
    let read = move |books: &mut Ledger, sight: &Sight| books.seen(&prefix, sight);
    let known = meant(cx, caller, ("hold", asked.clone()), read).await?;
    if known.asker.as_ref().map(|asker| asker.uid) != Some(caller.uid) {
        let text = format!("lease {} is not yours to hold", known.reference);
        let fault = Fault::new(Kind::NotYours, text).about(known.reference.clone());
        refused(cx, caller, &fault, "hold", asked);
        return Err(fault.hint("whoever asked for a lease holds it"));
    }
    let (line, over) = line(&known);
    if !known.held && !over {
        let text = format!("lease {} does not live by being held", known.reference);
        let fault = Fault::new(Kind::BadArgument, text).about(known.reference);
        return Err(fault.hint("make it with \"hold\": true"));
    }
    let (tell, told) = mpsc::channel(1);
    // The channel is new, so there is room.
    let _there = tell.try_send(line).is_ok();
    if !over {
        enter(cx, &known.reference);
        let task = Rc::clone(cx);
        cx.spawn(async move { watch(&task, known, tell).await });
    }
    Ok(told)
}

fn line(lease: &Lease) -> (HeldLease, bool) {
    let line = HeldLease { state: lease.state.clone(), deadline: lease.deadline };
    let over = line.is_over();
    (line, over)
}

fn enter(cx: &Context, reference: &Ref) {
    let mut holders = cx.holders.borrow_mut();
    let holder = holders.entry(reference.clone()).or_insert(Holder::Here(0));
    *holder = match *holder {
        Holder::Here(n) => Holder::Here(n + 1),
        Holder::Away(_) => Holder::Here(1),
    };
}

/// True when nobody else holds it.
fn leave(cx: &Context, reference: &Ref) -> bool {
    let mut holders = cx.holders.borrow_mut();
    if let Some(Holder::Here(n)) = holders.get_mut(reference)
        && *n > 1
    {
        *n -= 1;
        return false;
    }
    holders.insert(reference.clone(), Holder::Away(cx.time.ticks()));
    true
}

/// Tell the holder how his lease is, until it is over or he is gone.
async fn watch(cx: &Rc<Context>, mut known: Lease, tell: mpsc::Sender<HeldLease>) {
    let reference = known.reference.clone();
    if !heard(cx, &tell).await {
        // Nobody came who could have gone: whoever was not answered in time comes again.
        leave(cx, &reference);
        return;
    }
    while !cx.stopping.get() {
        let left = known.deadline.plus(AFTER).since(cx.time.now().latest);
        let changed = select(Box::pin(tell.closed()), Box::pin(cx.halt.notified()));
        let _in_time = cx.time.within(nap(left), changed).await.is_some();
        if cx.stopping.get() {
            break;
        }
        if tell.is_closed() {
            if leave(cx, &reference) {
                let_go(cx, &reference, "its holder is gone").await;
            }
            return;
        }
        match lease(cx, &reference).await {
            Ok(now) => known = now,
            Err(fault) => {
                tracing::warn!(lease = %reference, "its holder is not told: {fault}");
                continue;
            }
        }
        let (line, over) = line(&known);
        // A holder who does not read is told the next time.
        let _told = tell.try_send(line).is_ok();
        if over {
            break;
        }
    }
    // It is over; or the daemon stops, and its holder comes back to the next one.
    leave(cx, &reference);
}

/// How long until the next look, `left` before the lease should be over. Where that is overdue, to
/// look more often would end nothing sooner.
const fn nap(left: i64) -> i64 {
    if left > 0 && left < TELL_EVERY { left } else { TELL_EVERY }
}

/// Whether the first line has been taken, which tells that the answer has arrived.
async fn heard(cx: &Context, tell: &mpsc::Sender<HeldLease>) -> bool {
    let (taken, halted) = (Box::pin(tell.reserve()), Box::pin(cx.halt.notified()));
    let first = select(taken, halted).await;
    matches!(first, Either::Left((Ok(_), _)))
}

/// End the held leases that have been alone for too long.
pub(crate) async fn tend(cx: &Rc<Context>) {
    let held = match cx.ledger.run(Urgency::Work, |books| books.held()).await {
        Ok(held) => held,
        Err(error) => return tracing::error!("cannot read what is held: {}", chain(&error)),
    };
    cx.held.set(!held.is_empty());
    for reference in lonely(cx, held) {
        let why = format!("its holder has not come within {} s", GRACE / SECOND);
        let_go(cx, &reference, &why).await;
    }
}

/// Those of `held` that have been alone for [`GRACE`].
fn lonely(cx: &Context, held: Vec<Ref>) -> Vec<Ref> {
    let now = cx.time.ticks();
    let mut lonely = Vec::new();
    let mut holders = cx.holders.borrow_mut();
    holders.retain(|known, holder| matches!(holder, Holder::Here(_)) || held.contains(known));
    for reference in held {
        match holders.entry(reference.clone()).or_insert(Holder::Away(now)) {
            Holder::Away(since) if now.since(*since) >= GRACE => lonely.push(reference),
            Holder::Away(_) | Holder::Here(_) => {}
        }
    }
    lonely
}

/// The wish is recorded, and the scheduler ends what is due. Where the disk does not take it, the
/// row stands, and the next look finds it.
async fn let_go(cx: &Rc<Context>, reference: &Ref, why: &str) {
    let (of, now, told) = (reference.clone(), cx.time.now(), why.to_owned());
    let ended = cx.ledger.run(Urgency::End, move |books| books.end_held(&of, now, &told)).await;
    match ended {
        Ok(rows) => {
            if !rows.is_empty() {
                tracing::info!(lease = %reference, "the lease is ended: {why}");
            }
            rows.into_iter().for_each(|row| cx.put(row));
        }
        Err(error) => {
            tracing::error!(lease = %reference, "a lease that nobody holds is not ended: {}",
                chain(&error));
        }
    }
}

#[cfg(test)]
mod tests;
