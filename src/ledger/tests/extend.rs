//! Successors: what a lease with several grants is, at each point where a crash may come.

use super::fixture::{World, id, kms, lease, listed, now, reference, verify};
use crate::fault::Kind;
use crate::ledger::{FoundGrant, LedgerError, Note, Row, Successor};
use crate::rules::life::{Class, Event, Outcome, Why};
use crate::rules::policy::Override;
use crate::rules::time::{HOUR, MINUTE, SECOND, Time};
use crate::terms::GrantRequest;
use crate::wire::{self, Asker};

impl World {
    /// A successor of the first lease, until `minutes` from the start.
    fn successor(&self, minutes: i64) -> Successor {
        let reference = reference(1);
        let rows = self.ledger.rows_of_lease(&reference).unwrap();
        let judged = self.ledger.standing(&reference, now(SECOND).latest).unwrap();
        let deadline = now(minutes * MINUTE).latest;
        let name = format!("grantd/prod/{reference}/{}/{deadline}", judged.next);
        let first = rows[0].request().unwrap().clone();
        Successor {
            lane: self.lane.clone(),
            judged,
            key: "alias/app".to_owned(),
            aliases: vec!["alias/app".to_owned()],
            request: GrantRequest { name, ..first },
            facts: *rows[0].facts(),
            deadline,
            latest: now(8 * HOUR).latest,
            policy: Some("readers".to_owned()),
            reason: None,
            asker: Asker { uid: 1000, name: "alice".to_owned() },
            overrides: Vec::new(),
            idempotency: None,
            reference,
        }
    }

    fn succeed(&mut self, minutes: i64) -> Row {
        self.ledger.succeed(&self.successor(minutes), now(SECOND)).unwrap()
    }

    /// KMS's answer to the create of `row`, at so many seconds; the rows that it ends.
    fn answered(&mut self, row: &Row, outcome: Outcome<&str>, seconds: i64) -> Vec<Row> {
        let outcome = match outcome {
            Outcome::Done(name) => Outcome::Done(id(name)),
            Outcome::Refused(class) => Outcome::Refused(class),
            Outcome::Unknown => Outcome::Unknown,
        };
        let event = Event::Created(outcome);
        self.ledger.step(row.id(), &event, now(seconds * SECOND), &kms()).unwrap().replaced
    }

    fn shown(&self) -> wire::Lease {
        self.ledger.lease(reference(1).as_str()).unwrap()
    }

    /// The lease's state and deadline, and the states of its grants.
    fn told(&self) -> String {
        let lease = self.shown();
        let grants: Vec<_> = lease.grants.iter().map(|g| g.state.as_str()).collect();
        let minutes = lease.deadline.since(now(0).latest) / MINUTE;
        format!("{} {minutes}: {}", lease.state, grants.join(" "))
    }
}

#[test]
fn a_longer_successor_leaves_the_old_grant_alone() {
    let mut world = World::new();
    let old = world.granted(1);
    let row = world.succeed(120);
    assert_eq!((row.serial(), row.facts().deadline), (2, now(120 * MINUTE).latest));
    assert_eq!(world.told(), "creating 120: active creating");
    assert!(world.answered(&row, Outcome::Done("g2"), 2).is_empty());
    assert_eq!(world.told(), "active 120: active active");
    world.ledger.step(old, &Event::Due, now(HOUR), &Note::grantd()).unwrap();
    assert_eq!(world.told(), "active 120: ending active");
    let kinds: Vec<_> = world.history_kinds();
    assert_eq!(kinds, ["requested", "granted", "extension-requested", "granted"]);
    assert_eq!(verify(&world.ledger).1, None);
}

#[test]
fn a_refused_successor_leaves_the_lease_as_it_was() {
    let mut world = World::new();
    world.granted(1);
    for minutes in [120, 30] {
        let row = world.succeed(minutes);
        world.answered(&row, Outcome::Refused(Class::Denied), 2);
    }
    assert_eq!(world.told(), "active 60: active closed closed");
    let standing = world.ledger.standing(&reference(1), now(0).latest).unwrap();
    assert_eq!((standing.next, standing.extensions), (4, 0));
}

