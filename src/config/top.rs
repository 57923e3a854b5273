//! The top of the file: the group, and the lists of accounts and policies.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

use super::covered::warn_covered;
use super::diagnostics::{Diagnostics, Problem};
use super::schema::{ACCOUNT, POLICY, ROOT, Schema};
use super::via::Routes;
use super::walk::{At, Table, Walk};
use super::{Config, access, account, daemon, policy};
use crate::ids::Group;

/// Read the whole tree. `None` only after a problem was reported. Path and warnings are for the
/// caller to add.
pub(super) fn read(walk: &mut Walk<'_>, tree: &DeTable<'_>) -> Option<Config> {
    let table = Table::open(walk, tree, 0..0, &ROOT);
    let group = table.required_text(walk, "group").and_then(|text| parse_group(walk, &text));
    let present = group.as_slice();
    let named = [("group", present)];
    let former_groups = more_groups(walk, &table, "former-groups", &named);
    let named = [("group", present), ("former-groups", &former_groups)];
    let other_groups = more_groups(walk, &table, "other-groups", &named);
    let accounts = tables(walk, &table, "account", &ACCOUNT, account::read);
    if is_empty(&table, "account") {
        let problem = Problem::whole("the file has no [[account]]");
        walk.problem(problem.help("add one with id, role-arn and regions").derived());
    }
    unique(walk, &accounts, "account");
    let accounts: Vec<_> = accounts.into_iter().filter_map(|read| read.value).collect();
    let mut routes = Routes::default();
    let policies = tables(walk, &table, "policy", &POLICY, |walk, table| {
        policy::read(walk, table, &accounts, &mut routes)
    });
    if is_empty(&table, "policy") {
        let problem = Problem::whole("the file has no [[policy]]: every create will be refused");
        walk.warn(problem);
    }
    unique(walk, &policies, "policy");
    warn_covered(walk, &policies);
    let daemon = daemon::read(walk, &table, &accounts);
    Some(Config {
        path: String::new(),
        group: group?,
        former_groups,
        other_groups,
        socket: daemon.socket,
        log: daemon.log,
        metrics: daemon.metrics,
        reconcile: daemon.reconcile,
        access: access::read(walk, &table),
        settle: daemon.settle,
        time_out: daemon.time_out,
        accounts,
        policies: policies.into_iter().filter_map(|read| read.value).collect(),
        warnings: Diagnostics::default(),
    })
}

fn parse_group(walk: &mut Walk<'_>, text: &At<&str>) -> Option<Group> {
    match Group::parse(text.value) {
        Ok(group) => Some(group),
        Err(bad) => {
            walk.problem(Problem::at(text.span.clone(), bad.to_string()));
            None
        }
    }
}

/// The groups under `key`: each once, and none that the file has named already.
fn more_groups(
    walk: &mut Walk<'_>,
    table: &Table<'_, '_>,
    key: &str,
    named: &[(&str, &[Group])],
) -> Vec<Group> {
    let mut groups = Vec::new();
    for text in table.texts(walk, key).unwrap_or_default() {
        let Some(group) = parse_group(walk, &text) else { continue };
        let other = named.iter().find(|(_, groups)| groups.contains(&group));
        if let Some((place, _)) = other {
            let problem = Problem::at(text.span, format!("{group} is in `{place}` already"));
            walk.problem(problem.help(format!("take it out of `{place}` or of `{key}`")));
        } else if groups.contains(&group) {
            let problem = Problem::at(text.span, format!("{group} is there already"));
            walk.problem(problem.help("name each group once"));
        } else {
            groups.push(group);
        }
    }
    groups
}

/// One table of a list: what it says, if it is right, and its name, even if the rest is wrong.
pub(super) struct Read<T> {
    pub(super) value: Option<T>,
    pub(super) name: Option<At<String>>,
}

/// Each table of the list under `key`.
fn tables<T>(
    walk: &mut Walk<'_>,
    root: &Table<'_, '_>,
    key: &str,
    schema: &'static Schema,
    mut read: impl FnMut(&mut Walk<'_>, &Table<'_, '_>) -> Read<T>,
) -> Vec<Read<T>> {
    let Some(value) = root.get(key) else {
        return Vec::new();
    };
    let DeValue::Array(list) = value.get_ref() else {
        let message = format!("there may be several: write [[{key}]], in two brackets");
        walk.problem(Problem::at(value.span(), message));
        return Vec::new();
    };
    let mut all = Vec::new();
    for entry in list.iter() {
        if let Some(table) = Table::of(walk, entry, schema) {
            all.push(read(walk, &table));
        }
    }
    all
}

/// Report every name that was used before, at both places.
fn unique<T>(walk: &mut Walk<'_>, all: &[Read<T>], what: &str) {
    let mut first: BTreeMap<&str, &At<String>> = BTreeMap::new();
    for name in all.iter().filter_map(|read| read.name.as_ref()) {
        match first.get(name.value.as_str()) {
            Some(earlier) => {
                let message = format!("the {what} {:?} is there already", name.value);
                let problem = Problem::at(name.span.clone(), message);
                walk.problem(problem.other(earlier.span.clone(), "first here"));
            }
            None => {
                first.insert(&name.value, name);
            }
        }
    }
}

/// Whether the list under `key` is not there or has no entry.
fn is_empty(root: &Table<'_, '_>, key: &str) -> bool {
    let none = |value: &DeValue<'_>| matches!(value, DeValue::Array(list) if list.is_empty());
    root.get(key).is_none_or(|value| none(value.get_ref()))
}
