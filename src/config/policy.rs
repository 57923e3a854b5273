//! `[[policy]]`: which keys, to whom, for what, asked by whom, for how long.

use super::callers::caller;
use super::diagnostics::Problem;
use super::top::Read;
use super::via::{self, Routes};
use super::walk::{At, Table, Walk};
use super::{
    Account, DEFAULT_TTL, EXTENSIONS, EXTENSIONS_MAX, Policy, TTL_MAX, TTL_MIN, adopt, limits,
    listed, require,
};
use crate::rules::policy::show_span;
use crate::terms::Operation;

/// Characters of a policy's name: it stands in tables and in the ledger.
const NAME_MAX: usize = 64;

/// Read one policy.
pub(super) fn read(
    walk: &mut Walk<'_>,
    table: &Table<'_, '_>,
    accounts: &[Account],
    routes: &mut Routes,
) -> Read<Policy> {
    let name = table.required_text(walk, "name").map(|text| name(walk, text));
    let via = via::read(walk, table, accounts);
    let maker = via.as_ref().and_then(|via| accounts.iter().find(|a| a.id == via.value));
    // A `via` that is wrong leaves open what the keys may be: they are not judged by it.
    let judged = table.get("via").is_none() || via.is_some();
    let keys = match judged {
        true => each(walk, table, "keys", |_, text| listed::key(text, accounts, maker)),
        false => Vec::new(),
    };
    if let Some(via) = &via {
        routes.take(walk, via, &keys);
    }
    let grantees = each(walk, table, "grantees", |_, text| listed::grantee(text, accounts, &keys));
    let callers = each(walk, table, "callers", caller);
    let redelegate = table.flag(walk, "allow-redelegation");
    let allow_redelegation = redelegate.is_some_and(|flag| flag.value);
    let operations = operations(walk, table, allow_redelegation);
    let times = times(walk, table);
    let (require_reason, require_context) = require::read(walk, table);
    let max_live = limits::max_live(walk, table);
    let max_late = limits::max_late(walk, table);
    let own = limits::own(walk, table);
    let adopt = adopt::read(walk, table, &keys, accounts);
    let max_extensions = table.count(walk, "max-extensions", (0, EXTENSIONS_MAX));
    let value = name.clone().map(|name| Policy {
        name: name.value,
        place: walk.place(&table.span),
        keys,
        via: via.map(|via| via.value),
        grantees,
        operations,
        callers,
        min_ttl: times.min,
        default_ttl: times.default,
        max_ttl: times.max,
        lead: times.lead,
        max_extensions: max_extensions.map_or(EXTENSIONS, |at| at.value),
        require_reason,
        require_context,
        max_live,
        max_late,
        own,
        allow_redelegation,
        adopt,
    });
    Read { value, name }
}