#[test]
fn a_shorter_successor_ends_the_old_grant_in_the_commit_that_tells_of_it() {
    let mut world = World::new();
    let old = world.granted(1);
    let row = world.succeed(30);
    // A crash here: both live until their own deadlines, or the look finds the new one.
    assert_eq!(world.told(), "creating 60: active creating");
    let world = &mut world.reopen();
    let replaced = world.answered(&row, Outcome::Done("g2"), 2);
    assert_eq!(replaced.iter().map(Row::id).collect::<Vec<_>>(), [old]);
    assert_eq!(world.told(), "active 30: ending active");
    let first = &world.shown().grants[0];
    assert_eq!(first.why, Some(Why::Asked));
    assert_eq!(first.next_action_at, Some(now(2 * SECOND).latest), "at once");
    let kinds = world.history_kinds();
    let last: Vec<_> = kinds.iter().skip(2).map(String::as_str).collect();
    assert_eq!(last, ["shortening-requested", "granted", "end-asked"]);
}

#[test]
fn a_shorter_successor_that_only_a_look_shows_does_the_same() {
    let mut world = World::new();
    world.granted(1);
    let row = world.succeed(30);
    world.answered(&row, Outcome::Unknown, 2);
    world.ledger.step(row.id(), &Event::Abandoned, now(11 * SECOND), &Note::grantd()).unwrap();
    let looked = Event::Looked { began: now(20 * SECOND), ids: vec![id("g2")] };
    world.ledger.step(row.id(), &looked, now(20 * SECOND), &Note::grantd()).unwrap();
    assert_eq!(world.told(), "active 30: ending active");
}

/// Who asked for half an hour is to have it, although nobody knows what KMS made of it.
#[test]
fn an_unknown_shorter_successor_ends_the_old_grant_when_it_is_due() {
    let mut world = World::new();
    world.granted(1);
    let row = world.succeed(5);
    world.answered(&row, Outcome::Unknown, 2);
    let look = |world: &mut World, ms| {
        let looked = Event::Looked { began: now(ms), ids: Vec::new() };
        world.ledger.step(row.id(), &looked, now(ms), &Note::grantd()).unwrap();
    };
    look(&mut world, 4 * MINUTE);
    assert_eq!(world.told(), "creating 60: active creating");
    look(&mut world, 5 * MINUTE);
    assert_eq!(world.told(), "creating 5: ending creating");
}

#[test]
fn a_shorter_successor_that_never_was_leaves_the_old_deadline() {
    let mut world = World::new();
    world.granted(1);
    let row = world.succeed(30);
    world.answered(&row, Outcome::Unknown, 2);
    let looked = Event::Looked { began: now(12 * MINUTE), ids: Vec::new() };
    world.ledger.step(row.id(), &looked, now(12 * MINUTE), &Note::grantd()).unwrap();
    assert_eq!(world.told(), "active 60: active closed");
}

/// Nobody knew what became of a longer one while the old grant ended.
#[test]
fn a_longer_successor_that_never_was_leaves_the_deadline_that_was_kept() {
    let mut world = World::new();
    let old = world.granted(1);
    let row = world.succeed(120);
    world.answered(&row, Outcome::Unknown, 2);
    world.ledger.step(old, &Event::Due, now(HOUR), &Note::grantd()).unwrap();
    assert_eq!(world.told(), "creating 120: ending creating");
    let looked = Event::Looked { began: now(HOUR), ids: Vec::new() };
    world.ledger.step(row.id(), &looked, now(HOUR), &Note::grantd()).unwrap();
    assert_eq!(world.told(), "ending 60: ending closed");
}

#[test]
fn one_idempotency_key_is_one_request_over_creates_and_extensions() {
    let mut world = World::new();
    let mut first = world.lease(1);
    first.idempotency = Some(("k1".to_owned(), [1; 32]));
    let row = world.ledger.begin(&first, now(0)).unwrap();
    world.answered(&row, Outcome::Done("g1"), 0);
    let with = |world: &World, key: &str, hash| {
        let idempotency = Some((key.to_owned(), [hash; 32]));
        Successor { idempotency, ..world.successor(120) }
    };
    let taken = world.ledger.succeed(&with(&world, "k1", 2), now(SECOND)).unwrap_err();
    assert!(matches!(taken, LedgerError::Fault(f) if f.kind == Kind::IdempotencyConflict));
    let new = with(&world, "k2", 2);
    world.ledger.succeed(&new, now(SECOND)).unwrap();
    assert_eq!(world.ledger.succeed(&new, now(SECOND)), Err(LedgerError::Repeated(reference(1))));
    let known = world.ledger.by_idempotency(1000, "k2").unwrap();
    assert_eq!(known, Some(([2; 32], reference(1), 2)));
    assert_eq!(world.ledger.by_idempotency(1001, "k2").unwrap(), None);
    let mut other = lease(&world.lane, 2);
    other.idempotency = Some(("k2".to_owned(), [3; 32]));
    let conflict = world.ledger.begin(&other, now(0)).unwrap_err();
    assert!(matches!(conflict, LedgerError::Fault(f) if f.kind == Kind::IdempotencyConflict));
}

