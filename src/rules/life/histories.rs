//! Every history a hostile world can write: random events, legal or not, and what must hold after
//! each.

use proptest::prelude::*;

use super::*;
use crate::rules::time::MINUTE;

const SETTLE: i64 = 11 * MINUTE;

fn at(ms: i64) -> Now {
    Now { latest: Time(ms), least: Time(ms) }
}

fn id(text: &str) -> GrantId {
    GrantId::parse(text).unwrap()
}

/// Events without lifetimes, for the generator.
#[derive(Debug, Clone)]
enum Any {
    Sending,
    Created(Outcome<GrantId>),
    Abandoned,
    Answered(Outcome<()>),
    Looked(i64, Vec<GrantId>),
    Due,
    End(Why),
}

fn outcome<T: Clone + std::fmt::Debug + 'static>(
    done: impl Strategy<Value = T> + 'static,
) -> impl Strategy<Value = Outcome<T>> {
    let classes = proptest::sample::select(vec![
        Class::NotFound,
        Class::BadToken,
        Class::Throttled,
        Class::Denied,
        Class::KeyState,
        Class::Credentials,
        Class::Unavailable,
        Class::Quota,
        Class::Invalid,
    ]);
    prop_oneof![
        3 => done.prop_map(Outcome::Done),
        2 => classes.prop_map(Outcome::Refused),
        1 => Just(Outcome::Unknown),
    ]
}

fn any_event() -> impl Strategy<Value = Any> {
    let ids = proptest::sample::select(vec!["a", "b", "c"]).prop_map(id);
    prop_oneof![
        4 => Just(Any::Sending),
        3 => outcome(ids.clone()).prop_map(Any::Created),
        1 => Just(Any::Abandoned),
        3 => outcome(Just(())).prop_map(Any::Answered),
        4 => (0i64..20_000, proptest::collection::vec(ids, 0..3)).prop_map(|(ago, mut ids)| {
            ids.sort();
            ids.dedup();
            Any::Looked(ago, ids)
        }),
        1 => Just(Any::Due),
        1 => proptest::sample::select(vec![Why::Asked, Why::Twin, Why::Probe]).prop_map(Any::End),
    ]
}

fn event(any: Any, now: i64) -> Event {
    match any {
        Any::Sending => Event::Sending,
        Any::Created(outcome) => Event::Created(outcome),
        Any::Abandoned => Event::Abandoned,
        Any::Answered(outcome) => Event::Answered(outcome),
        Any::Looked(ago, ids) => Event::Looked { began: at(now - ago), ids },
        Any::Due => Event::Due,
        Any::End(why) => Event::End(why),
    }
}

/// Closing needs a settled look without the grant, or a create of which every send was refused.
fn closes_rightly(was: &State, is: &State, event: &Event) -> Result<(), TestCaseError> {
    let (false, State::Closed { how, .. }) = (matches!(was, State::Closed { .. }), is) else {
        return Ok(());
    };
    let look = match event {
        Event::Looked { began, ids } => Some((began, ids)),
        Event::Sending
        | Event::Created(_)
        | Event::Abandoned
        | Event::Answered(_)
        | Event::Due
        | Event::End(_) => None,
    };
    let settled =
        |create: &Sends| look.is_some_and(|(began, _)| create.settled(SETTLE, began.least));
    match was {
        State::Creating { create, .. } => {
            let refused = create.open <= 1 && look.is_none();
            prop_assert!(*how == How::NeverExisted && (refused || settled(create)));
        }
        State::Ended { create, accepted, gone, id, .. } => {
            prop_assert!(settled(create));
            let Some((began, ids)) = look else { panic!("closed unseen") };
            prop_assert!(!ids.contains(id));
            let apart = gone.is_some_and(|g| began.least.since(g) >= SETTLE);
            prop_assert!(accepted.is_some() || apart);
        }
        State::Active { .. } | State::Ending { .. } | State::Closed { .. } => {
            prop_assert!(false, "closed from {}", was.word());
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]
    #[test]
    fn no_history_breaks_the_rules(
        order in proptest::sample::select(
            vec![EndOrder::Retire, EndOrder::RetireThenRevoke, EndOrder::Revoke]
        ),
        events in proptest::collection::vec((0i64..5 * MINUTE, any_event()), 1..60),
    ) {
        let deadline = Time(20 * MINUTE);
        let facts = Facts { deadline, lead: 0, settle: SETTLE, order, origin: Origin::Asked };
        let state = State::Creating { create: Sends::default(), unwanted: None };
        let next = Some(Next { act: Act::Look, at: Time(0) });
        let mut life = Life { state, next, fault: None };
        let mut now = 0;
        for (gap, any) in events {
            now += gap;
            let event = event(any, now);
            let Ok(step) = step(&facts, &life, &event, at(now)) else { continue };
            let (was, is) = (&life.state, &step.life.state);
            // A row rests exactly when it is closed, and closed is for ever.
            let rests = matches!(is, State::Closed { .. });
            prop_assert_eq!(step.life.next.is_none(), rests);
            if matches!(was, State::Closed { .. }) {
                prop_assert_eq!(was, is);
            }
            // A grant once named is never forgotten: it leaves only by closing, its id never
            // changes, and it is no twin.
            if let (Some(old), Some(new)) = (was.grant_id(), is.grant_id()) {
                prop_assert_eq!(old, new);
                prop_assert!(!step.twins.contains(new));
            }
            let forgotten = was.grant_id().is_some() && matches!(is, State::Creating { .. });
            prop_assert!(!forgotten);
            closes_rightly(was, is, &event)?;
            // An active grant always has its end ahead of it, at its deadline at the latest.
            if let (State::Active { .. }, Some(next)) = (is, step.life.next) {
                prop_assert_eq!((next.act, next.at), (Act::End, facts.due_at()));
            }
            // What is wanted ended is tried again within a minute, for ever.
            if let (State::Ending { .. }, Some(next)) = (is, step.life.next) {
                prop_assert!(next.act == Act::End && next.at.since(Time(now)) <= ROW_BACKOFF_MAX);
            }
            // A change of state is in the history; becoming due is told by the end that follows.
            let told = life.fault == Some(Class::NotFound);
            let quiet = matches!(event, Event::Due) || told;
            if was.word() != is.word() && !quiet {
                prop_assert!(step.record.is_some(), "{} to {} unrecorded", was.word(), is.word());
            }
            life = step.life;
        }
    }
}
