//! The transition function. One parent keeps the branching by state; each state has its own function, without a
//! wildcard arm, so that a new event does not compile until every state has an answer to it.

use super::{
    Act, Class, EndOrder, Event, FIRST_LOOK, Facts, How, Illegal, LOOK_EVERY, Life, Next, Outcome,
    PATIENCE, ROW_BACKOFF_MAX, Record, Sends, State, Step, Tries, UNSETTLED_RETRY, Via, Why,
};
use crate::ids::GrantId;
use crate::rules::time::{Now, SECOND, Time};

/// What `event` makes of a row. Total: every pair of state and event has an arm.
///
/// # Errors
/// [`Illegal`] for an event that cannot befall the state; the row stays as it was.
pub fn step(facts: &Facts, life: &Life, event: &Event<'_>, now: Now) -> Result<Step, Illegal> {
    match &life.state {
        State::Creating { create, unwanted } => {
            creating(facts, life, (*create, *unwanted), event, now)
        }
        State::Active { .. } => active(facts, life, event, now),
        State::Ending { .. } => ending(facts, life, event, now),
        State::Ended { .. } => ended(facts, life, event, now),
        State::Closed { .. } => closed(life, event),
    }
}

fn creating(
    facts: &Facts,
    life: &Life,
    (mut create, unwanted): (Sends, Option<Why>),
    event: &Event<'_>,
    now: Now,
) -> Result<Step, Illegal> {
    let stay = |create: Sends, unwanted, at| {
        to(
            State::Creating { create, unwanted },
            Act::Look,
            at,
            life.fault,
        )
    };
    match event {
        Event::Sending if now.latest >= facts.due_at() || unwanted.is_some() => {
            Err(illegal(life, event))
        }
        Event::Sending => {
            create.count += 1;
            create.open += 1;
            create.last = now.latest;
            let word = if create.count == 1 {
                "requested"
            } else {
                "requested-again"
            };
            Ok(stay(create, unwanted, now.latest.plus(PATIENCE)).record(word))
        }
        Event::Created(Outcome::Done(id)) => {
            create.open = create.open.saturating_sub(1);
            Ok(born(facts, id.clone(), create, unwanted, now))
        }
        Event::Created(Outcome::Refused(class)) => {
            create.open = create.open.saturating_sub(1);
            // A throttled create may be sent again while the asker waits; any other "no" is final, unless an earlier
            // send is still unanswered.
            if create.open == 0 && *class != Class::Throttled {
                return Ok(close(How::NeverExisted, now, "create-refused").fault(Some(*class)));
            }
            Ok(stay(create, unwanted, now.latest.plus(FIRST_LOOK)).fault(Some(*class)))
        }
        Event::Created(Outcome::Unknown) => {
            Ok(stay(create, unwanted, now.latest.plus(FIRST_LOOK)).fault(Some(Class::Unavailable)))
        }
        Event::Abandoned if create.open == 0 => {
            Ok(close(How::NeverExisted, now, "create-refused").fault(life.fault))
        }
        Event::Abandoned => Ok(stay(create, unwanted, now.latest).record("outcome-unknown")),
        Event::Looked { began, ids } => match ids.split_first() {
            Some((id, twins)) => {
                Ok(born(facts, id.clone(), create, unwanted, now).twins(twins.to_vec()))
            }
            None if create.settled(facts.settle, began.least) => {
                Ok(close(How::NeverExisted, now, "never-existed"))
            }
            None => Ok(stay(create, unwanted, now.latest.plus(LOOK_EVERY))),
        },
        Event::Due => Ok(stay(create, unwanted.or(Some(Why::Deadline)), now.latest)),
        Event::End(why) => {
            Ok(stay(create, unwanted.or(Some(*why)), now.latest).record(asked(*why)))
        }
        Event::Answered(_) => Err(illegal(life, event)),
    }
}

/// A grant is there: keep it until it is due, or end it at once if nobody wants it any more.
fn born(facts: &Facts, id: GrantId, create: Sends, unwanted: Option<Why>, now: Now) -> Step {
    let late = (now.latest >= facts.due_at()).then_some(Why::Deadline);
    match unwanted.or(late) {
        Some(why) => end_now(facts.order, id, create, why, now).record("granted-unwanted"),
        None => {
            let state = State::Active {
                id,
                create,
                missing: None,
            };
            to(state, Act::End, facts.due_at(), None).record("granted")
        }
    }
}

