//! The second half of a life: from the wish to end a grant to the proof that it is gone.

use super::step::{close, end_now, illegal, late_answer, others, same, to};
use super::{
    Act, Class, END_AGAIN, Event, FIRST_LOOK, Facts, How, Illegal, LOOK_EVERY, Life, Origin,
    Outcome, ROW_BACKOFF_MAX, STAND_IN_DELAY, State, Step, Tries, UNFOUND_RETRY, UNSETTLED_RETRY,
    Via,
};
use crate::rules::time::{Now, SECOND, Time};

impl Origin {
    /// When the end of a grant of this origin is to be sent: `lead` ms before its deadline, or, if
    /// it was only found, a moment after it. Who made it goes first; who made an adopted one does
    /// not end it.
    #[must_use]
    pub const fn due_at(self, deadline: Time, lead: i64) -> Time {
        match self {
            Self::Found => deadline.plus(STAND_IN_DELAY),
            Self::Asked | Self::Probe | Self::Adopted => deadline.plus(-lead),
        }
    }
}

pub(super) fn ending(facts: &Facts, life: &Life, event: &Event, now: Now) -> Result<Step, Illegal> {
    let State::Ending { id, create, why, via, end } = &life.state else {
        return Err(illegal(life, event));
    };
    let stay = |via: Via, end: Tries, at: Time| {
        let state = State::Ending { id: id.clone(), create: *create, why: *why, via, end };
        to(state, Act::End, at, life.fault)
    };
    match event {
        Event::Sending => {
            let first = end.first.or(Some(now.latest));
            let end = Tries { count: end.count + 1, first, last: Some(now.latest) };
            let word = (end.count == 1).then_some("end-issued");
            Ok(stay(*via, end, now.latest.plus(END_AGAIN)).maybe(word))
        }
        Event::Answered(Outcome::Done(())) => {
            Ok(accepted(life, Some(now.latest)).then(Act::Look, now.latest.plus(FIRST_LOOK)))
        }
        Event::Answered(Outcome::Refused(Class::NotFound))
            if create.settled(facts.settle, now.least) =>
        {
            Ok(accepted(life, None).then(Act::Look, now.latest))
        }
        Event::Answered(Outcome::Refused(class)) => {
            let young = !create.settled(facts.settle, now.least);
            // Whoever we are, we may not: another role may. A young grant is no exception, since it
            // may be the role that is not what it was when it was made.
            let denied = matches!(class, Class::Denied | Class::Credentials);
            let turned = if denied { facts.order.after(*via) } else { *via };
            let at_once = (*via, turned) == (Via::Retire, Via::Revoke);
            let wait = if at_once { 0 } else { wait_after(*class, young, end.count) };
            let via = turned;
            // Unavailable as a refusal: no credentials could be had, and nothing was sent.
            let unsent = *class == Class::Unavailable;
            let word = if unsent { "end-not-sent" } else { "end-refused" };
            let word = (life.fault != Some(*class)).then_some(word);
            Ok(stay(via, *end, now.latest.plus(wait)).fault(Some(*class)).maybe(word))
        }
        Event::Answered(Outcome::Unknown) => {
            let word = (life.fault != Some(Class::Unavailable)).then_some("end-unanswered");
            let wait = wait_after(Class::Unavailable, false, end.count);
            Ok(stay(*via, *end, now.latest.plus(wait)).fault(Some(Class::Unavailable)).maybe(word))
        }
        Event::Looked { ids, .. } => Ok(same(life).twins(others(ids, id))),
        Event::Created(outcome) => Ok(late_answer(life, id, outcome)),
        Event::Due | Event::End(_) | Event::Abandoned => Ok(same(life)),
    }
}

/// `accepted` is `None` where KMS only no longer knows the grant.
fn accepted(life: &Life, accepted: Option<Time>) -> Step {
    let State::Ending { id, create, why, via, end } = &life.state else {
        return same(life);
    };
    let state = State::Ended {
        id: id.clone(),
        create: *create,
        why: *why,
        via: *via,
        issued: end.last,
        accepted,
        gone: None,
    };
    // A listing that lags may show the grant again and again: that is told once.
    let (word, fault) = match accepted {
        Some(_) => (Some("end-accepted"), None),
        None => {
            let fresh = life.fault != Some(Class::NotFound);
            (fresh.then_some("not-found"), Some(Class::NotFound))
        }
    };
    to(state, Act::Look, Time(0), fault).maybe(word)
}

