//! Grants of ours without a row: a lost or old ledger is made whole from what KMS shows.

use super::fixture::{World, grantee, id, listed, now, reference, verify};
use crate::ids::{GrantId, KeyArn, Principal};
use crate::ledger::{FoundGrant, Ledger, Row, Sighting};
use crate::rules::found::{Alarm, DECAY};
use crate::rules::life::{Act, Event, Next, Origin, Outcome, PATIENCE, STAND_IN_DELAY, State};
use crate::rules::time::{HOUR, Now, SECOND};

/// The row that it gets, and what is wrong with it.
fn taken(ledger: &mut Ledger, found: &FoundGrant, now: Now) -> (Row, Option<Alarm>) {
    match ledger.find(found, now).unwrap() {
        Sighting::Taken { row, alarm } => (*row, alarm),
        other @ (Sighting::Early | Sighting::Known { .. }) => panic!("{other:?}"),
    }
}

fn known(ledger: &mut Ledger, found: &FoundGrant, now: Now) -> bool {
    matches!(ledger.find(found, now).unwrap(), Sighting::Known { lease: Some(_), .. })
}

#[test]
fn a_found_grant_becomes_a_lease_that_ends_at_its_name_s_deadline() {
    let mut world = World::new();
    let found = listed(&world.lease(1), "a1");
    let (row, alarm) = taken(&mut world.ledger, &found, now(0));
    assert_eq!(alarm, None);
    assert_eq!((row.facts().origin, row.life().state.word()), (Origin::Found, "active"));
    let at = found.deadline.plus(STAND_IN_DELAY);
    assert_eq!(row.life().next, Some(Next { act: Act::End, at }));
    assert_eq!(row.name(), Some(found.name.as_str()));
    assert!(known(&mut world.ledger, &found, now(1)));

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
    let early = world.ledger.find(&listed(&new, "a1"), now(PATIENCE - 1)).unwrap();
    assert_eq!(early, Sighting::Early);
    let found = taken(&mut world.ledger, &listed(&new, "a1"), now(PATIENCE)).0;
    assert_eq!((found.id(), found.life().state.word()), (row.id(), "active"));
    assert_eq!(found.facts().origin, Origin::Asked, "it is ours, and ends at its own time");
    // One more of the same is a twin.
    let twin = taken(&mut world.ledger, &listed(&new, "a2"), now(PATIENCE)).0;
    assert_eq!((twin.twin(), twin.life().state.word()), (1, "ending"));
}

/// Of two grants under one Name each host keeps the one that it knows, and only the host that made
/// them ends the other before the deadline: else two hosts could end both.
#[test]
fn who_only_found_two_under_one_name_ends_neither_early() {
    let mut world = World::new();
    let new = world.lease(1);
    let first = taken(&mut world.ledger, &listed(&new, "a1"), now(0)).0;
    let second = taken(&mut world.ledger, &listed(&new, "a2"), now(SECOND)).0;
    assert_eq!((first.twin(), second.twin()), (0, 1));
    let at = first.life().next;
    assert_eq!((second.life().state.word(), second.life().next), ("active", at));
    assert!(known(&mut world.ledger, &listed(&new, "a2"), now(SECOND)));
}

/// A lease with a live grant, as its asker knows it.
fn live(world: &mut World) -> (Row, crate::ledger::NewLease) {
    let new = world.lease(1);
    let row = world.ledger.begin(&new, now(0)).unwrap();
    let created = Event::Created(Outcome::Done(id("a1")));
    let row = world.ledger.step(row.id(), &created, now(1), &super::fixture::kms()).unwrap().row;
    (row, new)
}

/// The Name of another serial and deadline of the same lease.
fn renamed(found: &FoundGrant, serial: u32, deadline: crate::rules::time::Time) -> FoundGrant {
    let reference = &found.reference;
    let name = format!("grantd/prod/{reference}/{serial}/{deadline}");
    FoundGrant { serial, deadline, name, ..found.clone() }
}

