//! The transition function. One parent keeps the branching by state; each state has its own
//! function, without a wildcard arm, so that a new event does not compile until every state has an
//! answer to it.

use super::ending::{ended, ending};
use super::{
    Act, Class, END_AGAIN, EndOrder, Event, FIRST_LOOK, Facts, How, Illegal, LOOK_EVERY, Life,
    Next, Outcome, Record, Sends, State, Step, Tries, UNSETTLED_RETRY, Why,
};
use crate::ids::GrantId;
use crate::rules::time::{Now, Time};

/// What `event` makes of a row. Total: every pair of state and event has an arm.
///
/// # Errors
/// [`Illegal`] for an event that cannot befall the state; the row stays as it was.
pub fn step(facts: &Facts, life: &Life, event: &Event, now: Now) -> Result<Step, Illegal> {
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
    event: &Event,
    now: Now,
) -> Result<Step, Illegal> {
    let stay = |create: Sends, unwanted, at| {
        to(State::Creating { create, unwanted }, Act::Look, at, life.fault)
    };
    match event {
        Event::Sending if now.latest >= facts.due_at() || unwanted.is_some() => {
            Err(illegal(life, event))
        }
        Event::Sending => {
            create.count += 1;
            create.open += 1;
            create.last = now.latest;
            let word = if create.count == 1 { "requested" } else { "requested-again" };
            // A sender that lives holds its row: only a restart comes to this look.
            Ok(stay(create, unwanted, now.latest.plus(END_AGAIN)).record(word))
        }
        Event::Created(Outcome::Done(id)) => {
            create.open = create.open.saturating_sub(1);
            Ok(born(facts, id.clone(), create, unwanted, now))
        }
        Event::Created(Outcome::Refused(class)) => {
            create.open = create.open.saturating_sub(1);
            // Any "no" but a passing one is final, unless an earlier send is still unanswered.
            if create.open == 0 && !class.passing() {
                return Ok(
                    close(How::NeverExisted, None, now, "create-refused").fault(Some(*class))
                );
            }
            Ok(stay(create, unwanted, now.latest.plus(FIRST_LOOK)).fault(Some(*class)))
        }
        Event::Created(Outcome::Unknown) => {
            Ok(stay(create, unwanted, now.latest.plus(FIRST_LOOK)).fault(Some(Class::Unavailable)))
        }
        Event::Abandoned if create.open == 0 => {
            let unsent = life.fault == Some(Class::Unavailable);
            let word = if unsent { "create-not-sent" } else { "create-refused" };
            Ok(close(How::NeverExisted, None, now, word).fault(life.fault))
        }
        Event::Abandoned => Ok(stay(create, unwanted, now.latest).record("outcome-unknown")),
        Event::Looked { began, ids } => match ids.split_first() {
            Some((id, twins)) => {
                Ok(born(facts, id.clone(), create, unwanted, now).twins(twins.to_vec()))
            }
            None if create.settled(facts.settle, began.least) => {
                Ok(close(How::NeverExisted, None, now, "never-existed"))
            }
            None => {
                // Once nobody wants it any more, what still appears must not live long.
                let over = unwanted.is_some() || now.latest >= facts.due_at();
                let usual = now.latest.plus(LOOK_EVERY).min(facts.due_at());
                let soon = now.latest.plus(UNSETTLED_RETRY);
                Ok(stay(create, unwanted, if over { soon } else { usual }))
            }
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
            let state = State::Active { id, create, missing: None };
            to(state, Act::End, facts.due_at(), None).record("granted")
        }
    }
}

fn active(facts: &Facts, life: &Life, event: &Event, now: Now) -> Result<Step, Illegal> {
    let State::Active { id, create, missing } = &life.state else {
        return Err(illegal(life, event));
    };
    match event {
        Event::Due => Ok(end_now(facts.order, id.clone(), *create, Why::Deadline, now)),
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
            let state = State::Active { id: id.clone(), create: *create, missing: now_missing };
            Ok(to(state, Act::End, facts.due_at(), life.fault).twins(others(ids, id)).maybe(word))
        }
        Event::Created(outcome) => Ok(late_answer(life, id, outcome)),
        Event::Abandoned => Ok(same(life)),
        Event::Sending | Event::Answered(_) => Err(illegal(life, event)),
    }
}