fn active(facts: &Facts, life: &Life, event: &Event<'_>, now: Now) -> Result<Step, Illegal> {
    let State::Active {
        id,
        create,
        missing,
    } = &life.state
    else {
        return Err(illegal(life, event));
    };
    match event {
        Event::Due => Ok(end_now(
            facts.order,
            id.clone(),
            *create,
            Why::Deadline,
            now,
        )),
        Event::End(why) => {
            Ok(end_now(facts.order, id.clone(), *create, *why, now).record(asked(*why)))
        }
        Event::Looked { began, ids } => {
            let absent = !ids.contains(id) && create.settled(facts.settle, began.least);
            let now_missing = absent.then(|| missing.unwrap_or(began.latest));
            let word = match (missing, now_missing) {
                (None, Some(_)) => Some("missing"),
                (Some(_), None) => Some("seen-again"),
                (None, None) | (Some(_), Some(_)) => None,
            };
            let state = State::Active {
                id: id.clone(),
                create: *create,
                missing: now_missing,
            };
            Ok(to(state, Act::End, facts.due_at(), life.fault)
                .twins(others(ids, id))
                .maybe(word))
        }
        Event::Created(outcome) => Ok(late_answer(life, id, outcome)),
        Event::Abandoned => Ok(same(life)),
        Event::Sending | Event::Answered(_) => Err(illegal(life, event)),
    }
}

fn ending(facts: &Facts, life: &Life, event: &Event<'_>, now: Now) -> Result<Step, Illegal> {
    let State::Ending {
        id,
        create,
        why,
        via,
        end,
    } = &life.state
    else {
        return Err(illegal(life, event));
    };
    let stay = |via: Via, end: Tries, at: Time| {
        let state = State::Ending {
            id: id.clone(),
            create: *create,
            why: *why,
            via,
            end,
        };
        to(state, Act::End, at, life.fault)
    };
    match event {
        Event::Sending => {
            let first = end.first.or(Some(now.latest));
            let end = Tries {
                count: end.count + 1,
                first,
                last: Some(now.latest),
            };
            let word = (end.count == 1).then_some("end-issued");
            Ok(stay(*via, end, now.latest.plus(PATIENCE)).maybe(word))
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
            let wait = wait_after(*class, young, end.count);
            let via = match class {
                Class::Denied if !young => facts.order.after(*via),
                _ => *via,
            };
            let word = (life.fault != Some(*class)).then_some("end-refused");
            Ok(stay(via, *end, now.latest.plus(wait))
                .fault(Some(*class))
                .maybe(word))
        }
        Event::Answered(Outcome::Unknown) => {
            let word = (life.fault != Some(Class::Unavailable)).then_some("end-unanswered");
            let wait = wait_after(Class::Unavailable, false, end.count);
            Ok(stay(*via, *end, now.latest.plus(wait))
                .fault(Some(Class::Unavailable))
                .maybe(word))
        }
        Event::Looked { ids, .. } => Ok(same(life).twins(others(ids, id))),
        Event::Created(outcome) => Ok(late_answer(life, id, outcome)),
        Event::Due | Event::End(_) | Event::Abandoned => Ok(same(life)),
    }
}