/// Each entry of a list that must be there, checked by `read`.
fn each<T>(
    walk: &mut Walk<'_>,
    table: &Table<'_, '_>,
    key: &str,
    read: impl Fn(&mut Walk<'_>, &At<&str>) -> Result<T, Problem>,
) -> Vec<T> {
    let texts = table.required_texts(walk, key);
    walk.each(&texts, read)
}

fn name(walk: &mut Walk<'_>, text: At<&str>) -> At<String> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    let fits = (1..=NAME_MAX).contains(&text.value.len()) && text.value.bytes().all(legal);
    if !fits {
        let message = format!("{:?} is no name for a policy", text.value);
        let help = format!("1 to {NAME_MAX} letters, digits and ._-");
        walk.problem(Problem::at(text.span.clone(), message).help(help));
    }
    At { value: text.value.to_owned(), span: text.span }
}

fn operations(walk: &mut Walk<'_>, table: &Table<'_, '_>, redelegate: bool) -> Vec<Operation> {
    let named = each(walk, table, "operations", |_, text| {
        let problem = |message: String| Problem::at(text.span.clone(), message);
        let operations = Operation::named(text.value).ok_or_else(|| {
            let why = format!("{:?} is no grant operation", text.value);
            problem(why).help(Operation::advice(text.value))
        })?;
        match operations.iter().find(|operation| operation.redelegates() && !redelegate) {
            None => Ok(operations),
            Some(operation) => Err(problem(format!(
                "a grant with {operation} can outlive its lease: who holds it can pass access on"
            ))
            .help("leave it out, or say `allow-redelegation = true` in this policy")),
        }
    });
    let mut all: Vec<_> = named.into_iter().flatten().copied().collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// How long a lease lasts, in ms.
struct Times {
    min: i64,
    default: i64,
    max: i64,
    lead: i64,
}

/// `min-ttl`, `default-ttl`, `max-ttl` and `lead`, and how they fit each other.
fn times(walk: &mut Walk<'_>, table: &Table<'_, '_>) -> Times {
    if table.get("max-ttl").is_none() {
        table.missing(walk, "max-ttl");
    }
    let max = ttl(walk, table, "max-ttl");
    let default = ttl(walk, table, "default-ttl");
    let min = ttl(walk, table, "min-ttl");
    let lead = table.duration(walk, "lead");
    let maximum = "the maximum of this policy";
    not_above(walk, ("default-ttl", &default), (&max, "the maximum", maximum));
    not_above(walk, ("min-ttl", &min), (&max, "the maximum", maximum));
    not_above(walk, ("min-ttl", &min), (&default, "the default", "the default of this policy"));
    let max_ttl = max.map_or(TTL_MAX, |at| at.value);
    let min_ttl = min.as_ref().map_or(TTL_MIN, |at| at.value);
    let default_ttl =
        default.map_or(DEFAULT_TTL.clamp(min_ttl.min(max_ttl), max_ttl), |at| at.value);
    if let Some(lead) = &lead {
        check_lead(walk, lead, min.as_ref(), default_ttl);
    }
    Times { min: min_ttl, default: default_ttl, max: max_ttl, lead: lead.map_or(0, |at| at.value) }
}

fn not_above(
    walk: &mut Walk<'_>,
    (key, low): (&str, &Option<At<i64>>),
    (high, what, there): (&Option<At<i64>>, &str, &str),
) {
    let (Some(low), Some(high)) = (low, high) else { return };
    if low.value > high.value {
        let message = format!("`{key}` is {}, above {what}", show_span(low.value));
        let problem = Problem::at(low.span.clone(), message);
        walk.problem(problem.other(high.span.clone(), there));
    }
}

/// The end is sent `lead` before the deadline: a lease no longer than that would end before it
/// began.
fn check_lead(walk: &mut Walk<'_>, lead: &At<i64>, min: Option<&At<i64>>, default_ttl: i64) {
    let shown = show_span(lead.value);
    if let Some(min) = min.filter(|min| min.value <= lead.value) {
        let message = format!("`min-ttl` is {}, not above the lead", show_span(min.value));
        let problem = Problem::at(min.span.clone(), message);
        let help = format!("make it more than {shown}, or leave it out");
        walk.problem(problem.other(lead.span.clone(), "the lead of this policy").help(help));
    }
    if lead.value >= default_ttl {
        let default = show_span(default_ttl);
        let message =
            format!("`lead` is {shown}, and a lease of {default} would end before it began");
        let problem = Problem::at(lead.span.clone(), message);
        walk.problem(problem.help(
            "make it less than `default-ttl`: the end is sent that much before the deadline",
        ));
    }
}

/// A time that a lease may have.
fn ttl(walk: &mut Walk<'_>, table: &Table<'_, '_>, key: &str) -> Option<At<i64>> {
    let ttl = table.duration(walk, key)?;
    if (TTL_MIN..=TTL_MAX).contains(&ttl.value) {
        return Some(ttl);
    }
    let message = format!("`{key}` may not be {}", show_span(ttl.value));
    let help = format!("from {} to {}", show_span(TTL_MIN), show_span(TTL_MAX));
    walk.problem(Problem::at(ttl.span, message).help(help));
    None
}