/// A freeze keeps nobody from ending sooner.
#[test]
fn a_freeze_keeps_a_lease_from_getting_longer() {
    let mut world = World::new();
    world.granted(1);
    let by = Asker { uid: 0, name: "root".to_owned() };
    let scope = wire::Scope { key: Some("alias/app".to_owned()), ..wire::Scope::default() };
    let freeze = wire::NewFreeze { scope, all: false, reason: "incident".to_owned() };
    world.ledger.freeze(&freeze, &[], &by, now(0)).unwrap();
    let frozen = world.ledger.succeed(&world.successor(120), now(SECOND)).unwrap_err();
    assert!(matches!(frozen, LedgerError::Fault(f) if f.kind == Kind::Frozen));
    world.succeed(30);
}

#[test]
fn what_was_judged_must_still_be_so() {
    let mut world = World::new();
    world.granted(1);
    let (one, two) = (world.successor(120), world.successor(180));
    let row = world.ledger.succeed(&one, now(SECOND)).unwrap();
    let busy = world.ledger.succeed(&two, now(SECOND)).unwrap_err();
    assert!(matches!(busy, LedgerError::Fault(f) if f.kind == Kind::Busy));
    world.answered(&row, Outcome::Done("g2"), 2);
    let changed = world.ledger.succeed(&two, now(SECOND)).unwrap_err();
    assert!(matches!(changed, LedgerError::Fault(f) if f.text.contains("has just changed")));
    let late = world.ledger.succeed(&world.successor(180), now(3 * HOUR)).unwrap_err();
    assert!(matches!(late, LedgerError::Fault(f) if f.kind == Kind::LeaseOver));
}

#[test]
fn only_an_override_moves_the_latest_deadline_and_the_history_says_so() {
    let mut world = World::new();
    world.granted(1);
    let latest = now(10 * HOUR).latest;
    let overrides = vec![Override::MaxExtensions, Override::MaxTtl];
    let new = Successor { latest, overrides, ..world.successor(600) };
    world.ledger.succeed(&new, now(SECOND)).unwrap();
    assert_eq!((world.shown().latest, world.shown().deadline), (latest, latest));
    let page = world.ledger.history(&wire::ListHistory::default()).unwrap();
    let body = &page.items.last().unwrap().body;
    assert_eq!(body["admin-override"], serde_json::json!(["max-extensions", "max-ttl"]));
    assert_eq!(page.items.last().unwrap().actor, "uid 1000 (alice)");
}

/// What KMS lists of a lease after two extensions, from the Names alone.
fn names(world: &World, serial: u32, minutes: i64) -> FoundGrant {
    let (deadline, created) =
        (now(minutes * MINUTE).latest, Time(now(0).latest.0 + i64::from(serial)));
    let found = listed(&world.lease(1), &format!("g{serial}"));
    let name = format!("grantd/prod/{}/{serial}/{deadline}", found.reference);
    FoundGrant { serial, deadline, name, created, ..found }
}

#[test]
fn a_lost_ledger_finds_one_lease_with_all_its_grants() {
    for order in [[1, 2], [2, 1]] {
        let mut world = World::new();
        for serial in order {
            let found = names(&world, serial, 60 * i64::from(serial));
            world.ledger.find(&found, now(SECOND)).unwrap();
        }
        assert_eq!(world.told(), "active 120: active active", "{order:?}");
        assert_eq!(world.shown().started_at, names(&world, 1, 60).created);
    }
}

/// The host that shortened a lease ended the old grant, and its history says who asked. A Name
/// alone says nothing of that: where the ledger was lost before, the old grant ends at its own
/// deadline.
#[test]
fn a_lost_ledger_ends_no_grant_for_a_shortening_that_only_names_tell_of() {
    for order in [[1, 2], [2, 1]] {
        let mut world = World::new();
        for serial in order {
            let found = names(&world, serial, 60 / i64::from(serial));
            world.ledger.find(&found, now(SECOND)).unwrap();
        }
        assert_eq!(world.told(), "active 60: active active", "{order:?}");
    }
}

#[test]
fn a_rolled_back_ledger_takes_up_what_was_made_since_and_keeps_its_deadline() {
    let mut world = World::new();
    world.granted(1);
    for (serial, minutes, told) in
        [(2, 120, "active 60: active active"), (3, 20, "active 60: active active active")]
    {
        let found = names(&world, serial, minutes);
        world.ledger.find(&found, now(SECOND)).unwrap();
        assert_eq!(world.told(), told);
    }
}
