//! A lease from its birth to its closing, with a restart after every step.

use super::fixture::{SETTLE, World, id, kms, now, reference, verify};
use crate::fault::Kind;
use crate::ledger::{LedgerError, Note, Row};
use crate::rules::life::{Event, How, Outcome, State, Why};
use crate::rules::time::{HOUR, SECOND};

/// Step, and see that a restart finds exactly what the step gave.
fn through(mut world: World, grant: i64, event: &Event, at: i64) -> (World, Row) {
    let stepped = world.ledger.step(grant, event, now(at), &kms()).unwrap();
    assert_eq!(stepped.twins, []);
    let world = world.reopen();
    let row = world.ledger.row(grant).unwrap();
    assert_eq!(row, stepped.row);
    assert_eq!(verify(&world.ledger).1, None);
    (world, row)
}

#[test]
fn a_lease_lives_through_a_restart_at_every_step() {
    let mut world = World::new();
    let new = world.lease(7);
    let row = world.ledger.begin(&new, now(0)).unwrap();
    let grant = row.id();
    let world = world.reopen();
    assert_eq!(world.ledger.row(grant).unwrap(), row);
    assert_eq!(row.request(), Some(&new.request));
    assert!(row.warrant().is_none(), "no grant is named yet");

    let (world, row) = through(world, grant, &Event::Created(Outcome::Done(id("a1"))), 200);
    assert_eq!(row.life().state.word(), "active");
    let due = HOUR - 5 * SECOND;
    let (world, _) = through(world, grant, &Event::Due, due);
    let (world, row) = through(world, grant, &Event::Sending, due + 10);
    assert_eq!(row.warrant().unwrap().id(), &id("a1"));
    let (world, _) = through(world, grant, &Event::Answered(Outcome::Done(())), due + 300);
    let gone = Event::Looked { began: now(due + SETTLE), ids: vec![] };
    let (mut world, row) = through(world, grant, &gone, due + SETTLE);
    assert!(matches!(row.life().state, State::Closed { how: How::Retired, .. }), "{row:?}");

    let lease = world.ledger.lease(new.reference.as_str()).unwrap();
    assert_eq!((lease.state.as_str(), lease.grants.len()), ("closed", 1));
    assert_eq!(lease.closed_at, Some(now(due + SETTLE).latest));
    // What a closed state no longer holds is still shown.
    let shown = &lease.grants[0];
    assert_eq!(shown.grant_id, Some(id("a1")));
    assert_eq!(shown.issued_at, Some(now(due + 10).latest));
    assert_eq!(shown.accepted_at, Some(now(due + 300).latest));
    assert_eq!(shown.gone_at, Some(now(due + SETTLE).latest));
    assert_eq!(world.ledger.counts().unwrap(), [("closed".to_owned(), 1)].into());
    let again = world.ledger.step(grant, &Event::Sending, now(due), &kms());
    assert!(matches!(again, Err(LedgerError::Illegal(_))), "{again:?}");
}

#[test]
fn the_history_says_who_why_and_what_kms_answered() {
    let mut world = World::new();
    let grant = world.granted(1);
    let note = Note::person(1000, "alice", Some("done early".to_owned()));
    let ended = world.ledger.end_lease(&reference(1), Why::Asked, now(500), &note).unwrap();
    assert_eq!(ended[0].life().state.word(), "ending");
    world.ledger.step(grant, &Event::Sending, now(600), &Note::grantd()).unwrap();
    let list = crate::wire::ListHistory {
        reference: Some(reference(1).to_string()),
        ..Default::default()
    };
    let page = world.ledger.history(&list).unwrap();
    let kinds: Vec<_> =
        page.items.iter().map(|row| (row.kind.as_str(), row.actor.as_str())).collect();
    let alice = "uid 1000 (alice)";
    let expected =
        [("requested", alice), ("granted", "kms"), ("end-asked", alice), ("end-issued", "grantd")];
    assert_eq!(kinds, expected);
    let asked = &page.items[0].body;
    assert_eq!(asked["policy"], "readers");
    assert_eq!(asked["reason"], "a look at the logs");
    assert_eq!(asked["grantee"], "arn:aws:iam::111122223333:role/Role1");
    assert_eq!(asked["operations"], serde_json::json!(["Decrypt", "DescribeKey"]));
    let granted = &page.items[1].body;
    assert_eq!(
        (&granted["detail"], &granted["request-id"]),
        (&"said so".into(), &"request-1".into())
    );
    assert_eq!(page.items[2].body["detail"], "done early");
}

