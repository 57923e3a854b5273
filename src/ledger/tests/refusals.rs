//! What is refused is told once, whatever happens in between.

use serde_json::{Value, json};

use super::fixture::{START, World, reference};
use crate::rules::refusals::{Count, Refusal, Refusals, Row, Told};
use crate::rules::time::MINUTE;
use crate::wire::ListHistory;

fn count(times: u64) -> Count {
    let body = json!({ "fault": "no-policy", "times": times });
    Count { place: "1000 no-policy".to_owned(), actor: "uid 1000 (alice)".to_owned(), body }
}

fn told(world: &World) -> Vec<(String, String, Value)> {
    let rows = world.ledger.history(&ListHistory::default()).unwrap().items;
    rows.into_iter().map(|row| (row.kind, row.actor, row.body["times"].clone())).collect()
}

#[test]
fn a_crash_in_the_middle_tells_what_was_counted_and_only_once() {
    let mut world = World::new();
    let lease = Some(reference(1));
    let row = Row { lease: lease.clone(), kind: "refused", actor: "a".to_owned(), body: json!({}) };
    let first = Told { rows: vec![row], counts: vec![count(2)], done: Vec::new() };
    world.ledger.refused(START, &first).unwrap();
    world.ledger.refused(START, &Told { counts: vec![count(7)], ..Told::default() }).unwrap();
    let mut world = world.reopen();
    world.ledger.tell_refusals(START.plus(MINUTE)).unwrap();
    let again = ("refused-again".to_owned(), "uid 1000 (alice)".to_owned(), json!(7));
    assert_eq!(told(&world), [("refused".to_owned(), "a".to_owned(), Value::Null), again.clone()]);
    let mut world = world.reopen();
    world.ledger.tell_refusals(START.plus(MINUTE)).unwrap();
    assert_eq!(told(&world).len(), 2);
    let history = world.ledger.history(&ListHistory::default()).unwrap().items;
    assert_eq!(history[0].reference, lease);
}

#[test]
fn what_is_told_is_kept_no_longer() {
    let mut world = World::new();
    let mut all = Refusals::default();
    for _ in 0..3 {
        all.take_in(Refusal {
            uid: 1000,
            actor: "uid 1000 (alice)".to_owned(),
            code: "no-policy",
            why: "no".to_owned(),
            asked: json!({}),
            lease: None,
        });
    }
    for minute in 0..2 {
        let at = START.plus(minute * MINUTE);
        world.ledger.refused(at, &all.due(at, at)).unwrap();
    }
    let mut world = world.reopen();
    world.ledger.tell_refusals(START.plus(MINUTE)).unwrap();
    let kinds: Vec<(String, Value)> = told(&world).into_iter().map(|row| (row.0, row.2)).collect();
    assert_eq!(
        kinds,
        [("refused".to_owned(), Value::Null), ("refused-again".to_owned(), json!(2))]
    );
}
