//! The arms that matter, one by one.

use super::*;
use crate::rules::time::MINUTE;

const SETTLE: i64 = 11 * MINUTE;
const DEADLINE: Time = Time(2 * 60 * MINUTE);

fn facts() -> Facts {
    Facts {
        deadline: DEADLINE,
        lead: 0,
        settle: SETTLE,
        order: EndOrder::Retire,
        origin: Origin::Asked,
    }
}

fn at(ms: i64) -> Now {
    Now {
        latest: Time(ms),
        least: Time(ms),
    }
}

fn id(text: &str) -> GrantId {
    GrantId::parse(text).unwrap()
}

fn fresh() -> Life {
    let state = State::Creating {
        create: Sends::default(),
        unwanted: None,
    };
    Life {
        state,
        next: Some(Next {
            act: Act::Look,
            at: Time(0),
        }),
        fault: None,
    }
}

/// Apply events one after the other; the last step.
fn run(facts: &Facts, events: &[(i64, Event<'_>)]) -> Step {
    let mut life = fresh();
    let mut last = None;
    for (ms, event) in events {
        let step = step(facts, &life, event, at(*ms)).unwrap();
        life = step.life.clone();
        last = Some(step);
    }
    last.unwrap()
}

fn next(step: &Step) -> (Act, i64) {
    let next = step.life.next.unwrap();
    (next.act, next.at.0)
}

fn made() -> Vec<(i64, Event<'static>)> {
    vec![
        (0, Event::Sending),
        (50, Event::Created(Outcome::Done(id("a")))),
    ]
}

fn ended(accepted_at: i64) -> Vec<(i64, Event<'static>)> {
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
    assert_eq!(
        (step.life.state.word(), next(&step)),
        ("active", (Act::End, DEADLINE.0))
    );
    assert_eq!(step.record, Some(Record("granted")));

    let step = run(&facts(), &ended(DEADLINE.0 + 20));
    assert_eq!(
        (step.life.state.word(), next(&step)),
        ("ended", (Act::Look, DEADLINE.0 + 1_020))
    );

    let mut events = ended(DEADLINE.0 + 20);
    events.push((
        DEADLINE.0 + 1_100,
        Event::Looked {
            began: at(DEADLINE.0 + 1_020),
            ids: &[],
        },
    ));
    let step = run(&facts(), &events);
    let closed = State::Closed {
        how: How::Retired,
        at: Time(DEADLINE.0 + 1_100),
    };
    assert_eq!((step.life.state, step.life.next), (closed, None));
}

#[test]
fn a_lost_answer_leads_to_looking_until_settled_and_never_to_failing() {
    let mut events = vec![
        (0, Event::Sending),
        (10_000, Event::Created(Outcome::Unknown)),
    ];
    assert_eq!(next(&run(&facts(), &events)), (Act::Look, 11_000));
    events.push((
        11_100,
        Event::Looked {
            began: at(11_000),
            ids: &[],
        },
    ));
    assert_eq!(next(&run(&facts(), &events)), (Act::Look, 41_100));
    // Ended after the settle time, but begun before it: proves nothing.
    events.push((
        SETTLE + 1,
        Event::Looked {
            began: at(SETTLE - 1),
            ids: &[],
        },
    ));
    assert_eq!(run(&facts(), &events).life.state.word(), "creating");
    events.push((
        SETTLE + 2,
        Event::Looked {
            began: at(SETTLE),
            ids: &[],
        },
    ));
    let closed = State::Closed {
        how: How::NeverExisted,
        at: Time(SETTLE + 2),
    };
    assert_eq!(run(&facts(), &events).life.state, closed);
}

#[test]
fn a_grant_that_shows_up_late_is_kept_or_if_unwanted_ended() {
    let lost = vec![
        (0, Event::Sending),
        (9_000, Event::Created(Outcome::Unknown)),
    ];
    let ids = [id("late"), id("twin")];
    let look = (
        60_000,
        Event::Looked {
            began: at(59_000),
            ids: &ids,
        },
    );
    let mut kept = lost.clone();
    kept.push(look.clone());
    let step = run(&facts(), &kept);
    assert_eq!(
        (step.life.state.word(), step.twins),
        ("active", vec![id("twin")])
    );

    let mut unwanted = lost;
    unwanted.extend([(20_000, Event::End(Why::Asked)), look]);
    let step = run(&facts(), &unwanted);
    assert_eq!(
        (step.life.state.word(), next(&step)),
        ("ending", (Act::End, 60_000))
    );
}

#[test]
fn a_refused_create_closes_at_once_unless_an_earlier_send_is_open() {
    let refused = Event::Created(Outcome::Refused(Class::Denied));
    let step = run(&facts(), &[(0, Event::Sending), (50, refused.clone())]);
    assert!(matches!(
        step.life.state,
        State::Closed {
            how: How::NeverExisted,
            ..
        }
    ));

    let unknown = Event::Created(Outcome::Unknown);
    let step = run(
        &facts(),
        &[
            (0, Event::Sending),
            (50, unknown),
            (60, Event::Sending),
            (70, refused),
        ],
    );
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
fn no_create_leaves_at_or_after_the_deadline_nor_once_it_is_unwanted() {
    let error = step(&facts(), &fresh(), &Event::Sending, at(DEADLINE.0)).unwrap_err();
    insta::assert_snapshot!(error, @"sending cannot happen to a grant that is creating: this is a bug in grantd, please report it");
    let unwanted = run(
        &facts(),
        &[(0, Event::Sending), (1, Event::End(Why::Asked))],
    )
    .life;
    assert!(step(&facts(), &unwanted, &Event::Sending, at(2)).is_err());
}

#[test]
fn an_answer_after_the_deadline_ends_the_grant_at_once() {
    let events = [
        (DEADLINE.0 - 1, Event::Sending),
        (DEADLINE.0 + 10, Event::Created(Outcome::Done(id("a")))),
    ];
    let step = run(&facts(), &events);
    assert_eq!(
        (step.life.state.word(), next(&step)),
        ("ending", (Act::End, DEADLINE.0 + 10))
    );
}

#[test]
fn not_found_is_believed_only_when_settled() {
    let young = |ms| {
        let mut events = made();
        events.extend([(ms, Event::End(Why::Asked)), (ms, Event::Sending)]);
        events.push((ms + 10, Event::Answered(Outcome::Refused(Class::NotFound))));
        run(&facts(), &events)
    };
    let step = young(1_000);
    assert_eq!(
        (step.life.state.word(), next(&step)),
        ("ending", (Act::End, 3_010))
    );
    let step = young(SETTLE);
    assert_eq!(
        (step.life.state.word(), next(&step)),
        ("ended", (Act::Look, SETTLE + 10))
    );
}

#[test]
fn gone_without_an_accepted_end_takes_two_looks_settle_apart() {
    let mut events = made();
    let due = DEADLINE.0;
    events.extend([
        (due, Event::Due),
        (due, Event::Sending),
        (due + 10, Event::Answered(Outcome::Refused(Class::NotFound))),
        (
            due + 30,
            Event::Looked {
                began: at(due + 20),
                ids: &[],
            },
        ),
    ]);
    let step = run(&facts(), &events);
    assert_eq!(
        (step.life.state.word(), next(&step)),
        ("ended", (Act::Look, due + 20 + SETTLE))
    );
    events.push((
        due + SETTLE,
        Event::Looked {
            began: at(due + 19 + SETTLE),
            ids: &[],
        },
    ));
    assert_eq!(run(&facts(), &events).life.state.word(), "ended");
    events.push((
        due + SETTLE + 90,
        Event::Looked {
            began: at(due + 20 + SETTLE),
            ids: &[],
        },
    ));
    let step = run(&facts(), &events);
    assert!(matches!(
        step.life.state,
        State::Closed { how: How::Gone, .. }
    ));
}

#[test]
fn an_accepted_end_that_stays_listed_is_sent_again() {
    let accepted = DEADLINE.0 + 20;
    let ids = [id("a")];
    let mut events = ended(accepted);
    events.push((
        accepted + 2_000,
        Event::Looked {
            began: at(accepted + 1_900),
            ids: &ids,
        },
    ));
    assert_eq!(next(&run(&facts(), &events)), (Act::Look, accepted + 4_000));
    let late = accepted + SETTLE;
    events.push((
        late + 5,
        Event::Looked {
            began: at(late),
            ids: &ids,
        },
    ));
    let step = run(&facts(), &events);
    assert_eq!(
        (step.life.state.word(), next(&step)),
        ("ending", (Act::End, late + 5))
    );
}

#[test]
fn an_early_end_of_a_young_grant_is_seen_gone_but_closed_only_when_settled() {
    let mut events = made();
    events.extend([
        (1_000, Event::End(Why::Asked)),
        (1_000, Event::Sending),
        (1_050, Event::Answered(Outcome::Done(()))),
        (
            2_100,
            Event::Looked {
                began: at(2_050),
                ids: &[],
            },
        ),
    ]);
    let step = run(&facts(), &events);
    assert_eq!(step.record, Some(Record("gone")));
    assert_eq!(
        (step.life.state.word(), next(&step)),
        ("ended", (Act::Look, SETTLE))
    );
}

#[test]
fn a_look_begun_before_the_end_was_accepted_proves_nothing() {
    let accepted = DEADLINE.0 + 20;
    let mut events = ended(accepted);
    events.push((
        accepted + 1,
        Event::Looked {
            began: at(accepted - 1),
            ids: &[],
        },
    ));
    assert_eq!(run(&facts(), &events).life.state.word(), "ended");
}

#[test]
fn retire_denied_turns_to_revoke_where_there_is_a_role_for_it() {
    let facts = Facts {
        order: EndOrder::RetireThenRevoke,
        ..facts()
    };
    let mut events = made();
    events.extend([
        (DEADLINE.0, Event::Due),
        (DEADLINE.0, Event::Sending),
        (
            DEADLINE.0 + 9,
            Event::Answered(Outcome::Refused(Class::Denied)),
        ),
    ]);
    let State::Ending { via, .. } = run(&facts, &events).life.state else {
        panic!("not ending")
    };
    assert_eq!(via, Via::Revoke);
}

#[test]
fn a_found_grant_is_ended_a_second_after_its_deadline_and_a_lead_before_it() {
    assert_eq!(
        Facts {
            origin: Origin::Found,
            ..facts()
        }
        .due_at(),
        DEADLINE.plus(SECOND)
    );
    assert_eq!(
        Facts {
            lead: 5 * MINUTE,
            ..facts()
        }
        .due_at(),
        DEADLINE.plus(-5 * MINUTE)
    );
}

#[test]
fn a_repeated_refusal_is_recorded_once() {
    let mut events = made();
    events.extend([(DEADLINE.0, Event::Due), (DEADLINE.0, Event::Sending)]);
    events.push((
        DEADLINE.0 + 9,
        Event::Answered(Outcome::Refused(Class::Denied)),
    ));
    assert_eq!(run(&facts(), &events).record, Some(Record("end-refused")));
    events.push((DEADLINE.0 + 99, Event::Sending));
    events.push((
        DEADLINE.0 + 109,
        Event::Answered(Outcome::Refused(Class::Denied)),
    ));
    let step = run(&facts(), &events);
    assert_eq!((step.record, step.life.fault), (None, Some(Class::Denied)));
}
