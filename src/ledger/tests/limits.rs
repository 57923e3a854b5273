//! Hard limits hold however many ask at once.

use super::fixture::{World, id, key, kms, lease, now};
use super::pump::block;
use crate::fault::Kind;
use crate::ledger::{Census, Handle, Ledger, LedgerError, NewLease, Row};
use crate::rules::life::{Event, Outcome, Why};
use crate::terms::LiveMax;
use crate::wire::Asker;

/// The `n`-th lease, by `uid`, of a policy that lets so many live.
fn limited(world: &World, n: u64, uid: u32, policy: u32, asker: u32) -> NewLease {
    NewLease {
        asker: Some(Asker { uid, name: format!("user{uid}") }),
        max_live: Some(LiveMax { policy, asker }),
        ..lease(&world.lane, n)
    }
}

fn refused<T: std::fmt::Debug>(result: Result<T, LedgerError>) -> String {
    match result {
        Err(LedgerError::Fault(fault)) if fault.kind == Kind::TooManyLive => fault.text,
        other => panic!("{other:?}"),
    }
}

fn end(ledger: &mut Ledger, row: &Row) {
    ledger.step(row.id(), &Event::Created(Outcome::Done(id("g1"))), now(1), &kms()).unwrap();
    ledger.step(row.id(), &Event::End(Why::Asked), now(2), &kms()).unwrap();
    ledger.step(row.id(), &Event::Sending, now(3), &kms()).unwrap();
    ledger.step(row.id(), &Event::Answered(Outcome::Done(())), now(4), &kms()).unwrap();
}

#[test]
fn a_policy_and_an_asker_have_so_many_live_leases_and_no_more() {
    let mut world = World::new();
    let all: Vec<NewLease> = [(1, 1000), (2, 1000), (3, 1000), (4, 1001), (5, 1001), (6, 1002)]
        .map(|(n, uid)| limited(&world, n, uid, 4, 2))
        .into();
    let first = world.ledger.begin(&all[0], now(0)).unwrap();
    world.ledger.begin(&all[1], now(0)).unwrap();
    assert_eq!(
        refused(world.ledger.begin(&all[2], now(0))),
        "user1000 has 2 live leases under policy readers, as many as it allows one asker at once \
         (`max-live-per-asker`)"
    );
    world.ledger.begin(&all[3], now(0)).unwrap();
    world.ledger.begin(&all[4], now(0)).unwrap();
    assert_eq!(
        refused(world.ledger.begin(&all[5], now(0))),
        "policy readers has 4 live leases, as many as it allows at once (`max-live`)"
    );
    // Another policy has room of its own, and grantd's own probes are no leases of anybody.
    let other = limited(&world, 7, 1000, 4, 2);
    let other = NewLease { policy: Some("other".to_owned()), ..other };
    world.ledger.begin(&other, now(0)).unwrap();
    let probe = NewLease { asker: None, policy: None, max_live: None, ..lease(&world.lane, 9) };
    world.ledger.begin(&probe, now(0)).unwrap();
    // Whose end KMS has accepted, lives no more, though a look has yet to confirm it.
    end(&mut world.ledger, &first);
    world.ledger.begin(&all[2], now(5)).unwrap();
}

#[test]
fn a_limit_that_was_lowered_refuses_what_is_new() {
    let mut world = World::new();
    for n in 1..=5 {
        world.ledger.begin(&limited(&world, n, 1000, 5, 5), now(0)).unwrap();
    }
    let new = limited(&world, 6, 1001, 3, 3);
    assert!(refused(world.ledger.begin(&new, now(0))).starts_with("policy readers has 3 live"));
}

/// Each is a job of its own in one batch, or a thread's: the transaction counts.
#[test]
fn of_many_at_once_so_many_pass_as_have_room() {
    let world = World::new();
    let all: Vec<NewLease> =
        (0..64).map(|n| limited(&world, n, 1000 + u32::try_from(n % 4).unwrap(), 10, 3)).collect();
    let World { dir, ledger, .. } = world;
    let (handle, thread) = Handle::thread(ledger).unwrap();
    let askers: Vec<_> = all
        .chunks(8)
        .map(|some| {
            let (some, handle) = (some.to_vec(), handle.clone());
            std::thread::spawn(move || {
                let each = some.into_iter().map(|new| handle.begin(new, now(0)));
                let results = block(futures_util::future::join_all(each));
                results.into_iter().filter(Result::is_ok).count()
            })
        })
        .collect();
    let passed: usize = askers.into_iter().map(|asker| asker.join().unwrap()).sum();
    assert_eq!(passed, 10);
    drop(handle);
    thread.join().unwrap();
    drop(dir);
}

#[test]
fn what_a_listing_saw_is_remembered_by_key() {
    let mut world = World::new();
    assert_eq!(world.ledger.census(&key(1)).unwrap(), None);
    let seen = |grants, ms| Census { grants, seen_at: now(ms).latest };
    world.ledger.set_census(&key(1), seen(41_000, 0)).unwrap();
    world.ledger.set_census(&key(2), seen(7, 0)).unwrap();
    world.ledger.set_census(&key(1), seen(12, 5)).unwrap();
    let world = world.reopen();
    assert_eq!(world.ledger.census(&key(1)).unwrap(), Some(seen(12, 5)));
    assert_eq!(world.ledger.census(&key(2)).unwrap(), Some(seen(7, 0)));
}