/// The listing still shows a grant whose end was accepted, or that KMS "does not find".
fn still_listed(facts: &Facts, life: &Life, began: Now, now: Now) -> Step {
    let State::Ended { id, create, why, issued, accepted, .. } = &life.state else {
        return same(life);
    };
    let Some(at) = accepted else {
        // It lives, or somebody has just ended it and the listing lags. So it is tried again, at a
        // pause that leaves the pace to others.
        let end = Tries { count: 1, first: *issued, last: *issued };
        let via = facts.order.first();
        let state = State::Ending { id: id.clone(), create: *create, why: *why, via, end };
        let wait = now.latest.since(facts.due_at()).clamp(UNFOUND_RETRY, LOOK_EVERY);
        return to(state, Act::End, now.latest.plus(wait), life.fault);
    };
    if began.least.since(*at) >= facts.settle {
        return end_now(facts.order, id.clone(), *create, *why, now).record("still-listed");
    }
    // An accepted end takes its time to show.
    let mut again = life.state.clone();
    if let State::Ended { gone, .. } = &mut again {
        *gone = None;
    }
    let wait = now.latest.since(*at).clamp(FIRST_LOOK, LOOK_EVERY);
    to(again, Act::Look, now.latest.plus(wait), life.fault)
}

/// How long a row waits after a refusal, in ms. Where the lane or the key is what waits
/// (`rules::wait`), the row itself is due again at once, and the stall holds it.
fn wait_after(class: Class, young: bool, tries: u32) -> i64 {
    match class {
        Class::BadToken => 0,
        Class::NotFound | Class::Denied if young => UNSETTLED_RETRY,
        Class::Throttled | Class::Unavailable | Class::Credentials => 0,
        Class::Denied | Class::KeyState => 0,
        Class::NotFound | Class::Quota | Class::Invalid => {
            let doubled = SECOND << tries.min(6);
            doubled.min(ROW_BACKOFF_MAX)
        }
    }
}

pub(super) fn ended(facts: &Facts, life: &Life, event: &Event, now: Now) -> Result<Step, Illegal> {
    let State::Ended { id, create, why, via, issued, accepted, gone } = &life.state else {
        return Err(illegal(life, event));
    };
    let with = |gone: Option<Time>| State::Ended {
        id: id.clone(),
        create: *create,
        why: *why,
        via: *via,
        issued: *issued,
        accepted: *accepted,
        gone,
    };
    let Event::Looked { began, ids } = event else {
        return match event {
            Event::Created(outcome) => Ok(late_answer(life, id, outcome)),
            Event::Due | Event::End(_) | Event::Abandoned => Ok(same(life)),
            Event::Sending | Event::Answered(_) | Event::Looked { .. } => Err(illegal(life, event)),
        };
    };
    let twins = others(ids, id);
    if ids.contains(id) {
        return Ok(still_listed(facts, life, *began, now).twins(twins));
    }
    // A look that began before the answer saw an earlier world.
    if accepted.is_some_and(|at| began.latest < at) {
        return Ok(to(with(None), Act::Look, now.latest.plus(FIRST_LOOK), life.fault).twins(twins));
    }
    let first = gone.unwrap_or(began.latest);
    let settled = create.settled(facts.settle, began.least);
    let proven = accepted.is_some() || began.least.since(first) >= facts.settle;
    if settled && proven {
        let how = match (accepted, via) {
            (None, _) => How::Gone,
            (Some(_), Via::Retire) => How::Retired,
            (Some(_), Via::Revoke) => How::Revoked,
        };
        return Ok(close(how, Some(first), now, "closed").twins(twins));
    }
    let word = gone.is_none().then_some("gone");
    let at = if settled {
        first.plus(facts.settle)
    } else if create.by_id() {
        create.last.plus(facts.settle)
    } else {
        // A stray copy may still make a grant anew under our Name: it is looked for, so that it
        // cannot live long.
        now.latest.plus(UNSETTLED_RETRY)
    };
    // The wait is judged by the least clock, so the look may come a little early and is then simply
    // repeated.
    let at = at.max(now.latest.plus(FIRST_LOOK));
    Ok(to(with(Some(first)), Act::Look, at, life.fault).twins(twins).maybe(word))
}
