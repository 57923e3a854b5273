//! The arms that matter, one by one.

use super::*;
use crate::rules::time::MINUTE;

pub(super) const SETTLE: i64 = 11 * MINUTE;
pub(super) const DEADLINE: Time = Time(2 * 60 * MINUTE);

pub(super) fn facts() -> Facts {
    Facts {
        deadline: DEADLINE,
        lead: 0,
        settle: SETTLE,
        order: EndOrder::Retire,
        origin: Origin::Asked,
    }
}

pub(super) fn at(ms: i64) -> Now {
    Now { latest: Time(ms), least: Time(ms) }
}

pub(super) fn id(text: &str) -> GrantId {
    GrantId::parse(text).unwrap()
}

pub(super) fn fresh() -> Life {
    let state = State::Creating { create: Sends::default(), unwanted: None };
    Life { state, next: Some(Next { act: Act::Look, at: Time(0) }), fault: None }
}

/// Apply events one after the other; the last step.
pub(super) fn run(facts: &Facts, events: &[(i64, Event)]) -> Step {
    let mut life = fresh();
    let mut last = None;
    for (ms, event) in events {
        let step = step(facts, &life, event, at(*ms)).unwrap();
        life = step.life.clone();
        last = Some(step);
    }
    last.unwrap()
}

pub(super) fn next(step: &Step) -> (Act, i64) {
    let next = step.life.next.unwrap();
    (next.act, next.at.0)
}

pub(super) fn made() -> Vec<(i64, Event)> {
    vec![(0, Event::Sending), (50, Event::Created(Outcome::Done(id("a"))))]
}

pub(super) fn ended(accepted_at: i64) -> Vec<(i64, Event)> {
    let mut events = made();
    events.extend([
        (DEADLINE.0, Event::Due),
        (DEADLINE.0, Event::Sending),
        (accepted_at, Event::Answered(Outcome::Done(()))),
    ]);
    events
}

#[test]
fn the_plain_life() {
    let step = run(&facts(), &made());
    assert_eq!((step.life.state.word(), next(&step)), ("active", (Act::End, DEADLINE.0)));
    assert_eq!(step.record, Some(Record("granted")));

    let step = run(&facts(), &ended(DEADLINE.0 + 20));
    assert_eq!((step.life.state.word(), next(&step)), ("ended", (Act::Look, DEADLINE.0 + 1_020)));

    let mut events = ended(DEADLINE.0 + 20);
    events.push((DEADLINE.0 + 1_100, Event::Looked { began: at(DEADLINE.0 + 1_020), ids: vec![] }));
    let step = run(&facts(), &events);
    let gone = Some(Time(DEADLINE.0 + 1_020));
    let closed = State::Closed { how: How::Retired, gone, at: Time(DEADLINE.0 + 1_100) };
    assert_eq!((step.life.state, step.life.next), (closed, None));
}

#[test]
fn a_lost_answer_leads_to_looking_until_settled_and_never_to_failing() {
    let mut events = vec![(0, Event::Sending), (10_000, Event::Created(Outcome::Unknown))];
    assert_eq!(next(&run(&facts(), &events)), (Act::Look, 11_000));
    events.push((11_100, Event::Looked { began: at(11_000), ids: vec![] }));
    assert_eq!(next(&run(&facts(), &events)), (Act::Look, 41_100));
    // Ended after the settle time, but begun before it: proves nothing.
    events.push((SETTLE + 1, Event::Looked { began: at(SETTLE - 1), ids: vec![] }));
    assert_eq!(run(&facts(), &events).life.state.word(), "creating");
    events.push((SETTLE + 2, Event::Looked { began: at(SETTLE), ids: vec![] }));
    let closed = State::Closed { how: How::NeverExisted, gone: None, at: Time(SETTLE + 2) };
    assert_eq!(run(&facts(), &events).life.state, closed);
}

#[test]
fn a_grant_that_shows_up_late_is_kept_or_if_unwanted_ended() {
    let lost = vec![(0, Event::Sending), (9_000, Event::Created(Outcome::Unknown))];
    let ids = [id("late"), id("twin")];
    let look = (60_000, Event::Looked { began: at(59_000), ids: ids.to_vec() });
    let mut kept = lost.clone();
    kept.push(look.clone());
    let step = run(&facts(), &kept);
    assert_eq!((step.life.state.word(), step.twins), ("active", vec![id("twin")]));

    let mut unwanted = lost;
    unwanted.extend([(20_000, Event::End(Why::Asked)), look]);
    let step = run(&facts(), &unwanted);
    assert_eq!((step.life.state.word(), next(&step)), ("ending", (Act::End, 60_000)));
}

#[test]
fn a_refused_create_closes_at_once_unless_an_earlier_send_is_open() {
    let refused = Event::Created(Outcome::Refused(Class::Denied));
    let step = run(&facts(), &[(0, Event::Sending), (50, refused.clone())]);
    assert!(matches!(step.life.state, State::Closed { how: How::NeverExisted, .. }));

    let unknown = Event::Created(Outcome::Unknown);
    let step =
        run(&facts(), &[(0, Event::Sending), (50, unknown), (60, Event::Sending), (70, refused)]);
    assert_eq!(step.life.state.word(), "creating");
}

#[test]
fn a_throttled_create_may_be_sent_again_or_given_up() {
    let throttled = Event::Created(Outcome::Refused(Class::Throttled));
    let events = [(0, Event::Sending), (50, throttled), (60, Event::Abandoned)];
    assert_eq!(run(&facts(), &events[..2]).life.state.word(), "creating");
    assert_eq!(run(&facts(), &events).life.state.word(), "closed");
}

#[test]
fn a_create_that_was_never_sent_may_be_sent_again_or_given_up() {
    let unsent = Event::Created(Outcome::Refused(Class::Unavailable));
    let events = [(0, Event::Sending), (50, unsent.clone()), (60, Event::Abandoned)];
    let open = |step: &Step| {
        let State::Creating { create, .. } = &step.life.state else { panic!("not creating") };
        create.open
    };
    assert_eq!(open(&run(&facts(), &events[..2])), 0);
    let given_up = run(&facts(), &events);
    assert!(matches!(given_up.life.state, State::Closed { how: How::NeverExisted, .. }));
    assert_eq!(given_up.record, Some(Record("create-not-sent")));

    // One that was sent and not answered stays open, whatever befalls the next.
    let lost = Event::Created(Outcome::Unknown);
    let events = [
        (0, Event::Sending),
        (9, lost),
        (10, Event::Sending),
        (11, unsent),
        (12, Event::Abandoned),
    ];
    let step = run(&facts(), &events);
    assert_eq!((open(&step), step.record), (1, Some(Record("outcome-unknown"))));
}

#[test]
fn no_create_leaves_at_or_after_the_deadline_nor_once_it_is_unwanted() {
    let error = step(&facts(), &fresh(), &Event::Sending, at(DEADLINE.0)).unwrap_err();
    assert_eq!((error.state, error.event), ("creating", "sending"));
    let unwanted = run(&facts(), &[(0, Event::Sending), (1, Event::End(Why::Asked))]).life;
    assert!(step(&facts(), &unwanted, &Event::Sending, at(2)).is_err());
}

#[test]
fn an_answer_after_the_deadline_ends_the_grant_at_once() {
    let events = [
        (DEADLINE.0 - 1, Event::Sending),
        (DEADLINE.0 + 10, Event::Created(Outcome::Done(id("a")))),
    ];
    let step = run(&facts(), &events);
    assert_eq!((step.life.state.word(), next(&step)), ("ending", (Act::End, DEADLINE.0 + 10)));
}
