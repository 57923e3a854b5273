//! Every statement follows an index, at 10 rows or 10 million: SQLite itself says so.

use std::collections::BTreeSet;

use rusqlite::StatementStatus;
use rusqlite::types::Value;

use super::fixture::World;
use crate::ledger::sql::{self, Drive};

/// Tables with a row per lane or per waiting thing: reading all of one is what these statements are
/// for.
const SMALL: [&str; 2] = ["SCAN stall", "SCAN tally"];

fn plan(world: &World, sql: &str) -> Vec<String> {
    let conn = world.ledger.conn().unwrap();
    let mut query = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    // A plan needs no values: what is not bound is NULL.
    let mut rows = query.raw_query();
    let mut lines = Vec::new();
    while let Some(raw) = rows.next().unwrap() {
        lines.push(raw.get("detail").unwrap());
    }
    lines
}

fn complaints(name: &str, plan: &[String]) -> Vec<String> {
    let small = |line: &str| SMALL.iter().any(|scan| line.starts_with(scan));
    // The first entry of an index, and no more.
    let first_of =
        |line: &str| name == "NEXT_DEADLINE" && line == "SCAN kms_grant USING INDEX grant_owed";
    let head = |line: &str| name == "HISTORY_HEAD" && line == "SCAN history";
    plan.iter()
        .filter(|line| line.starts_with("SCAN") || line.contains("TEMP B-TREE"))
        .filter(|line| !small(line) && !first_of(line) && !head(line))
        .filter(|line| !line.starts_with("SCAN (subquery") && *line != "SCAN CONSTANT ROW")
        .map(|line| format!("{name}: {line}"))
        .collect()
}

#[test]
fn no_statement_scans_or_sorts() {
    let world = World::new();
    let mut bad = Vec::new();
    for (name, sql) in sql::ALL {
        // The schema is some dozens of rows without an index.
        if *name != "GUARDS" {
            bad.extend(complaints(name, &plan(&world, sql)));
        }
    }
    for drive in Drive::EVERY {
        for states in [
            &["creating", "active", "ending", "ended"][..],
            &["creating", "active", "ending"],
            &["creating", "active", "ending", "ended", "closed"],
            &["ended"],
        ] {
            let plan = plan(&world, &sql::listing(*drive, states));
            let seeks = plan.iter().filter(|line| line.starts_with("SEARCH lease USING")).count();
            assert_eq!(seeks, states.len(), "{drive:?}: {plan:#?}");
            bad.extend(complaints(&format!("{drive:?}"), &plan));
        }
    }
    assert!(bad.is_empty(), "{bad:#?}");
}

#[test]
fn a_scan_would_be_seen() {
    let world = World::new();
    let scan = plan(&world, "SELECT count(*) FROM lease WHERE reason = 'x'");
    assert_eq!(complaints("SCAN", &scan).len(), 1, "{scan:?}");
    let sort = plan(&world, "SELECT ref FROM lease WHERE policy = ?1 ORDER BY reason");
    assert_eq!(complaints("SORT", &sort).len(), 1, "{sort:?}");
}

/// The due indexes are chosen by name: a change of the planner that takes another one is to be
/// looked at.
#[test]
fn what_is_due_is_one_seek() {
    let world = World::new();
    for (sql, index) in [
        (sql::ROWS_AHEAD, "grant_due"),
        (sql::ROWS_BESIDE, "grant_due"),
        (sql::FOUND_AHEAD, "grant_due_found"),
        (sql::FOUND_BESIDE, "grant_due_found"),
    ] {
        let due = plan(&world, sql);
        let seek = format!("USING INDEX {index} (act=? AND next_action_at>? AND next_action_at<?)");
        assert!(due.iter().any(|line| line.contains(&seek)), "{due:?}");
    }
}

#[test]
fn all_sql_is_in_one_file() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ledger");
    let mut with_sql = BTreeSet::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|end| end != "rs") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        if ["\"SELECT ", "\"UPDATE ", "\"INSERT ", "\"DELETE "].iter().any(|w| text.contains(w)) {
            with_sql.insert(path.file_name().unwrap().to_string_lossy().into_owned());
        }
    }
    // `open` counts the tables of a file that may not be ours yet.
    let expected = ["open.rs", "sql.rs"].map(str::to_owned);
    assert_eq!(with_sql, BTreeSet::from(expected));
}

#[test]
fn what_is_due_is_sought_again_and_again_by_one_plan() {
    let world = World::new();
    let conn = world.ledger.conn().unwrap();
    let mut query = conn.prepare(sql::ROWS_AHEAD).unwrap();
    for until in 1..=3_i64 {
        for n in 1..=query.parameter_count() {
            let act = Value::Text("end".to_owned());
            query.raw_bind_parameter(n, if n == 1 { act } else { Value::Integer(until) }).unwrap();
        }
        assert!(query.raw_query().next().unwrap().is_none());
    }
    assert_eq!(query.get_status(StatementStatus::RePrepare), 0);
}
