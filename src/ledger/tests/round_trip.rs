//! Whatever life a row can have, its columns tell it back, also through a real file.

use proptest::prelude::*;

use super::fixture::{World, id, now};
use crate::ids::GrantId;
use crate::ledger::columns::Columns;
use crate::rules::life::{Act, Class, How, Life, Next, Sends, State, Tries, Via, Why};
use crate::rules::time::Time;

fn time() -> impl Strategy<Value = Time> {
    any::<i64>().prop_map(Time)
}

fn maybe_time() -> impl Strategy<Value = Option<Time>> {
    prop::option::of(time())
}

fn grant_id() -> impl Strategy<Value = GrantId> {
    "[a-f0-9]{1,64}".prop_map(|text| id(&text))
}

fn sends() -> impl Strategy<Value = Sends> {
    (any::<u32>(), any::<u32>(), time()).prop_map(|(count, open, last)| Sends { count, open, last })
}

fn tries() -> impl Strategy<Value = Tries> {
    (any::<u32>(), maybe_time(), maybe_time()).prop_map(|(count, first, last)| Tries {
        count,
        first,
        last,
    })
}

fn why() -> impl Strategy<Value = Why> {
    prop::sample::select(vec![Why::Deadline, Why::Asked, Why::Probe, Why::Twin])
}

fn via() -> impl Strategy<Value = Via> {
    prop::sample::select(vec![Via::Retire, Via::Revoke])
}

fn how() -> impl Strategy<Value = How> {
    prop::sample::select(vec![How::Retired, How::Revoked, How::Gone, How::NeverExisted])
}

fn class() -> impl Strategy<Value = Class> {
    prop::sample::select(vec![
        Class::NotFound,
        Class::BadToken,
        Class::Throttled,
        Class::Denied,
        Class::KeyState,
        Class::Credentials,
        Class::Unavailable,
        Class::Quota,
        Class::Invalid,
    ])
}

fn next() -> impl Strategy<Value = Next> {
    (prop::sample::select(vec![Act::End, Act::Look]), time()).prop_map(|(act, at)| Next { act, at })
}

fn state() -> impl Strategy<Value = State> {
    prop_oneof![
        (sends(), prop::option::of(why()))
            .prop_map(|(create, unwanted)| State::Creating { create, unwanted }),
        (grant_id(), sends(), maybe_time()).prop_map(|(id, create, missing)| State::Active {
            id,
            create,
            missing
        }),
        (grant_id(), sends(), why(), via(), tries())
            .prop_map(|(id, create, why, via, end)| State::Ending { id, create, why, via, end }),
        (grant_id(), sends(), why(), via(), maybe_time(), maybe_time(), maybe_time()).prop_map(
            |(id, create, why, via, issued, accepted, gone)| State::Ended {
                id,
                create,
                why,
                via,
                issued,
                accepted,
                gone
            }
        ),
        (how(), maybe_time(), time()).prop_map(|(how, gone, at)| State::Closed { how, gone, at }),
    ]
}

fn life() -> impl Strategy<Value = Life> {
    (state(), next(), prop::option::of(class())).prop_map(|(state, next, fault)| {
        let next = (!matches!(state, State::Closed { .. })).then_some(next);
        Life { state, next, fault }
    })
}

proptest! {
    #[test]
    fn columns_tell_back_any_history_of_lives(lives in prop::collection::vec(life(), 1..6)) {
        let mut columns = Columns::default();
        for life in lives {
            columns = Columns::over(&columns, &life, Time(5));
            prop_assert_eq!(columns.life().unwrap(), life);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn the_file_tells_them_back(lives in prop::collection::vec(life(), 1..12)) {
        let mut world = World::new();
        let row = world.ledger.begin(&world.lease(1), now(0)).unwrap();
        for life in lives {
            let (_, before, _) = world.ledger.stored(row.id()).unwrap();
            let after = Columns::over(&before, &life, Time(5));
            world.ledger.write_columns(row.id(), &before, &after).unwrap();
            let (read, columns, _) = world.ledger.stored(row.id()).unwrap();
            prop_assert_eq!(read.life(), &life);
            prop_assert_eq!(columns, after);
        }
    }
}

#[test]
fn a_fault_keeps_the_time_it_began() {
    let state = State::Creating { create: Sends::default(), unwanted: None };
    let with = |fault| Life { state: state.clone(), next: None, fault };
    let first = Columns::over(&Columns::default(), &with(Some(Class::Denied)), Time(1));
    let same = Columns::over(&first, &with(Some(Class::Denied)), Time(2));
    let other = Columns::over(&same, &with(Some(Class::KeyState)), Time(3));
    let well = Columns::over(&other, &with(None), Time(4));
    let since = [first, same, other, well].map(|columns| columns.fault_since);
    assert_eq!(since, [Some(Time(1)), Some(Time(1)), Some(Time(3)), None]);
}
