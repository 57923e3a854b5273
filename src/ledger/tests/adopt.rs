//! Grants of others: held, taken up, braked and let go on.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use rusqlite::Connection;

use super::fixture::{World, grantee, id, key, now, reference, verify};
use crate::config::Brake;
use crate::ledger::open::MIGRATIONS;
use crate::ledger::{AdoptedGrant, Adopting, LedgerError, Note, Passage, Row, Stepped, Waiting};
use crate::rules::brake::{AGAIN, WINDOW};
use crate::rules::life::{Act, Class, Event, Next, Origin, State, Via, Why};
use crate::rules::time::{HOUR, MINUTE, SECOND};
use crate::terms::{Constraints, Operation};
use crate::wire::{AdoptionHold, Asker};

const BRAKE: Brake = Brake { count: 2, percent: 10 };

fn policies(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn asker() -> Asker {
    Asker { uid: 0, name: "root".to_owned() }
}

/// The n-th grant that somebody else made on key 1; it is to end in an hour.
fn theirs(world: &World, n: u64) -> AdoptedGrant {
    AdoptedGrant {
        fit: crate::rules::foreign::Fit::supposed(),
        reference: reference(n),
        lane: std::sync::Arc::clone(&world.lane),
        key_arn: key(1),
        grant_id: id(&format!("theirs{n}")),
        name: "ttl:2h".to_owned(),
        grantee: grantee(1),
        operations: vec![Operation::Decrypt],
        constraints: Constraints::None,
        issuer: "111122223333".to_owned(),
        created: Some(now(-HOUR).latest),
        began: now(0),
        policy: "readers".to_owned(),
        deadline: now(HOUR).latest,
        latest: now(7 * HOUR).latest,
        lead: 0,
        settle: super::fixture::SETTLE,
        notes: vec!["as its Name says".to_owned()],
        by: None,
    }
}

/// A world whose policy is resumed, with `n` adopted leases.
fn adopted(n: u64) -> (World, Vec<Row>) {
    let mut world = World::new();
    world.ledger.enforce(&policies(&["readers"]), now(0)).unwrap();
    let holds = world.ledger.holds(now(0).latest).unwrap();
    world.ledger.resume(&holds, &asker(), None, now(0)).unwrap();
    let mut rows = Vec::new();
    for i in 1..=n {
        let new = theirs(&world, i);
        match world.ledger.adopt(&new, now(0)).unwrap() {
            Adopting::Taken(row) => rows.push(*row),
            other @ (Adopting::Known | Adopting::Held) => panic!("{other:?}"),
        }
    }
    (world, rows)
}

fn let_end(world: &mut World, row: &Row, at: i64) -> Passage {
    let mut asked = None;
    let passage = world.ledger.let_end(
        row.id(),
        |policy| {
            asked = policy.map(str::to_owned);
            BRAKE
        },
        now(at),
    );
    assert!(asked.is_none_or(|policy| policy == "readers"));
    passage.unwrap()
}

#[test]
fn nothing_is_adopted_before_its_policy_is_resumed() {
    let mut world = World::new();
    let new = theirs(&world, 1);
    assert_eq!(world.ledger.adopt(&new, now(0)).unwrap(), Adopting::Held, "it does not enforce");
    assert_eq!(world.ledger.enforce(&policies(&["readers"]), now(0)).unwrap(), ["readers"]);
    assert_eq!(world.ledger.enforce(&policies(&["readers"]), now(1)).unwrap(), [] as [&str; 0]);
    let mut world = world.reopen();
    assert_eq!(world.ledger.adopt(&new, now(1)).unwrap(), Adopting::Held);
    let holds = world.ledger.holds(now(1).latest).unwrap();
    let hold = AdoptionHold {
        policy: Some("readers".to_owned()),
        key_arn: None,
        since: now(0).latest,
        grants: 0,
    };
    assert_eq!(holds, [hold]);
    world.ledger.resume(&holds, &asker(), Some("looked"), now(2)).unwrap();
    assert_eq!(world.ledger.holds(now(2).latest).unwrap(), []);
    let Adopting::Taken(row) = world.ledger.adopt(&new, now(3)).unwrap() else { panic!() };
    assert_eq!((row.facts().origin, row.life().state.word()), (Origin::Adopted, "active"));
    assert_eq!(row.life().next, Some(Next { act: Act::End, at: new.deadline }));
    assert_eq!(world.ledger.adopt(&new, now(4)).unwrap(), Adopting::Known);

    // It is a lease like any other, and stays one when its policy adopts no more.
    let lease = world.ledger.lease(reference(1).as_str()).unwrap();
    assert_eq!((lease.origin, lease.deadline), (Origin::Adopted, new.deadline));
    assert_eq!((lease.asker, lease.policy.as_deref()), (None, Some("readers")));
    world.ledger.enforce(&policies(&[]), now(5)).unwrap();
    assert_eq!(world.ledger.lease(reference(1).as_str()).unwrap().state, "active");
    // Once more it is held once more.
    assert_eq!(world.ledger.enforce(&policies(&["readers"]), now(6)).unwrap(), ["readers"]);
    assert_eq!(world.ledger.adopt(&theirs(&world, 2), now(7)).unwrap(), Adopting::Held);
    let kinds = world.history_kinds();
    let told = ["adoption-held", "adoption-resumed", "adopted", "adopts-no-more", "adoption-held"];
    assert_eq!(kinds, told);
    assert_eq!(verify(&world.ledger), (5, None));
}

/// Else each pass would break off at what the ledger has long had, and begin anew within seconds.
#[test]
fn a_full_disk_keeps_out_only_what_would_be_written() {
    let (mut world, _) = adopted(1);
    world.ledger.full_flag().store(true, Ordering::Relaxed);
    let known = theirs(&world, 1);
    assert_eq!(world.ledger.adopt(&known, now(1)).unwrap(), Adopting::Known);
    let held = AdoptedGrant { policy: "another".to_owned(), ..theirs(&world, 2) };
    assert_eq!(world.ledger.adopt(&held, now(1)).unwrap(), Adopting::Held);
    let new = theirs(&world, 3);
    assert_eq!(world.ledger.adopt(&new, now(1)), Err(LedgerError::Full));
}

#[test]
fn an_adopted_grant_is_revoked_and_closes_as_gone_where_its_maker_was_first() {
    let (mut world, rows) = adopted(2);
    let due = world.ledger.step(rows[0].id(), &Event::Due, now(HOUR), &Note::grantd()).unwrap();
    let State::Ending { via, why, .. } = due.row.life().state else { panic!("{due:?}") };
    assert_eq!((via, why), (Via::Revoke, Why::Deadline));
    // A denial turns it to no other way: we are not its retiring principal.
    let step = |world: &mut World, row: &Row, event: &Event| -> Stepped {
        world.ledger.step(row.id(), event, now(HOUR + SECOND), &Note::grantd()).unwrap()
    };
    step(&mut world, &due.row, &Event::Sending);
    let denied = Event::Answered(crate::rules::life::Outcome::Refused(Class::Denied));
    let after = step(&mut world, &due.row, &denied).row;
    assert!(matches!(after.life().state, State::Ending { via: Via::Revoke, .. }), "{after:?}");
}

#[test]
fn a_brake_lets_so_many_pass_in_a_day_and_each_but_once() {
    let (mut world, rows) = adopted(5);
    assert_eq!(let_end(&mut world, &rows[0], HOUR), Passage::Free);
    assert_eq!(let_end(&mut world, &rows[0], HOUR), Passage::Free, "it counts once");
    assert_eq!(let_end(&mut world, &rows[1], HOUR), Passage::Free);
    let Passage::Braked(row, 2) = let_end(&mut world, &rows[2], HOUR) else { panic!() };
    let put_off = Next { act: Act::End, at: now(HOUR).latest.plus(AGAIN) };
    assert_eq!((row.life().next, row.life().state.word()), (Some(put_off), "active"));
    // A restart, and a day, change nothing about what is held; what was let pass stays so.
    let mut world = world.reopen();
    let later = HOUR + 2 * WINDOW;
    assert!(matches!(let_end(&mut world, &rows[3], later), Passage::Held(_)));
    assert_eq!(let_end(&mut world, &rows[1], later), Passage::Free);
    let holds = world.ledger.holds(now(later).latest).unwrap();
    assert_eq!((holds.len(), holds[0].key_arn.clone(), holds[0].grants), (1, Some(key(1)), 5));
    // Resumed, the rows are due at once, and ends count anew.
    world.ledger.resume(&holds, &asker(), None, now(later)).unwrap();
    for row in &rows {
        let next = world.ledger.row(row.id()).unwrap().life().next;
        assert_eq!(next, Some(Next { act: Act::End, at: now(HOUR).latest }), "{row:?}");
    }
    assert_eq!(let_end(&mut world, &rows[2], later), Passage::Free);
    assert_eq!(let_end(&mut world, &rows[3], later), Passage::Free);
    assert!(matches!(let_end(&mut world, &rows[4], later), Passage::Braked(_, 2)));
}

#[test]
fn ends_are_forgotten_after_a_day_by_the_least_clock() {
    let (mut world, rows) = adopted(4);
    assert_eq!(let_end(&mut world, &rows[0], HOUR), Passage::Free);
    assert_eq!(let_end(&mut world, &rows[1], HOUR), Passage::Free);
    let ahead = crate::rules::time::Now { latest: now(9 * WINDOW).latest, least: now(HOUR).latest };
    let passage = world.ledger.let_end(rows[2].id(), |_| BRAKE, ahead).unwrap();
    assert!(matches!(passage, Passage::Braked(..)), "one clock that is ahead forgets nothing");

    let (mut world, rows) = adopted(4);
    assert_eq!(let_end(&mut world, &rows[0], HOUR), Passage::Free);
    assert_eq!(let_end(&mut world, &rows[1], HOUR + MINUTE), Passage::Free);
    assert_eq!(let_end(&mut world, &rows[2], HOUR + WINDOW + 1), Passage::Free);
    assert!(matches!(let_end(&mut world, &rows[3], HOUR + WINDOW + 2), Passage::Braked(_, 2)));
}

#[test]
fn a_brake_goes_by_the_share_of_the_key_s_grants_where_that_is_more() {
    let (mut world, rows) = adopted(4);
    let census = crate::ledger::Census { grants: 30, seen_at: now(0).latest };
    world.ledger.set_census(&key(1), census).unwrap();
    for row in &rows[..3] {
        assert_eq!(let_end(&mut world, row, HOUR), Passage::Free);
    }
    assert!(matches!(let_end(&mut world, &rows[3], HOUR), Passage::Braked(_, 3)));
}

#[test]
fn what_adopted_grants_wait_for_keeps_out_none_of_ours_nor_the_other_way_round() {
    let (mut world, theirs) = adopted(3);
    let ours = world.granted(7);
    let (lane, until) = (world.lane.id, now(3 * HOUR).latest);
    let ids = |world: &World, what: &Waiting| {
        let rows = world.ledger.ahead_beside_stalls(until, 10, now(0).latest).unwrap();
        let one = world.ledger.one_of(lane, what, until).unwrap().map(|row| row.id());
        (rows.iter().map(Row::id).collect::<BTreeSet<_>>(), one)
    };
    let adopted: BTreeSet<i64> = theirs.iter().map(Row::id).collect();
    let denied = Class::Denied;
    let (from, to) = (now(0).latest, now(1).latest);
    let what = Waiting::Adopted(key(1));
    world.ledger.set_stall(lane, &what, denied, from, to, "no").unwrap();
    assert_eq!(ids(&world, &what), (BTreeSet::from([ours]), adopted.first().copied()));
    assert!(world.ledger.clear_stall(lane, &what).unwrap());
    let what = Waiting::Key(key(1));
    world.ledger.set_stall(lane, &what, denied, from, to, "no").unwrap();
    assert_eq!(ids(&world, &what), (adopted, Some(ours)));
}

/// An adopted lease is nobody's that a policy gave: it leaves its limits to those who ask.
#[test]
fn adopted_leases_do_not_count_as_live_ones_of_the_policy() {
    let (mut world, _) = adopted(3);
    let mut new = world.lease(9);
    new.max_live = Some(crate::terms::LiveMax { policy: 1, asker: 1 });
    new.policy = Some("readers".to_owned());
    world.ledger.begin(&new, now(0)).unwrap();
    let mut another = world.lease(10);
    (another.max_live, another.policy) = (new.max_live, new.policy);
    assert!(matches!(world.ledger.begin(&another, now(0)), Err(LedgerError::Fault(_))));
}

#[test]
fn a_ledger_of_before_adoption_takes_adopted_leases() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.db");
    let raw = Connection::open(&path).unwrap();
    for migration in &MIGRATIONS[..11] {
        raw.execute_batch(migration).unwrap();
    }
    raw.pragma_update(None, "application_id", 0x6772_7464).unwrap();
    raw.pragma_update(None, "user_version", 11).unwrap();
    drop(raw);
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&path, mode).unwrap();
    let mut ledger = super::fixture::open(&dir);
    let lane = ledger.lane(&super::fixture::facts("grantd")).unwrap();
    let mut world = World { dir, ledger, lane };
    let ours = world.granted(1);
    let grant = AdoptedGrant { by: Some((asker(), None)), ..theirs(&world, 2) };
    assert!(matches!(world.ledger.adopt(&grant, now(0)).unwrap(), Adopting::Taken(_)));
    let world = world.reopen();
    assert_eq!(world.ledger.row(ours).unwrap().facts().origin, Origin::Asked);
    let conn = world.ledger.conn().unwrap();
    let word: String = conn.query_row("PRAGMA integrity_check", [], |raw| raw.get(0)).unwrap();
    assert_eq!(word, "ok");
    let refused = conn.execute("UPDATE lease SET origin = 'stolen'", []).unwrap_err();
    assert!(refused.to_string().contains("CHECK"), "{refused}");
    let locked =
        conn.execute_batch("PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = ''");
    assert!(locked.is_err(), "the schema is written by migrations alone");
}
