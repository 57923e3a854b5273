use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::ids::{AccountId, GrantId, KeyArn, Principal, Ref, Region};
use crate::ledger::{FoundGrant, LaneFacts, Ledger, NewLease, Note, Sighting};
use crate::rng::OsRng;
use crate::rules::life::{EndOrder, Event, Origin, Outcome};
use crate::rules::time::{HOUR, Now, SECOND};
use crate::terms::{Constraints, GrantRequest, Operation};

const KEYS: [&str; 2] = ["a", "b"];

fn key(name: &str) -> KeyArn {
    KeyArn::parse(format!("arn:aws:kms:eu-west-1:111122223333:key/{name}")).unwrap()
}

fn at(ms: i64) -> Now {
    Now { latest: Time(ms), least: Time(ms) }
}

fn begin(books: &mut Ledger, name: &str, deadline: i64) -> Row {
    let role = Principal::parse("arn:aws:iam::111122223333:role/grantd").unwrap();
    let facts = LaneFacts {
        account: AccountId::parse("111122223333").unwrap(),
        region: Region::parse("eu-west-1").unwrap(),
        role_arn: Some(role.clone()),
        external_id: None,
        endpoint: None,
        retiring_principal: role.clone(),
        ways: crate::kms::Ways::default(),
    };
    let lane: Arc<_> = books.lane(&facts).unwrap();
    let reference = Ref::random(&OsRng);
    let new = NewLease {
        request: GrantRequest {
            key_arn: key(name),
            grantee: role.clone(),
            operations: vec![Operation::Decrypt],
            retiring_principal: role,
            constraints: Constraints::None,
            name: format!("grantd/x/{reference}/1/{}", Time(deadline)),
        },
        reference,
        lane,
        origin: Origin::Asked,
        key: name.to_owned(),
        policy: None,
        reason: None,
        asker: None,
        idempotency: None,
        held: false,
        aliases: Vec::new(),
        started_at: Time(0),
        deadline: Time(deadline),
        latest: Time(deadline),
        lead_ms: 0,
        max_live: None,
        settle: 0,
        order: EndOrder::Retire,
    };
    books.begin(&new, at(0)).unwrap()
}

/// A row whose end is due at `deadline`.
fn active(books: &mut Ledger, name: &str, deadline: i64) -> Row {
    let row = begin(books, name, deadline);
    let id = GrantId::parse(row.reference().as_str()).unwrap();
    let event = Event::Created(Outcome::Done(id));
    books.step(row.id(), &event, at(1), &Note::grantd()).unwrap().row
}

fn agenda(cap: usize) -> (Agenda, Ledger, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let (books, _) = Ledger::open(Path::new(dir.path())).unwrap();
    let mut agenda = Agenda::new(cap);
    agenda.reach(Time(HOUR));
    (agenda, books, dir)
}

fn first(agenda: &Agenda, now: i64) -> Option<Time> {
    let lane = 1;
    agenda.first(Act::End, lane, Time(now), |_| false).map(|row| row.facts().deadline)
}

#[test]
fn rows_come_by_time_and_none_before_its_time() {
    let (mut agenda, mut books, _dir) = agenda(10);
    for seconds in [30, 10, 20] {
        agenda.put(active(&mut books, KEYS[0], seconds * SECOND));
    }
    assert_eq!(agenda.next_after(Time(0)), Some(Time(10 * SECOND)));
    assert_eq!(first(&agenda, 9 * SECOND), None);
    assert_eq!(first(&agenda, 40 * SECOND), Some(Time(10 * SECOND)));
}

#[test]
fn a_full_agenda_lets_go_of_what_is_due_last() {
    let (mut agenda, mut books, _dir) = agenda(2);
    for seconds in [20, 30, 10] {
        agenda.put(active(&mut books, KEYS[0], seconds * SECOND));
    }
    assert_eq!(agenda.len(), 2);
    assert_eq!(first(&agenda, 60 * SECOND), Some(Time(10 * SECOND)));
    agenda.put(active(&mut books, KEYS[0], 40 * SECOND));
    let due = agenda.due(Act::End, 1, Time(60 * SECOND)).count();
    assert_eq!(due, 2, "what is due later than all finds no room");
}

#[test]
fn a_claimed_row_is_nobody_elses_until_it_is_released() {
    let (mut agenda, mut books, _dir) = agenda(10);
    let row = active(&mut books, KEYS[0], SECOND);
    let id = row.id();
    agenda.put(row.clone());
    assert!(agenda.claim(id) && !agenda.claim(id));
    assert_eq!((first(&agenda, HOUR), agenda.next_after(Time(0))), (None, None));
    agenda.put(row);
    assert_eq!(first(&agenda, HOUR), None, "put while it is worked on");
    agenda.release(id);
    assert_eq!(first(&agenda, HOUR), Some(Time(SECOND)));
}

#[test]
fn what_waits_is_stepped_over_and_what_lies_beyond_is_not_held() {
    let (mut agenda, mut books, _dir) = agenda(10);
    agenda.put(active(&mut books, KEYS[0], SECOND));
    agenda.put(active(&mut books, KEYS[1], 2 * SECOND));
    agenda.put(active(&mut books, KEYS[1], 2 * HOUR));
    assert_eq!(agenda.len(), 2);
    let shut = |row: &Row| *row.key_arn() == key(KEYS[0]);
    let row = agenda.first(Act::End, 1, Time(HOUR), shut).unwrap();
    assert_eq!(*row.key_arn(), key(KEYS[1]));
}

