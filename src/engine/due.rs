//! Ending what is due.

use std::rc::Rc;

use super::adopt::{needs_passage, passage};
use super::context::Context;
use super::lane::{LaneState, Op, Sent, Way};
use super::record::{Happening, RECORD_PATIENCE, young};
use crate::kms::{Answer, Token};
use crate::ledger::Row;
use crate::rules::life::{Class, EndOrder, Event, Origin, Outcome, State, Via};
use crate::rules::pace::Part;
use crate::rules::time::{Now, Time};

/// The lanes' ends and looks that may leave now; when to come back at the latest.
pub(crate) fn dispatch(cx: &Rc<Context>, now: Now) -> Option<Time> {
    let lanes: Vec<i64> = cx.lanes.borrow().keys().copied().collect();
    let mut again = cx.agenda.borrow().next_after(now.latest);
    for lane in lanes {
        let ends = dispatch_ends(cx, lane, now);
        let looks = super::look::dispatch(cx, lane, now);
        again = [again, ends, looks].into_iter().flatten().min();
    }
    again
}

/// The ends alone, while the daemon stops.
pub(crate) fn dispatch_all_ends(cx: &Rc<Context>) {
    let now = cx.time.now();
    let lanes: Vec<i64> = cx.lanes.borrow().keys().copied().collect();
    for lane in lanes {
        // When to come back is the grace's affair.
        let _again = dispatch_ends(cx, lane, now);
    }
}

/// What is due goes first, and each kind by its own part of the pace: hundreds that a person ends
/// at once hold up no deadline, and have what is kept for them. What was only found comes last.
fn dispatch_ends(cx: &Rc<Context>, lane: i64, now: Now) -> Option<Time> {
    let waits = cx.agenda.borrow().ends(lane, Part::Found, now.latest).next().is_some();
    cx.lanes.borrow_mut().get_mut(&lane)?.pace(Op::End).found_waits(waits);
    let parts = [Part::Due, Part::Urgent, Part::Found];
    parts.into_iter().filter_map(|part| dispatch_part(cx, lane, now, part)).min()
}

fn dispatch_part(cx: &Rc<Context>, lane: i64, now: Now, part: Part) -> Option<Time> {
    loop {
        let mut lanes = cx.lanes.borrow_mut();
        let state = lanes.get_mut(&lane)?;
        let mut agenda = cx.agenda.borrow_mut();
        let ends = || agenda.ends(lane, part, now.latest);
        if let Some(until) = state.shut(Op::End, now.latest) {
            return ends().next().map(|_| until);
        }
        // Fifty thousand first tries on a key that refuses us must not delay the others' deadlines.
        let first = ends().find(|row| waits(state, row, now.latest).is_none());
        let first = first.or_else(|| ends().find(|row| shut(state, row, now.latest).is_none()));
        let Some(row) = first.cloned() else {
            // Rows whose keys wait: come back when the first of them may be tried.
            return ends().filter_map(|row| shut(state, row, now.latest)).min();
        };
        let ticks = cx.time.ticks();
        let at = state.pace(Op::End).next(part, ticks);
        if at > ticks {
            return Some(now.latest.plus(at.since(ticks)));
        }
        state.pace(Op::End).sent(part, ticks);
        state.trying(Some(row.key_arn()), op(&row), now.latest);
        agenda.claim(row.id());
        agenda.served(&row);
        drop((agenda, lanes));
        let cx = Rc::clone(cx);
        let task = Rc::clone(&cx);
        cx.spawn(async move {
            let id = row.id();
            let row = end(&task, row).await.0;
            task.put(row);
            task.release(id);
        });
    }
}

/// Until when the row may not be tried. A refusal of one grant is none of another on the same key
/// (a role that was made again may retire the new ones alone): the first try of each waits for
/// nobody, and only gives way.
fn shut(state: &LaneState, row: &Row, now: Time) -> Option<Time> {
    match &row.life().state {
        State::Ending { end, .. } if end.count == 0 => None,
        State::Ending { .. } => waits(state, row, now),
        State::Creating { .. }
        | State::Active { .. }
        | State::Ended { .. }
        | State::Closed { .. } => None,
    }
}

/// Until when the row's key waits.
fn waits(state: &LaneState, row: &Row, now: Time) -> Option<Time> {
    match &row.life().state {
        State::Ending { via: Via::Revoke, .. } if row.facts().order.first() != Via::Revoke => {
            state.second_shut(row.key_arn(), now)
        }
        State::Ending { .. } | State::Active { .. } => state.key_shut(row.key_arn(), op(row), now),
        State::Creating { .. } | State::Ended { .. } | State::Closed { .. } => None,
    }
}

