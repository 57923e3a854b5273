//! The top of the file and `[daemon]`.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

use super::access::{self, Access};
use super::account::{self, reaches_aws};
use super::diagnostics::Problem;
use super::schema::{ACCOUNT, DAEMON, POLICY, ROOT, Schema};
use super::walk::{At, Table, Walk};
use super::{Account, Policy, SETTLE, SETTLE_MAX, SETTLE_MIN, TIME_OUT, TIME_OUT_MIN, policy};
use crate::ids::Group;
use crate::rules::policy::show_span;

/// Everything in the file.
pub(super) struct Parts {
    pub(super) group: Group,
    pub(super) settle: i64,
    pub(super) time_out: i64,
    pub(super) access: Access,
    pub(super) accounts: Vec<Account>,
    pub(super) policies: Vec<Policy>,
}

/// Read the whole tree. `None` only after a problem was reported.
pub(super) fn root(walk: &mut Walk<'_>, tree: &DeTable<'_>) -> Option<Parts> {
    let table = Table::open(walk, tree, 0..0, &ROOT);
    let group = table.required_text(walk, "group");
    let group = group.and_then(|text| match Group::parse(text.value) {
        Ok(group) => Some(group),
        Err(bad) => {
            walk.problem(Problem::at(text.span, bad.to_string()));
            None
        }
    });
    let accounts = tables(walk, &table, "account", &ACCOUNT, account::read);
    if is_empty(&table, "account") {
        let problem = Problem::whole("the file has no [[account]]");
        walk.problem(problem.help("add one with id, role-arn and regions").derived());
    }
    unique(walk, &accounts, "account");
    let accounts: Vec<_> = accounts.into_iter().filter_map(|read| read.value).collect();
    let policies =
        tables(walk, &table, "policy", &POLICY, |walk, table| policy::read(walk, table, &accounts));
    if is_empty(&table, "policy") {
        let problem = Problem::whole("the file has no [[policy]]: every create will be refused");
        walk.warn(problem);
    }
    unique(walk, &policies, "policy");
    let (settle, time_out) = daemon(walk, &table, &accounts);
    let access = access::read(walk, &table);
    Some(Parts {
        group: group?,
        settle,
        time_out,
        access,
        accounts,
        policies: policies.into_iter().filter_map(|read| read.value).collect(),
    })
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

fn daemon(walk: &mut Walk<'_>, root: &Table<'_, '_>, accounts: &[Account]) -> (i64, i64) {
    let Some(table) = root.get("daemon").and_then(|v| Table::of(walk, v, &DAEMON)) else {
        return (SETTLE, TIME_OUT);
    };
    let settle = table.duration(walk, "settle").map_or(SETTLE, |settle| {
        check_settle(walk, &settle, accounts);
        settle.value
    });
    let time_out = table.duration(walk, "time-out").map_or(TIME_OUT, |given| {
        if !(TIME_OUT_MIN..=TIME_OUT).contains(&given.value) {
            let (least, most) = (show_span(TIME_OUT_MIN), show_span(TIME_OUT));
            let message = format!("`time-out` may not be {}", show_span(given.value));
            let help = format!(
                "one KMS attempt gets {least} to {most}; what is not answered by then is looked after"
            );
            walk.problem(Problem::at(given.span, message).help(help));
        }
        given.value
    });
    (settle, time_out)
}

fn check_settle(walk: &mut Walk<'_>, settle: &At<i64>, accounts: &[Account]) {
    let aws = accounts.iter().find(|a| reaches_aws(a));
    let shown = show_span(settle.value);
    if settle.value > SETTLE_MAX {
        let message = format!("`settle` may not be {shown}");
        let help =
            format!("at most {}; the default is {}", show_span(SETTLE_MAX), show_span(SETTLE));
        walk.problem(Problem::at(settle.span.clone(), message).help(help));
    }
    if let Some(account) = aws.filter(|_| settle.value < SETTLE_MIN) {
        let message = format!("`settle` is {shown}, too short for AWS (account {})", account.id);
        let help = format!(
            "at least {}: a CreateGrant may arrive 5min after it was signed and shows up to 5min later; \
             less is only for accounts with an endpoint-url on this host",
            show_span(SETTLE_MIN)
        );
        walk.problem(Problem::at(settle.span.clone(), message).help(help));
    }
}