/// Whoever may create grants on a key can write a Name with the ref of any lease. It changes
/// nothing of the lease, whatever it gives and whatever deadline it states.
#[test]
fn a_forged_name_changes_nothing_of_the_lease() {
    type Change = fn(&mut FoundGrant);
    let changes: [(&str, Change); 7] = [
        ("another key", |f| f.key_arn = super::fixture::key(2)),
        ("another grantee", |f| f.grantee = grantee(9)),
        ("fewer operations", |f| f.operations.truncate(1)),
        ("more operations", |f| f.operations.push(crate::terms::Operation::Encrypt)),
        ("a unique id", |f| f.grantee = Principal::parse("AROAEXAMPLEEXAMPLE").unwrap()),
        ("a bound that nobody knows", |f| f.understood = false),
        ("the same", |_| {}),
    ];
    for (what, change) in changes {
        for hours in [-400_000, 0, 10] {
            let mut world = World::new();
            let (row, new) = live(&mut world);
            let standing = world.ledger.standing(&new.reference, now(2).latest).unwrap();
            let deadline = new.deadline.plus(hours * HOUR);
            let mut forged = renamed(&listed(&new, "f1"), 9, deadline);
            change(&mut forged);
            let at = now(DECAY + SECOND);
            let (found, alarm) = taken(&mut world.ledger, &forged, at);
            let same = what == "the same";
            assert_eq!(alarm, (!same).then_some(Alarm::Impostor), "{what}");
            assert_eq!(*found.reference() == new.reference, same, "{what}");
            assert_eq!((found.facts().deadline, found.life().state.word()), (deadline, "active"));
            assert_eq!(world.ledger.row(row.id()).unwrap(), row, "{what}, {hours} h");
            let lease = world.ledger.lease(new.reference.as_str()).unwrap();
            assert_eq!((lease.deadline, lease.latest), (new.deadline, new.latest), "{what}");
            assert_eq!(world.ledger.standing(&new.reference, at.latest).unwrap(), standing);
            // Nor does a later search change its mind.
            assert!(known(&mut world.ledger, &forged, now(HOUR)), "{what}");
            // Nor does its own end, which comes when its Name says so.
            let note = super::fixture::kms();
            world.ledger.step(found.id(), &Event::Due, now(HOUR), &note).unwrap();
            assert_eq!(world.ledger.row(row.id()).unwrap(), row, "{what}, {hours} h");
        }
    }
}

/// A revoke of the lease ends what joined it, and no grant on another key.
#[test]
fn a_revoke_ends_no_impostor() {
    let mut world = World::new();
    let (_, new) = live(&mut world);
    let mut forged = listed(&new, "f1");
    forged.key_arn = KeyArn::parse(forged.key_arn.as_str().replace("k1", "k2")).unwrap();
    let (impostor, _) = taken(&mut world.ledger, &forged, now(SECOND));
    let joined = renamed(&listed(&new, "f2"), 2, new.deadline.plus(HOUR));
    taken(&mut world.ledger, &joined, now(SECOND));
    let why = crate::rules::life::Why::Asked;
    let note = super::fixture::kms();
    let ended = world.ledger.end_lease(&new.reference, why, now(2 * SECOND), &note).unwrap();
    let ids: Vec<_> = ended.iter().filter_map(|row| row.life().state.grant_id()).collect();
    assert_eq!(ids, [&id("a1"), &id("f2")]);
    let after = world.ledger.row(impostor.id()).unwrap();
    assert_eq!(after.life().state.word(), "active");
}

/// However many somebody forges, the rows that were made here stay within what a read shows.
#[test]
fn a_flood_of_equal_terms_joins_no_lease_beyond_measure() {
    let mut world = World::new();
    let (row, new) = live(&mut world);
    let mut impostors = 0;
    for n in 0..120_u32 {
        let forged = renamed(&listed(&new, &format!("f{n}")), n + 2, new.deadline.plus(HOUR));
        let alarm = taken(&mut world.ledger, &forged, now(SECOND)).1;
        impostors += u32::from(alarm == Some(Alarm::Impostor));
    }
    assert_eq!(impostors, 20);
    assert_eq!(world.ledger.rows_of_lease(&new.reference).unwrap().len(), 101);
    assert_eq!(world.ledger.row(row.id()).unwrap(), row);
}