/// What others made ends by a permission of its own.
fn op(row: &Row) -> Op {
    match row.facts().order {
        EndOrder::Revoke => Op::EndAdopted,
        EndOrder::Retire | EndOrder::RetireThenRevoke => Op::End,
    }
}

/// Every grant of a lane with a revoke role may be revoked as it.
fn way(row: &Row, via: Via) -> Way {
    match (via, &row.lane().ways.revoke_role) {
        (_, None) => Way::Only,
        (Via::Retire, Some(_)) => Way::First,
        (Via::Revoke, Some(_)) => Way::Second,
    }
}

/// One attempt to end `row`, whose place in the pace is taken: recorded before the send if the disk
/// answers in time, sent, and its answer recorded. The row afterwards, and KMS's answer.
pub(crate) async fn end(cx: &Rc<Context>, row: Row) -> (Row, Outcome<()>, Option<String>) {
    let token = cx.token(row.id());
    end_by(cx, row, token).await
}

/// The same by this token where the grant is young enough for it, else by id.
pub(crate) async fn end_by(
    cx: &Rc<Context>,
    row: Row,
    token: Option<Token>,
) -> (Row, Outcome<()>, Option<String>) {
    let row = match needs_passage(&row) {
        true => match passage(cx, row).await {
            Ok(row) => row,
            Err(kept) => return (kept, Outcome::Unknown, None),
        },
        false => row,
    };
    let now = cx.time.now();
    let mut before = Vec::new();
    if matches!(row.life().state, State::Active { .. }) {
        before.push(Happening::own(Event::Due, now));
    }
    before.push(Happening::own(Event::Sending, now));
    let row = cx.record(&row, before, Some(RECORD_PATIENCE)).await;
    let (State::Ending { via, .. }, Some(warrant)) = (&row.life().state, row.warrant()) else {
        return (row, Outcome::Unknown, None);
    };
    let is_young = young(&row, now);
    let token = token.filter(|_| is_young);
    let answer = cx.kms.end(&warrant, *via, token.as_ref()).await;
    let sent = Sent { young: is_young, way: way(&row, *via) };
    cx.heard(row.lane(), op(&row), Some(row.key_arn()), sent, &answer);
    if answer.outcome == Outcome::Refused(Class::Denied) {
        super::keep::ask_soon(cx, row.lane());
    }
    if !is_young || answer.outcome == Outcome::Refused(Class::BadToken) {
        cx.forget_token(row.id());
    }
    let now = cx.time.now();
    log(&row, &answer, now);
    let late = now.latest.since(row.facts().deadline);
    if answer.outcome == Outcome::Done(()) && late >= 0 {
        cx.metrics.ended(late);
    }
    let answered = Happening::kms(Event::Answered(answer.outcome.clone()), now, &answer);
    let row = cx.record(&row, vec![answered], Some(RECORD_PATIENCE)).await;
    (row, answer.outcome, answer.detail)
}

/// A refused end is a warning even where the lane's or the key's alarm is still to come: an overdue
/// grant is loud.
fn log(row: &Row, answer: &Answer<()>, now: Now) {
    let (lease, key) = (row.reference(), row.key_arn());
    let late_ms = now.latest.since(row.facts().deadline);
    let (told, words) = (told(&answer.outcome), answer.detail.as_deref().unwrap_or_default());
    if answer.outcome == Outcome::Done(()) {
        // An early end has no lateness.
        let late_ms = (late_ms >= 0).then_some(late_ms);
        tracing::info!(%lease, %key, late_ms, "{told}");
    } else if ended_by_its_maker(row, &answer.outcome) {
        tracing::info!(%lease, %key, "gone already: who made it ended it");
    } else {
        tracing::warn!(%lease, %key, late_ms, "{told}: {words}");
    }
}

/// Where hosts stand in for each other, the maker is a second ahead of whoever only found a grant;
/// and who made an adopted one may end it whenever he likes.
fn ended_by_its_maker(row: &Row, outcome: &Outcome<()>) -> bool {
    let others = matches!(row.facts().origin, Origin::Found | Origin::Adopted);
    others && *outcome == Outcome::Refused(Class::NotFound)
}

/// What became of an attempt, for the log.
fn told(outcome: &Outcome<()>) -> &'static str {
    match outcome {
        Outcome::Done(()) => "end accepted",
        Outcome::Refused(Class::Unavailable) => "end not sent",
        Outcome::Refused(_) => "end refused",
        Outcome::Unknown => "end sent, and not answered",
    }
}

#[cfg(test)]
mod tests;
