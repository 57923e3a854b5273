//! Grants of ours without a row: a lost or old ledger is made whole from what KMS shows.

use super::fixture::{World, grantee, id, listed, now, reference, verify};
use crate::rules::life::{Act, Event, Next, Origin, Outcome, PATIENCE, STAND_IN_DELAY};
use crate::rules::time::{HOUR, SECOND};

#[test]
fn a_found_grant_becomes_a_lease_that_ends_at_its_name_s_deadline() {
    let mut world = World::new();
    let found = listed(&world.lease(1), "a1");
    let row = world.ledger.find(&found, now(0)).unwrap().unwrap();
    assert_eq!((row.facts().origin, row.life().state.word()), (Origin::Found, "active"));
    let at = found.deadline.plus(STAND_IN_DELAY);
    assert_eq!(row.life().next, Some(Next { act: Act::End, at }));
    assert_eq!(row.name(), Some(found.name.as_str()));
    assert_eq!(world.ledger.find(&found, now(1)).unwrap(), None);

    let world = world.reopen();
    let lease = world.ledger.lease(reference(1).as_str()).unwrap();
    assert_eq!((lease.origin, lease.deadline), (Origin::Found, found.deadline));
    assert_eq!(lease.asker, None);
    assert_eq!(world.ledger.ahead(at, 10).unwrap(), [row]);
    assert_eq!(verify(&world.ledger), (1, None));
}

#[test]
fn an_old_ledger_gets_the_grant_that_its_row_was_waiting_for() {
    let mut world = World::new();
    let new = world.lease(1);
    let row = world.ledger.begin(&new, now(0)).unwrap();
    // Whoever sends it may still be at it.
    assert_eq!(world.ledger.find(&listed(&new, "a1"), now(PATIENCE - 1)).unwrap(), None);
    let found = world.ledger.find(&listed(&new, "a1"), now(PATIENCE)).unwrap().unwrap();
    assert_eq!((found.id(), found.life().state.word()), (row.id(), "active"));
    assert_eq!(found.facts().origin, Origin::Asked, "it is ours, and ends at its own time");
    // One more of the same is a twin.
    let twin = world.ledger.find(&listed(&new, "a2"), now(PATIENCE)).unwrap().unwrap();
    assert_eq!((twin.twin(), twin.life().state.word()), (1, "ending"));
}

#[test]
fn what_gives_something_else_under_the_same_name_ends_at_its_own_deadline() {
    let mut world = World::new();
    let new = world.lease(1);
    let row = world.ledger.begin(&new, now(0)).unwrap();
    let created = Event::Created(Outcome::Done(id("a1")));
    world.ledger.step(row.id(), &created, now(1), &super::fixture::kms()).unwrap();
    let mut other = listed(&new, "a2");
    other.grantee = grantee(9);
    let row = world.ledger.find(&other, now(SECOND)).unwrap().unwrap();
    assert_eq!((row.twin(), row.life().state.word()), (1, "active"));
}

/// Of two grants under one Name each host keeps the one that it knows, and only the host that made
/// them ends the other before the deadline: else two hosts could end both.
#[test]
fn who_only_found_two_under_one_name_ends_neither_early() {
    let mut world = World::new();
    let new = world.lease(1);
    let first = world.ledger.find(&listed(&new, "a1"), now(0)).unwrap().unwrap();
    let second = world.ledger.find(&listed(&new, "a2"), now(SECOND)).unwrap().unwrap();
    assert_eq!((first.twin(), second.twin()), (0, 1));
    let at = first.life().next;
    assert_eq!((second.life().state.word(), second.life().next), ("active", at));
    assert_eq!(world.ledger.find(&listed(&new, "a2"), now(SECOND)).unwrap(), None);
}

#[test]
fn a_successor_joins_its_lease_and_moves_its_deadline() {
    let mut world = World::new();
    let new = world.lease(1);
    world.ledger.begin(&new, now(0)).unwrap();
    let mut later = listed(&new, "a2");
    later.serial = 2;
    later.deadline = new.deadline.plus(10 * HOUR);
    let row = world.ledger.find(&later, now(SECOND)).unwrap().unwrap();
    assert_eq!((row.serial(), row.twin()), (2, 0));
    let lease = world.ledger.lease(new.reference.as_str()).unwrap();
    assert_eq!((lease.deadline, lease.grants.len()), (later.deadline, 2));
}
