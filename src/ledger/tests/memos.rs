//! Lanes, clocks, identities, proofs and stalls.

use super::fixture::{World, facts, key, now};
use crate::ledger::Clocks;
use crate::rules::life::Class;
use crate::rules::time::Time;

#[test]
fn a_changed_role_or_endpoint_is_another_lane_and_rows_keep_theirs() {
    let mut world = World::new();
    let grant = world.granted(1);
    assert_eq!(world.ledger.lane(&facts("grantd")).unwrap(), world.lane);
    let other = world.ledger.lane(&facts("other")).unwrap();
    let mut sandbox = facts("grantd");
    sandbox.endpoint = Some("http://127.0.0.1:8080".to_owned());
    let sandbox = world.ledger.lane(&sandbox).unwrap();
    let world = world.reopen();
    assert_eq!(world.ledger.lanes().unwrap(), [world.lane.clone(), other, sandbox]);
    assert_eq!(world.ledger.row(grant).unwrap().lane(), &world.lane);
}

#[test]
fn a_lane_without_optional_facts_is_found_again() {
    let mut world = World::new();
    let mut ambient = facts("x");
    ambient.role_arn = None;
    let first = world.ledger.lane(&ambient).unwrap();
    assert_eq!(first.role_arn, None);
    assert_eq!(world.ledger.lane(&ambient).unwrap(), first);
}

#[test]
fn clocks_identities_and_proofs_are_remembered() {
    let mut world = World::new();
    assert_eq!(world.ledger.clocks().unwrap(), None);
    let mut clocks = Clocks {
        high_water: Time(5),
        boot_id: "b".to_owned(),
        anchor_wall: Time(4),
        anchor_boot: 3,
    };
    world.ledger.set_clocks(&clocks).unwrap();
    clocks.high_water = Time(6);
    world.ledger.set_clocks(&clocks).unwrap();
    assert_eq!(world.ledger.identity(world.lane.id).unwrap(), None);
    world.ledger.set_identity(world.lane.id, "AROAEXAMPLE").unwrap();
    assert_eq!(world.ledger.proof(world.lane.id, &key(1)).unwrap(), None);
    world.ledger.set_proof(world.lane.id, &key(1), Time(1)).unwrap();
    world.ledger.set_proof(world.lane.id, &key(1), Time(2)).unwrap();

    let world = world.reopen();
    assert_eq!(world.ledger.clocks().unwrap(), Some(clocks));
    assert_eq!(world.ledger.identity(world.lane.id).unwrap().as_deref(), Some("AROAEXAMPLE"));
    assert_eq!(world.ledger.proof(world.lane.id, &key(1)).unwrap(), Some(Time(2)));
    assert_eq!(world.ledger.proof(world.lane.id, &key(2)).unwrap(), None);
}

#[test]
fn a_stall_counts_its_tries_until_the_class_changes() {
    let mut world = World::new();
    let lane = world.lane.id;
    let at = |ms| now(ms).latest;
    for (class, ms) in [(Class::Denied, 1), (Class::Denied, 2), (Class::KeyState, 3)] {
        let ledger = &mut world.ledger;
        ledger.set_stall(lane, Some(&key(1)), class, at(ms), at(ms + 10), "no").unwrap();
    }
    world.ledger.set_stall(lane, None, Class::Unavailable, at(4), at(5), "silence").unwrap();
    world.ledger.set_stall(lane, None, Class::Unavailable, at(6), at(7), "silence").unwrap();
    let mut world = world.reopen();
    let stalls = world.ledger.stalls().unwrap();
    let seen: Vec<_> =
        stalls.iter().map(|s| (s.key_arn.clone(), s.class, s.since, s.tries, s.until)).collect();
    let whole = (None, Class::Unavailable, at(4), 2, at(7));
    assert_eq!(seen, [whole, (Some(key(1)), Class::KeyState, at(3), 1, at(13))]);
    assert!(world.ledger.clear_stall(lane, None).unwrap());
    assert!(!world.ledger.clear_stall(lane, None).unwrap());
    assert_eq!(world.ledger.stalls().unwrap().len(), 1);
}