#[test]
fn what_is_tried_again_comes_after_what_is_fresh() {
    let (mut agenda, mut books, _dir) = agenda(10);
    let old = active(&mut books, KEYS[0], SECOND);
    books.step(old.id(), &Event::Due, at(SECOND), &Note::grantd()).unwrap();
    let tried = books.step(old.id(), &Event::Sending, at(SECOND), &Note::grantd()).unwrap().row;
    agenda.put(tried);
    agenda.put(active(&mut books, KEYS[0], 5 * SECOND));
    assert_eq!(first(&agenda, HOUR), Some(Time(5 * SECOND)));
}

#[test]
fn a_look_is_held_and_an_end_is_not() {
    let (mut agenda, mut books, _dir) = agenda(10);
    let looked = begin(&mut books, KEYS[0], HOUR);
    let id = looked.id();
    agenda.put(looked);
    agenda.hold(id, Time(30 * 60 * SECOND));
    assert_eq!(agenda.next_after(Time(0)), Some(Time(30 * 60 * SECOND)));
    let event = Event::Created(Outcome::Done(GrantId::parse("late").unwrap()));
    let late = at(HOUR);
    agenda.put(books.step(id, &event, late, &Note::grantd()).unwrap().row);
    assert_eq!(agenda.next_after(Time(0)), Some(Time(HOUR)));
}

#[test]
fn thousands_that_a_person_ends_at_once_give_way_to_a_deadline() {
    let (mut agenda, mut books, _dir) = agenda(2);
    for _ in 0..3 {
        let row = active(&mut books, KEYS[0], HOUR);
        let end = Event::End(Why::Asked);
        agenda.put(books.step(row.id(), &end, at(SECOND), &Note::grantd()).unwrap().row);
    }
    assert_eq!((agenda.len(), agenda.next_after(Time(0))), (2, Some(Time(SECOND))));
    for seconds in [30, 20, 10] {
        agenda.put(active(&mut books, KEYS[1], seconds * SECOND));
    }
    let due: Vec<_> =
        agenda.due(Act::End, 1, Time(HOUR)).map(|row| row.key_arn().clone()).collect();
    assert_eq!(due, [key(KEYS[1]), key(KEYS[1])]);
    assert_eq!(agenda.next_after(Time(0)), Some(Time(10 * SECOND)));
}

/// A grant of another host, or of whoever forged its Name.
fn found(books: &mut Ledger, name: &str, role: &str, deadline: i64) -> Row {
    let lane = begin(books, name, HOUR).lane().clone();
    let reference = Ref::random(&OsRng);
    let grantee = format!("arn:aws:iam::111122223333:role/{role}");
    let found = FoundGrant {
        serial: 1,
        deadline: Time(deadline),
        name: format!("grantd/x/{reference}/1/{}", Time(deadline)),
        lane,
        key_arn: key(name),
        grant_id: GrantId::parse(reference.as_str()).unwrap(),
        grantee: Principal::parse(grantee).unwrap(),
        operations: vec![Operation::Decrypt],
        constraints: Constraints::None,
        understood: true,
        created: Time(0),
        began: at(1),
        policy: None,
        alone: false,
        settle: 0,
        order: EndOrder::Retire,
        reference,
    };
    match books.find(&found, at(1)).unwrap() {
        Sighting::Taken { row, .. } => *row,
        other @ (Sighting::Early | Sighting::Known { .. }) => panic!("{other:?}"),
    }
}

/// A thousand on one key, for two grantees, and a dead host's on another key: each key has every
/// second turn, and each grantee of a key every second of its turns.
#[test]
fn what_was_only_found_ends_in_turn_by_key_then_by_grantee() {
    let (mut agenda, mut books, _dir) = agenda(100);
    for n in 0..6 {
        agenda.put(found(&mut books, KEYS[0], ["Eve", "Mallory"][n % 2], SECOND));
    }
    agenda.put(found(&mut books, KEYS[0], "Eve", SECOND));
    for _ in 0..2 {
        agenda.put(found(&mut books, KEYS[1], "RoleB", 9 * SECOND));
    }
    let mut served = Vec::new();
    loop {
        let next = agenda.ends(1, Part::Found, Time(HOUR)).next().cloned();
        let Some(row) = next else { break };
        agenda.claim(row.id());
        agenda.served(&row);
        served.push(row.grantee().short().to_owned());
    }
    let expected = ["Eve", "RoleB", "Mallory", "RoleB", "Eve", "Mallory", "Eve", "Mallory", "Eve"];
    assert_eq!(served, expected);
}

#[test]
fn what_was_only_found_gives_way_to_ours_and_comes_after_it() {
    let (mut agenda, mut books, _dir) = agenda(2);
    for _ in 0..3 {
        agenda.put(found(&mut books, KEYS[0], "Eve", SECOND));
    }
    assert_eq!(agenda.len(), 2);
    let ours = active(&mut books, KEYS[1], HOUR);
    agenda.put(ours.clone());
    let due: Vec<Row> = agenda.due(Act::End, 1, Time(HOUR)).cloned().collect();
    assert_eq!((due.len(), &due[0]), (2, &ours));
    assert_eq!(agenda.ends(1, Part::Due, Time(HOUR)).next(), Some(&ours));
    // A person may end a found one now: it goes with what is asked for.
    let end = Event::End(Why::Asked);
    let asked = books.step(due[1].id(), &end, at(SECOND), &Note::grantd()).unwrap().row;
    agenda.put(asked.clone());
    assert_eq!(agenda.ends(1, Part::Urgent, Time(HOUR)).next(), Some(&asked));
    assert_eq!(agenda.ends(1, Part::Found, Time(HOUR)).next(), None);
}
