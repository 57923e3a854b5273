//! What is told once, and forgotten when it is as it was.

use std::collections::{BTreeMap, BTreeSet};

use super::fixture::{World, id, key, now, reference};
use crate::ids::KeyArn;
use crate::ledger::Note;
use crate::rules::life::Event;
use crate::rules::time::{HOUR, MINUTE};
use crate::wire::{Asker, MovedAlias};

fn off(states: &[(usize, &str)]) -> BTreeMap<KeyArn, String> {
    states.iter().map(|(n, state)| (key(*n), (*state).to_owned())).collect()
}

#[test]
fn a_key_that_cannot_be_used_is_told_once_and_so_is_its_return() {
    let mut world = World::new();
    let lane = world.lane.id;
    let both = BTreeSet::from([key(1), key(2)]);
    let mut note = |states: &[(usize, &str)], seen: &BTreeSet<KeyArn>, at: i64| {
        world.ledger.note_keys(lane, &off(states), seen, now(at).latest).unwrap()
    };
    let disabled = (key(1), Some("Disabled".to_owned()));
    assert_eq!(note(&[(1, "Disabled")], &both, 1), [disabled]);
    assert_eq!(note(&[(1, "Disabled")], &both, 2), []);
    let deleted = (key(1), Some("PendingDeletion".to_owned()));
    assert_eq!(note(&[(1, "PendingDeletion")], &both, 3), [deleted]);
    // Where nothing lives any more there is nothing to tell.
    assert_eq!(note(&[], &BTreeSet::from([key(2)]), 4), []);
    assert_eq!(note(&[(2, "Disabled")], &both, 5).len(), 1);
    assert_eq!(note(&[], &both, 6), [(key(2), None)]);
    let world = world.reopen();
    assert_eq!(world.ledger.keys_off().unwrap(), []);
    let kinds = world.history_kinds();
    let told = ["key-unusable", "key-unusable", "key-unusable", "key-usable-again"];
    assert_eq!(kinds, told);
}

#[test]
fn an_alias_is_pinned_where_it_was_first_seen_until_somebody_accepts_another() {
    let mut world = World::new();
    let (lane, alias) = (world.lane.id, "alias/app".to_owned());
    let pin = |world: &mut World, n: usize, at: i64| {
        world.ledger.pin(lane, &[(alias.clone(), key(n))], now(at).latest).unwrap()
    };
    assert_eq!(pin(&mut world, 1, 0), [] as [&str; 0]);
    assert_eq!(pin(&mut world, 2, 1), ["alias/app"]);
    let mut world = world.reopen();
    assert_eq!(pin(&mut world, 2, 2), ["alias/app"]);
    let moved = world.ledger.moved_aliases().unwrap();
    let (was, is) = (moved[0].was.clone(), moved[0].is.clone());
    assert_eq!((moved.len(), was, is, moved[0].since), (1, key(1), key(2), now(1).latest));
    // It moved on since somebody looked: that is not what he accepts.
    assert_eq!(pin(&mut world, 3, 3), ["alias/app"]);
    let by = Asker { uid: 0, name: "root".to_owned() };
    world.ledger.accept_aliases(&moved, &by, None, now(4).latest).unwrap();
    assert_eq!(pin(&mut world, 3, 5), ["alias/app"]);
    let moved: Vec<MovedAlias> = world.ledger.moved_aliases().unwrap();
    world.ledger.accept_aliases(&moved, &by, Some("meant so"), now(6).latest).unwrap();
    assert_eq!(pin(&mut world, 3, 7), [] as [&str; 0]);
    assert_eq!(pin(&mut world, 1, 8), ["alias/app"], "the old key is another one now");
    assert_eq!(pin(&mut world, 3, 9), [] as [&str; 0], "and back");
    assert_eq!(world.ledger.moved_aliases().unwrap(), []);
    let kinds = world.history_kinds();
    let told = ["alias-moved", "alias-moved", "alias-accepted", "alias-accepted", "alias-moved"];
    assert_eq!(kinds, [&told[..], &["alias-back"]].concat());
}

#[test]
fn what_lives_is_compared_page_by_page_and_what_is_missing_is_counted() {
    let mut world = World::new();
    let rows: Vec<i64> = (1..=3).map(|n| world.granted(n)).collect();
    let all = world.ledger.listable(world.lane.id, None).unwrap();
    assert_eq!(all.iter().map(|grant| grant.row).collect::<Vec<_>>(), rows);
    assert_eq!((&all[0].grant_id, all[0].missing), (&id("grant1"), false));
    let rest = world.ledger.listable(world.lane.id, Some((&key(1), rows[1]))).unwrap();
    assert_eq!(rest, all[2..]);
    let looked = Event::Looked { began: now(20 * MINUTE), ids: Vec::new() };
    world.ledger.step(rows[1], &looked, now(20 * MINUTE), &Note::grantd()).unwrap();
    assert_eq!(world.ledger.missing().unwrap(), 1);
    assert!(world.ledger.listable(world.lane.id, None).unwrap()[1].missing);
    world.ledger.step(rows[1], &Event::Due, now(HOUR), &Note::grantd()).unwrap();
    assert_eq!(world.ledger.missing().unwrap(), 0, "at its deadline it is ended all the same");
    assert_eq!(world.ledger.lease(reference(2).as_str()).unwrap().state, "ending");
}