#[test]
fn a_begin_that_fails_leaves_nothing() {
    let mut world = World::new();
    world.ledger.begin(&world.lease(1), now(0)).unwrap();
    let (head, counts) = (world.ledger.head().unwrap(), world.ledger.counts().unwrap());

    // The same ref again: refused by the schema after the lease's columns were written.
    let twice = world.ledger.begin(&world.lease(1), now(0));
    assert!(matches!(twice, Err(LedgerError::Sql(_))), "{twice:?}");
    // At the deadline nothing may be sent any more.
    let late = world.ledger.begin(&world.lease(2), now(HOUR));
    assert!(matches!(late, Err(LedgerError::Illegal(_))), "{late:?}");
    // The lease fits, its grant does not.
    let mut bad = world.lease(3);
    bad.settle = -1;
    assert!(world.ledger.begin(&bad, now(0)).is_err());

    assert_eq!(world.ledger.head().unwrap(), head);
    assert_eq!(world.ledger.counts().unwrap(), counts);
    for n in [2, 3] {
        let gone = world.ledger.lease(reference(n).as_str()).unwrap_err();
        assert!(matches!(gone, LedgerError::Fault(f) if f.kind == Kind::RefUnknown));
    }
}

#[test]
fn an_idempotency_key_makes_one_lease_per_user() {
    let mut world = World::new();
    let mut new = world.lease(1);
    new.idempotency = Some(("k".to_owned(), [1; 32]));
    world.ledger.begin(&new, now(0)).unwrap();
    let mut world = world.reopen();
    assert_eq!(world.ledger.by_idempotency(1000, "k").unwrap(), Some(([1; 32], reference(1), 1)));
    assert_eq!(world.ledger.by_idempotency(1001, "k").unwrap(), None);

    new.reference = reference(2);
    assert_eq!(world.ledger.begin(&new, now(1)), Err(LedgerError::Repeated(reference(1))));
    new.idempotency = Some(("k".to_owned(), [2; 32]));
    let other = world.ledger.begin(&new, now(1)).unwrap_err();
    assert!(matches!(other, LedgerError::Fault(f) if f.kind == Kind::IdempotencyConflict));
    new.asker.as_mut().unwrap().uid = 1001;
    world.ledger.begin(&new, now(1)).unwrap();
}

#[test]
fn a_second_grant_under_one_name_is_ended_at_once_and_only_once() {
    let mut world = World::new();
    let grant = world.granted(1);
    let look = Event::Looked { began: now(300), ids: vec![id("grant1"), id("other")] };
    let stepped = world.ledger.step(grant, &look, now(300), &kms()).unwrap();
    let [twin] = &stepped.twins[..] else { panic!("{:?}", stepped.twins) };
    assert_eq!((twin.serial(), twin.twin(), twin.life().state.word()), (1, 1, "ending"));
    assert_eq!(twin.life().next.unwrap().at, now(300).latest);
    assert_eq!(twin.warrant().unwrap().id(), &id("other"));
    let again = world.ledger.step(grant, &look, now(400), &kms()).unwrap();
    assert_eq!(again.twins, []);
    // Seen from the twin, the first grant is no twin either: it has its row.
    let twin = twin.id();
    let again = world.ledger.step(twin, &look, now(500), &kms()).unwrap();
    assert_eq!(again.twins, []);
    assert_eq!(world.ledger.lease("g-").unwrap().grants.len(), 2);
}

/// "Closing was right by all we know": a grant that shows up all the same gets a row that ends it,
/// and a listing older than the closing proves nothing.
#[test]
fn a_grant_that_comes_back_after_its_closing_is_ended_by_a_new_row() {
    let mut world = World::new();
    let row = world.ledger.begin(&world.lease(1), now(0)).unwrap();
    let none = Event::Looked { began: now(SETTLE), ids: vec![] };
    let stepped = world.ledger.step(row.id(), &none, now(SETTLE), &kms()).unwrap();
    assert!(stepped.lease_closed, "{stepped:?}");

    let event = Event::Looked { began: now(SETTLE + SECOND), ids: vec![id("late")] };
    let stepped = world.ledger.step(row.id(), &event, now(SETTLE + 2 * SECOND), &kms()).unwrap();
    assert_eq!((stepped.twins.len(), stepped.lease_closed), (1, false));
    let lease = world.ledger.lease(row.reference().as_str()).unwrap();
    assert_eq!((lease.state.as_str(), lease.closed_at), ("ending", None));
    assert_eq!(lease.grants[0].state, "closed", "a closed row stays closed");

    let twin = stepped.twins[0].id();
    let end = 2 * SETTLE;
    world.ledger.step(twin, &Event::Sending, now(end), &kms()).unwrap();
    world.ledger.step(twin, &Event::Answered(Outcome::Done(())), now(end + 1), &kms()).unwrap();
    let gone = Event::Looked { began: now(end + 2), ids: vec![] };
    assert!(world.ledger.step(twin, &gone, now(end + 2), &kms()).unwrap().lease_closed);
    let stale = world.ledger.step(row.id(), &event, now(end + 3), &kms()).unwrap();
    assert_eq!(stale.twins, []);
}
