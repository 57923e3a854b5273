//! What is held, through the lease's life and a restart.

use super::fixture::{World, id, kms, now};
use crate::ids::Ref;
use crate::ledger::Note;
use crate::rules::life::{Event, Outcome, State, Why};
use crate::rules::time::SECOND;
use crate::wire::ListHistory;

fn held(world: &World) -> Vec<Ref> {
    world.ledger.held().unwrap()
}

#[test]
fn a_held_lease_is_known_until_its_end_is_on_its_way() {
    let mut world = World::new();
    let mut new = world.lease(1);
    new.held = true;
    let row = world.ledger.begin(&new, now(0)).unwrap();
    world.granted(2);
    let mut world = world.reopen();
    assert_eq!(held(&world), [new.reference.clone()]);
    assert!(world.ledger.lease(new.reference.as_str()).unwrap().held);
    let made = Event::Created(Outcome::Done(id("grant1")));
    world.ledger.step(row.id(), &made, now(100), &kms()).unwrap();
    assert_eq!(held(&world).len(), 1);
    world.ledger.step(row.id(), &Event::Due, now(3_600_000), &Note::grantd()).unwrap();
    assert!(held(&world).is_empty(), "its deadline has come");
}

#[test]
fn what_nobody_holds_is_ended_once_and_only_that() {
    let mut world = World::new();
    let mut new = world.lease(1);
    new.held = true;
    world.ledger.begin(&new, now(0)).unwrap();
    let free = world.lease(2);
    world.ledger.begin(&free, now(0)).unwrap();
    let why = "its holder is gone";
    // KMS has not answered its create yet: the wish is recorded all the same.
    let rows = world.ledger.end_held(&new.reference, now(SECOND), why).unwrap();
    assert!(
        matches!(&rows[0].life().state, State::Creating { unwanted: Some(Why::Asked), .. }),
        "{rows:?}"
    );
    assert!(held(&world).is_empty());
    let history = world.ledger.history(&ListHistory::default()).unwrap().items;
    let last = history.last().unwrap();
    assert_eq!((last.actor.as_str(), &last.body["detail"]), ("uid 1000 (alice)", &why.into()));
    assert!(world.ledger.end_held(&new.reference, now(SECOND), why).unwrap().is_empty());
    assert!(world.ledger.end_held(&free.reference, now(SECOND), why).unwrap().is_empty());
}