fn closed(life: &Life, event: &Event) -> Result<Step, Illegal> {
    match event {
        // Closing was right by all we know; if a grant of this row shows up all the same, it is
        // ended like a twin.
        Event::Looked { ids, .. } => Ok(same(life).twins(ids.to_vec())),
        Event::Created(Outcome::Done(id)) => Ok(same(life).twins(vec![id.clone()])),
        Event::Created(Outcome::Refused(_) | Outcome::Unknown) | Event::Abandoned => Ok(same(life)),
        Event::Sending | Event::Answered(_) | Event::Due | Event::End(_) => {
            Err(illegal(life, event))
        }
    }
}

/// A create's answer that comes after a look has found the grant.
pub(super) fn late_answer(life: &Life, id: &GrantId, outcome: &Outcome<GrantId>) -> Step {
    let twins = match outcome {
        Outcome::Done(other) if other != id => vec![other.clone()],
        Outcome::Done(_) | Outcome::Refused(_) | Outcome::Unknown => Vec::new(),
    };
    same(life).twins(twins)
}

pub(super) fn others(ids: &[GrantId], id: &GrantId) -> Vec<GrantId> {
    ids.iter().filter(|other| *other != id).cloned().collect()
}

pub(super) fn end_now(order: EndOrder, id: GrantId, create: Sends, why: Why, now: Now) -> Step {
    let state = State::Ending { id, create, why, via: order.first(), end: Tries::default() };
    to(state, Act::End, now.latest, None)
}

pub(super) fn close(how: How, gone: Option<Time>, now: Now, word: &'static str) -> Step {
    let state = State::Closed { how, gone, at: now.latest };
    Step { life: Life { state, next: None, fault: None }, twins: Vec::new(), record: None }
        .record(word)
}

pub(super) fn to(state: State, act: Act, at: Time, fault: Option<Class>) -> Step {
    let life = Life { state, next: Some(Next { act, at }), fault };
    Step { life, twins: Vec::new(), record: None }
}

pub(super) fn same(life: &Life) -> Step {
    Step { life: life.clone(), twins: Vec::new(), record: None }
}

fn asked(why: Why) -> &'static str {
    match why {
        Why::Asked => "end-asked",
        Why::Deadline => "due",
        Why::Probe => "probe-served",
        Why::Twin => "twin",
    }
}

pub(super) fn illegal(life: &Life, event: &Event) -> Illegal {
    let event = match event {
        Event::Sending => "sending",
        Event::Created(_) => "an answer to a create",
        Event::Abandoned => "abandoning a create",
        Event::Answered(_) => "an answer to an end",
        Event::Looked { .. } => "a look",
        Event::Due => "becoming due",
        Event::End(_) => "a wish to end it",
    };
    Illegal { state: life.state.word(), event }
}

impl Class {
    /// Whether a create refused so may be sent again while the asker waits: KMS has not looked at
    /// it, and may in a moment.
    pub(crate) const fn passing(self) -> bool {
        matches!(self, Self::Throttled | Self::Unavailable)
    }
}

impl Step {
    pub(super) fn record(mut self, word: &'static str) -> Self {
        self.record = Some(Record(word));
        self
    }

    pub(super) fn maybe(mut self, word: Option<&'static str>) -> Self {
        self.record = word.map(Record).or(self.record);
        self
    }

    pub(super) fn fault(mut self, class: Option<Class>) -> Self {
        self.life.fault = class;
        self
    }

    pub(super) fn twins(mut self, ids: Vec<GrantId>) -> Self {
        self.twins.extend(ids);
        self
    }

    pub(super) fn then(mut self, act: Act, at: Time) -> Self {
        self.life.next = Some(Next { act, at });
        self
    }
}
