//! Lanes, clocks, identities, proofs and stalls.

use super::fixture::{World, facts, key, now};
use crate::ids::Principal;
use crate::kms::Ways;
use crate::ledger::{Clocks, LaneFacts, Waiting};
use crate::rules::life::{Class, EndOrder};
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

/// Today's ways, and none of the facts.
fn by(revoke_role: Option<&str>, facts: LaneFacts) -> LaneFacts {
    let role = |name| Principal::parse(format!("arn:aws:iam::111122223333:role/{name}")).unwrap();
    let profile = Some("work".to_owned());
    let ways = Ways { profile, revoke_role: revoke_role.map(role), ..Ways::default() };
    LaneFacts { ways, ..facts }
}

#[test]
fn another_way_to_the_credentials_is_no_other_lane_and_old_rows_take_to_it() {
    let mut world = World::new();
    let grant = world.granted(1);
    let order = |world: &World| world.ledger.row(grant).unwrap().facts().order;
    assert_eq!(order(&world), EndOrder::Retire);
    // The config's word for the one role is for what another, older one made as well.
    world.ledger.lane(&by(Some("revoker"), facts("newer"))).unwrap();
    assert_eq!(order(&world), EndOrder::RetireThenRevoke);
    let row = world.ledger.row(grant).unwrap();
    assert_eq!(row.lane().ways.profile, None, "whose profile it is, each lane says for itself");
    assert!(row.lane().is(&world.lane) && row.lane().id == world.lane.id);
    // A start without a config changes nothing.
    let mut world = world.reopen();
    assert_eq!(order(&world), EndOrder::RetireThenRevoke);
    // Elsewhere it says nothing.
    let mut sandbox = by(None, facts("grantd"));
    sandbox.endpoint = Some("http://127.0.0.1:8080".to_owned());
    world.ledger.lane(&sandbox).unwrap();
    assert_eq!(order(&world), EndOrder::RetireThenRevoke);
    world.ledger.lane(&by(None, facts("grantd"))).unwrap();
    assert_eq!(order(&world), EndOrder::Retire, "taken back by name");
    let lane = world.ledger.row(grant).unwrap().lane().clone();
    assert_eq!(lane.ways.profile.as_deref(), Some("work"));
}

#[test]
fn a_grant_is_owed_its_end_until_that_is_accepted() {
    use crate::rules::life::{Event, Outcome, Why};
    let mut world = World::new();
    let grant = world.granted(1);
    let lane = world.lane.id;
    assert!(!world.ledger.owes_before(lane, now(0).latest).unwrap(), "sent at that instant");
    assert!(world.ledger.owes_before(lane, now(1).latest).unwrap());
    assert!(!world.ledger.owes_before(lane + 1, now(1).latest).unwrap());
    let accepted = Event::Answered(Outcome::Done(()));
    for event in [Event::End(Why::Asked), Event::Sending, accepted] {
        world.ledger.step(grant, &event, now(200), &super::fixture::kms()).unwrap();
    }
    assert!(!world.ledger.owes_before(lane, now(1).latest).unwrap());
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
    let mut clocks =
        Clocks { high_water: Time(5), boot_id: "b".into(), anchor_wall: Time(4), anchor_boot: 3 };
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
        ledger.set_stall(lane, &Waiting::Key(key(1)), class, at(ms), at(ms + 10), "no").unwrap();
    }
    world
        .ledger
        .set_stall(lane, &Waiting::Lane, Class::Unavailable, at(4), at(5), "silence")
        .unwrap();
    world
        .ledger
        .set_stall(lane, &Waiting::Lane, Class::Unavailable, at(6), at(7), "silence")
        .unwrap();
    let mut world = world.reopen();
    let stalls = world.ledger.stalls().unwrap();
    let seen: Vec<_> =
        stalls.iter().map(|s| (s.what.clone(), s.class, s.since, s.tries, s.until)).collect();
    let whole = (Waiting::Lane, Class::Unavailable, at(4), 2, at(7));
    assert_eq!(seen, [whole, (Waiting::Key(key(1)), Class::KeyState, at(3), 1, at(13))]);
    assert!(world.ledger.clear_stall(lane, &Waiting::Lane).unwrap());
    assert!(!world.ledger.clear_stall(lane, &Waiting::Lane).unwrap());
    assert_eq!(world.ledger.stalls().unwrap().len(), 1);
}