/// `accepted` is `None` where KMS only no longer knows the grant.
fn accepted(life: &Life, accepted: Option<Time>) -> Step {
    let State::Ending {
        id,
        create,
        why,
        via,
        end,
    } = &life.state
    else {
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
    let word = if accepted.is_some() {
        "end-accepted"
    } else {
        "not-found"
    };
    to(state, Act::Look, Time(0), None).record(word)
}

/// How long a row waits after a refusal, in ms. Where the lane or the key is what waits (`rules::wait`), the row itself
/// is due again at once, and the stall holds it.
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

fn ended(facts: &Facts, life: &Life, event: &Event<'_>, now: Now) -> Result<Step, Illegal> {
    let State::Ended {
        id,
        create,
        why,
        via,
        issued,
        accepted,
        gone,
    } = &life.state
    else {
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
        // An accepted end takes its time to show; a grant that KMS "did not find" and lists is simply alive.
        let shown_too_long = accepted.is_none_or(|at| began.least.since(at) >= facts.settle);
        let step = if shown_too_long {
            end_now(facts.order, id.clone(), *create, *why, now).record("still-listed")
        } else {
            let since = accepted.map_or(0, |at| now.latest.since(at));
            let wait = since.clamp(FIRST_LOOK, LOOK_EVERY);
            to(with(None), Act::Look, now.latest.plus(wait), life.fault)
        };
        return Ok(step.twins(twins));
    }
    // A look that began before the answer saw an earlier world.
    if accepted.is_some_and(|at| began.latest < at) {
        return Ok(to(
            with(None),
            Act::Look,
            now.latest.plus(FIRST_LOOK),
            life.fault,
        )
        .twins(twins));
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
        return Ok(close(how, now, "closed").twins(twins));
    }
    let word = gone.is_none().then_some("gone");
    let settled_at = create.last.plus(facts.settle);
    let at = if accepted.is_some() {
        settled_at
    } else {
        settled_at.max(first.plus(facts.settle))
    };
    // The wait is judged by the least clock, so the look may come a little early and is then simply repeated.
    let at = at.max(now.latest.plus(FIRST_LOOK));
    Ok(to(with(Some(first)), Act::Look, at, life.fault)
        .twins(twins)
        .maybe(word))
}

fn closed(life: &Life, event: &Event<'_>) -> Result<Step, Illegal> {
    match event {
        // Closing was right by all we know; if a grant of this row shows up all the same, it is ended like a twin.
        Event::Looked { ids, .. } => Ok(same(life).twins(ids.to_vec())),
        Event::Created(Outcome::Done(id)) => Ok(same(life).twins(vec![id.clone()])),
        Event::Created(Outcome::Refused(_) | Outcome::Unknown) | Event::Abandoned => Ok(same(life)),
        Event::Sending | Event::Answered(_) | Event::Due | Event::End(_) => {
            Err(illegal(life, event))
        }
    }
}

/// A create's answer that comes after a look has found the grant.
fn late_answer(life: &Life, id: &GrantId, outcome: &Outcome<GrantId>) -> Step {
    let twins = match outcome {
        Outcome::Done(other) if other != id => vec![other.clone()],
        Outcome::Done(_) | Outcome::Refused(_) | Outcome::Unknown => Vec::new(),
    };
    same(life).twins(twins)
}

fn others(ids: &[GrantId], id: &GrantId) -> Vec<GrantId> {
    ids.iter().filter(|other| *other != id).cloned().collect()
}

fn end_now(order: EndOrder, id: GrantId, create: Sends, why: Why, now: Now) -> Step {
    let state = State::Ending {
        id,
        create,
        why,
        via: order.first(),
        end: Tries::default(),
    };
    to(state, Act::End, now.latest, None)
}

fn close(how: How, now: Now, word: &'static str) -> Step {
    let state = State::Closed {
        how,
        at: now.latest,
    };
    Step {
        life: Life {
            state,
            next: None,
            fault: None,
        },
        twins: Vec::new(),
        record: None,
    }
    .record(word)
}

fn to(state: State, act: Act, at: Time, fault: Option<Class>) -> Step {
    let life = Life {
        state,
        next: Some(Next { act, at }),
        fault,
    };
    Step {
        life,
        twins: Vec::new(),
        record: None,
    }
}

fn same(life: &Life) -> Step {
    Step {
        life: life.clone(),
        twins: Vec::new(),
        record: None,
    }
}

fn asked(why: Why) -> &'static str {
    match why {
        Why::Asked => "end-asked",
        Why::Deadline => "due",
        Why::Probe => "probe-served",
        Why::Twin => "twin",
    }
}

fn illegal(life: &Life, event: &Event<'_>) -> Illegal {
    let event = match event {
        Event::Sending => "sending",
        Event::Created(_) => "an answer to a create",
        Event::Abandoned => "abandoning a create",
        Event::Answered(_) => "an answer to an end",
        Event::Looked { .. } => "a look",
        Event::Due => "becoming due",
        Event::End(_) => "a wish to end it",
    };
    Illegal {
        state: life.state.word(),
        event,
    }
}

impl Step {
    fn record(mut self, word: &'static str) -> Self {
        self.record = Some(Record(word));
        self
    }

    fn maybe(mut self, word: Option<&'static str>) -> Self {
        self.record = word.map(Record).or(self.record);
        self
    }

    fn fault(mut self, class: Option<Class>) -> Self {
        self.life.fault = class;
        self
    }

    fn twins(mut self, ids: Vec<GrantId>) -> Self {
        self.twins.extend(ids);
        self
    }

    fn then(mut self, act: Act, at: Time) -> Self {
        self.life.next = Some(Next { act, at });
        self
    }
}
