use std::collections::BTreeSet;

use serde_json::json;

use super::*;

/// Every switch has a row in the table, with the default that the code has, and no row is of the
/// past.
#[test]
fn the_table_of_switches_is_whole() {
    let table = include_str!("../../SWITCHES.md");
    let rows = table.lines().skip_while(|line| !line.starts_with("| switch |")).skip(2);
    let rows: Vec<Vec<&str>> = rows
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let switches = json!(Unconfirmed::default());
    let mut known = BTreeSet::new();
    for row in rows {
        let [name, default, others, source] = row[..] else { panic!("{row:?}") };
        let name = name.trim_matches('`');
        let value = switches.get(name).unwrap_or_else(|| panic!("{name} is no switch"));
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        assert!(default.starts_with(&format!("`{value}`")), "{name}: the default is {value}");
        assert!(!others.is_empty() && !source.is_empty(), "{name}");
        assert!(known.insert(name), "{name} stands there twice");
    }
    let all: BTreeSet<&str> =
        switches.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    assert_eq!(known, all);
}

#[test]
fn settings_go_through_json() {
    let settings = Settings { endpoint_lags_ms: vec![0, 5], ..Settings::default() };
    let read: Settings = serde_json::from_value(json!(settings)).expect("its own form");
    assert_eq!(read, settings);
    assert!(serde_json::from_value::<Settings>(json!({ "unconfirmed": { "x": 1 } })).is_err());
}
