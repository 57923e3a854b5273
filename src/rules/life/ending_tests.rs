//! The arms of the second half, one by one.

use super::tests::{DEADLINE, SETTLE, at, ended, facts, id, made, next, run};
use super::*;
use crate::rules::time::MINUTE;

#[test]
fn not_found_is_believed_only_when_settled() {
    let young = |ms| {
        let mut events = made();
        events.extend([(ms, Event::End(Why::Asked)), (ms, Event::Sending)]);
        events.push((ms + 10, Event::Answered(Outcome::Refused(Class::NotFound))));
        run(&facts(), &events)
    };
    let step = young(1_000);
    assert_eq!((step.life.state.word(), next(&step)), ("ending", (Act::End, 3_010)));
    let step = young(SETTLE);
    assert_eq!((step.life.state.word(), next(&step)), ("ended", (Act::Look, SETTLE + 10)));
}

#[test]
fn gone_without_an_accepted_end_takes_two_looks_settle_apart() {
    let mut events = made();
    let due = DEADLINE.0;
    events.extend([
        (due, Event::Due),
        (due, Event::Sending),
        (due + 10, Event::Answered(Outcome::Refused(Class::NotFound))),
        (due + 30, Event::Looked { began: at(due + 20), ids: vec![] }),
    ]);
    let step = run(&facts(), &events);
    assert_eq!((step.life.state.word(), next(&step)), ("ended", (Act::Look, due + 20 + SETTLE)));
    events.push((due + SETTLE, Event::Looked { began: at(due + 19 + SETTLE), ids: vec![] }));
    assert_eq!(run(&facts(), &events).life.state.word(), "ended");
    events.push((due + SETTLE + 90, Event::Looked { began: at(due + 20 + SETTLE), ids: vec![] }));
    let step = run(&facts(), &events);
    assert!(matches!(step.life.state, State::Closed { how: How::Gone, .. }));
}

#[test]
fn an_accepted_end_that_stays_listed_is_sent_again() {
    let accepted = DEADLINE.0 + 20;
    let ids = [id("a")];
    let mut events = ended(accepted);
    events
        .push((accepted + 2_000, Event::Looked { began: at(accepted + 1_900), ids: ids.to_vec() }));
    assert_eq!(next(&run(&facts(), &events)), (Act::Look, accepted + 4_000));
    let late = accepted + SETTLE;
    events.push((late + 5, Event::Looked { began: at(late), ids: ids.to_vec() }));
    let step = run(&facts(), &events);
    assert_eq!((step.life.state.word(), next(&step)), ("ending", (Act::End, late + 5)));
}

#[test]
fn an_early_end_of_a_young_grant_is_seen_gone_but_closed_only_when_settled() {
    let mut events = made();
    events.extend([
        (1_000, Event::End(Why::Asked)),
        (1_000, Event::Sending),
        (1_050, Event::Answered(Outcome::Done(()))),
        (2_100, Event::Looked { began: at(2_050), ids: vec![] }),
    ]);
    let step = run(&facts(), &events);
    assert_eq!(step.record, Some(Record("gone")));
    assert_eq!((step.life.state.word(), next(&step)), ("ended", (Act::Look, SETTLE)));
}

#[test]
fn a_look_begun_before_the_end_was_accepted_proves_nothing() {
    let accepted = DEADLINE.0 + 20;
    let mut events = ended(accepted);
    events.push((accepted + 1, Event::Looked { began: at(accepted - 1), ids: vec![] }));
    assert_eq!(run(&facts(), &events).life.state.word(), "ended");
}

#[test]
fn retire_denied_turns_to_revoke_where_there_is_a_role_for_it() {
    let facts = Facts { order: EndOrder::RetireThenRevoke, ..facts() };
    let mut events = made();
    events.extend([
        (DEADLINE.0, Event::Due),
        (DEADLINE.0, Event::Sending),
        (DEADLINE.0 + 9, Event::Answered(Outcome::Refused(Class::Denied))),
    ]);
    let step = run(&facts, &events);
    let State::Ending { via, .. } = step.life.state else { panic!("not ending") };
    assert_eq!((via, next(&step)), (Via::Revoke, (Act::End, DEADLINE.0 + 9)));
}

#[test]
fn without_credentials_to_retire_with_it_is_revoked_and_then_retired_again() {
    let facts = Facts { order: EndOrder::RetireThenRevoke, ..facts() };
    let mut events = made();
    let mut ways = Vec::new();
    events.push((DEADLINE.0, Event::Due));
    for class in [Class::Credentials, Class::Denied, Class::Unavailable, Class::Throttled] {
        events.push((DEADLINE.0, Event::Sending));
        events.push((DEADLINE.0 + 9, Event::Answered(Outcome::Refused(class))));
        let step = run(&facts, &events);
        let State::Ending { via, .. } = step.life.state else { panic!("not ending") };
        ways.push(via);
    }
    assert_eq!(ways, [Via::Revoke, Via::Retire, Via::Retire, Via::Retire]);
}

#[test]
fn a_young_grant_of_a_role_that_was_made_again_is_revoked_too() {
    let order = EndOrder::RetireThenRevoke;
    let facts = Facts { order, deadline: Time(3_000), ..facts() };
    let mut events = made();
    events.extend([
        (3_000, Event::Due),
        (3_000, Event::Sending),
        (3_009, Event::Answered(Outcome::Refused(Class::Denied))),
    ]);
    let step = run(&facts, &events);
    let State::Ending { via, .. } = step.life.state else { panic!("not ending") };
    assert_eq!((via, next(&step)), (Via::Revoke, (Act::End, 3_009)));
}

#[test]
fn a_found_grant_is_ended_a_second_after_its_deadline_and_a_lead_before_it() {
    assert_eq!(Facts { origin: Origin::Found, ..facts() }.due_at(), DEADLINE.plus(SECOND));
    assert_eq!(Facts { lead: 5 * MINUTE, ..facts() }.due_at(), DEADLINE.plus(-5 * MINUTE));
}

#[test]
fn a_repeated_refusal_is_recorded_once() {
    let mut events = made();
    events.extend([(DEADLINE.0, Event::Due), (DEADLINE.0, Event::Sending)]);
    events.push((DEADLINE.0 + 9, Event::Answered(Outcome::Refused(Class::Denied))));
    assert_eq!(run(&facts(), &events).record, Some(Record("end-refused")));
    events.push((DEADLINE.0 + 99, Event::Sending));
    events.push((DEADLINE.0 + 109, Event::Answered(Outcome::Refused(Class::Denied))));
    let step = run(&facts(), &events);
    assert_eq!((step.record, step.life.fault), (None, Some(Class::Denied)));
}

#[test]
fn an_end_that_was_never_sent_is_told_so_and_due_again_at_once() {
    let mut events = made();
    events.extend([
        (DEADLINE.0, Event::Due),
        (DEADLINE.0, Event::Sending),
        (DEADLINE.0 + 9, Event::Answered(Outcome::Refused(Class::Unavailable))),
    ]);
    let step = run(&facts(), &events);
    assert_eq!(step.record, Some(Record("end-not-sent")));
    assert_eq!((step.life.state.word(), next(&step)), ("ending", (Act::End, DEADLINE.0 + 9)));
}
