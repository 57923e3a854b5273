//! What is frozen is not recorded, and so not sent.

use super::fixture::{World, key, now, verify};
use crate::fault::Kind;
use crate::ledger::{LedgerError, NewLease};
use crate::rules::life::Origin;
use crate::wire::{Asker, ListHistory, NewFreeze, Scope};

fn by() -> Asker {
    Asker { uid: 7, name: "root".to_owned() }
}

fn on_key(text: &str) -> NewFreeze {
    let scope = Scope { key: Some(text.to_owned()), ..Scope::default() };
    NewFreeze { scope, all: false, reason: "incident 12".to_owned() }
}

fn is_frozen(world: &mut World, lease: &NewLease) -> bool {
    match world.ledger.begin(lease, now(0)) {
        Ok(_) => false,
        Err(LedgerError::Fault(fault)) if fault.kind == Kind::Frozen => {
            let told = "uid 7 (root) has frozen key alias/other since 2026-";
            assert!(fault.text.starts_with(told), "{fault}");
            assert!(fault.text.ends_with(": incident 12 (freeze 1)"), "{fault}");
            true
        }
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn no_lease_is_recorded_that_a_freeze_fits_until_it_is_lifted() {
    let mut world = World::new();
    let freeze = world.ledger.freeze(&on_key("alias/other"), &[], &by(), now(0)).unwrap();
    let mut world = world.reopen();
    assert_eq!(world.ledger.freezes().unwrap(), std::slice::from_ref(&freeze));
    let mut lease = world.lease(1);
    assert!(!is_frozen(&mut world, &lease), "another key");
    lease = world.lease(2);
    lease.aliases = vec!["alias/app".to_owned(), "alias/other".to_owned()];
    assert!(is_frozen(&mut world, &lease), "the same key by another name");
    lease.origin = Origin::Probe;
    assert!(!is_frozen(&mut world, &lease), "a proof gives nobody access");
    let lifted = world.ledger.lift(freeze.id, &by(), Some("over"), now(1)).unwrap();
    assert_eq!(lifted, freeze);
    let mut lease = world.lease(3);
    lease.aliases = vec!["alias/other".to_owned()];
    assert!(!is_frozen(&mut world, &lease));
    let gone = world.ledger.lift(freeze.id, &by(), None, now(2)).unwrap_err();
    assert!(matches!(&gone, LedgerError::Fault(f) if f.kind == Kind::FreezeUnknown), "{gone:?}");
    let again = world.ledger.freeze(&on_key(key(1).as_str()), &[], &by(), now(3)).unwrap();
    assert_eq!(again.id, freeze.id + 1, "a number is never used again");
    let history = world.ledger.history(&ListHistory::default()).unwrap().items;
    let told: Vec<(&str, &str)> = history
        .iter()
        .filter(|row| row.reference.is_none())
        .map(|row| (row.kind.as_str(), row.actor.as_str()))
        .collect();
    let root = "uid 7 (root)";
    assert_eq!(told, [("frozen", root), ("unfrozen", root), ("frozen", root)]);
    assert_eq!(verify(&world.ledger).1, None);
}

#[test]
fn a_frozen_alias_that_is_moved_lets_its_key_not_go() {
    let mut world = World::new();
    world.ledger.freeze(&on_key("alias/other"), &[key(1)], &by(), now(0)).unwrap();
    let mut world = world.reopen();
    assert_eq!(world.ledger.freezes().unwrap()[0].keys, [key(1)]);
    let lease = world.lease(1);
    assert_eq!((&lease.request.key_arn, lease.aliases.len()), (&key(1), 0));
    assert!(is_frozen(&mut world, &lease));
}

#[test]
fn there_are_so_many_and_no_more() {
    let mut world = World::new();
    for n in 0..100 {
        world.ledger.freeze(&on_key(&format!("alias/k{n}")), &[], &by(), now(n)).unwrap();
    }
    let full = world.ledger.freeze(&on_key("alias/k100"), &[], &by(), now(100)).unwrap_err();
    assert!(matches!(&full, LedgerError::Fault(f) if f.kind == Kind::Busy), "{full:?}");
    assert_eq!(world.ledger.freezes().unwrap().len(), 100);
}