/// The answer of a create may come after a search that saw its grant: one row acts on one grant.
#[test]
fn what_was_found_gives_way_to_the_row_that_made_it() {
    let mut world = World::new();
    let new = world.lease(1);
    let row = world.ledger.begin(&new, now(0)).unwrap();
    let mut decayed = listed(&new, "a1");
    decayed.grantee = Principal::parse("AROAEXAMPLEEXAMPLE").unwrap();
    assert_eq!(world.ledger.find(&decayed, now(SECOND)).unwrap(), Sighting::Early);
    let (found, _) = taken(&mut world.ledger, &decayed, now(DECAY));
    let created = Event::Created(Outcome::Done(id("a1")));
    let note = super::fixture::kms();
    let row = world.ledger.step(row.id(), &created, now(DECAY + 1), &note).unwrap().row;
    assert_eq!(row.life().state.grant_id(), Some(&GrantId::parse("a1").unwrap()));
    let found = world.ledger.row(found.id()).unwrap();
    assert!(matches!(found.life().state, State::Closed { .. }), "{found:?}");
    assert_eq!(verify(&world.ledger).1, None);
}

/// With one host, nobody else makes grants of the group.
#[test]
fn an_unknown_ref_that_is_newer_than_the_ledger_is_a_stray() {
    let mut world = World::new();
    live(&mut world);
    for (n, alone, created, stray) in
        [(2, true, SECOND, true), (3, false, SECOND, false), (4, true, -SECOND, false)]
    {
        let mut found = listed(&world.lease(n), &format!("s{n}"));
        found.alone = alone;
        found.created = super::fixture::START.plus(created);
        let (_, alarm) = taken(&mut world.ledger, &found, now(2 * SECOND));
        assert_eq!(alarm, stray.then_some(Alarm::Stray), "{n}");
        let again = world.ledger.find(&found, now(HOUR)).unwrap();
        assert!(matches!(again, Sighting::Known { alarm: now, .. } if now == alarm), "{again:?}");
    }
}

/// Where all of a lease was only found, its deadline is the latest of what gives the same.
#[test]
fn a_found_successor_joins_a_found_lease_and_moves_its_deadline() {
    let mut world = World::new();
    let new = world.lease(1);
    let (first, _) = taken(&mut world.ledger, &listed(&new, "a1"), now(0));
    let later = renamed(&listed(&new, "a2"), 2, new.deadline.plus(10 * HOUR));
    let (row, _) = taken(&mut world.ledger, &later, now(SECOND));
    assert_eq!((row.serial(), row.twin()), (2, 0));
    let lease = world.ledger.lease(new.reference.as_str()).unwrap();
    assert_eq!((lease.deadline, lease.grants.len()), (later.deadline, 2));
    // A Name is no order to end another grant: the host that shortened a lease ends the old one.
    let earlier = renamed(&listed(&new, "a3"), 3, new.deadline.plus(-HOUR / 2));
    taken(&mut world.ledger, &earlier, now(2 * SECOND));
    assert_eq!(world.ledger.row(first.id()).unwrap(), first);
    assert_eq!(world.ledger.row(row.id()).unwrap(), row);
}

/// What is found fills no more than half of a look-ahead, and none of what it leaves is lost.
#[test]
fn a_flood_of_found_grants_leaves_room_for_ours() {
    let mut world = World::new();
    live(&mut world);
    for n in 2..12 {
        let flood = listed(&world.lease(n), &format!("f{n}"));
        taken(&mut world.ledger, &flood, now(SECOND));
    }
    let until = now(2 * HOUR).latest;
    let origins = |limit: usize| {
        let rows = world.ledger.ahead(until, limit).unwrap();
        let found = rows.iter().filter(|row| row.facts().origin == Origin::Found).count();
        (found, rows.len() - found)
    };
    assert_eq!((origins(10), origins(100)), ((5, 1), (10, 1)));
    let beside = world.ledger.ahead_beside_stalls(until, 10, now(0).latest).unwrap();
    assert_eq!(beside.len(), 6);
}
