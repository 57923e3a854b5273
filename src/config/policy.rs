//! `[[policy]]`: which keys, to whom, for what, asked by whom, for how long.

use super::callers::caller;
use super::daemon::Read;
use super::diagnostics::Problem;
use super::walk::{At, Table, Walk};
use super::{Account, DEFAULT_TTL, EXTENSIONS, EXTENSIONS_MAX, Policy, TTL_MAX, TTL_MIN, listed};
use crate::rules::policy::show_span;
use crate::terms::Operation;

/// Characters of a policy's name: it stands in tables and in the ledger.
const NAME_MAX: usize = 64;

/// Read one policy.
pub(super) fn read(
    walk: &mut Walk<'_>,
    table: &Table<'_, '_>,
    accounts: &[Account],
) -> Read<Policy> {
    let name = table.required_text(walk, "name").map(|text| name(walk, text));
    let keys = each(walk, table, "keys", |_, text| listed::key(text, accounts));
    let grantees = each(walk, table, "grantees", |_, text| listed::grantee(text, accounts));
    let callers = each(walk, table, "callers", caller);
    let redelegate = table.flag(walk, "allow-redelegation");
    let allow_redelegation = redelegate.is_some_and(|flag| flag.value);
    let operations = operations(walk, table, allow_redelegation);
    let (default_ttl, max_ttl, lead) = times(walk, table);
    let max_extensions = extensions(walk, table);
    let require_reason = require(walk, table);
    let value = name.clone().map(|name| Policy {
        name: name.value,
        place: walk.place(&table.span),
        keys,
        grantees,
        operations,
        callers,
        default_ttl,
        max_ttl,
        max_extensions,
        lead,
        require_reason,
        allow_redelegation,
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
    let mut all = each(walk, table, "operations", |_, text| {
        let problem = |message: String| Problem::at(text.span.clone(), message);
        let operation: Operation = text.value.parse().map_err(|_| unknown_operation(text))?;
        if operation.redelegates() && !redelegate {
            let why = format!(
                "a grant with {operation} can outlive its lease: who holds it can pass access on"
            );
            return Err(problem(why)
                .help("leave it out, or say `allow-redelegation = true` in this policy"));
        }
        Ok(operation)
    });
    all.sort_unstable();
    all.dedup();
    all
}

fn unknown_operation(text: &At<&str>) -> Problem {
    let problem = |message: String| Problem::at(text.span.clone(), message);
    if matches!(text.value, "read" | "write") {
        let message =
            format!("the operation group {:?} is not supported by this version", text.value);
        return problem(message).help("list the operations one by one");
    }
    problem(format!("{:?} is no grant operation", text.value)).help(Operation::advice(text.value))
}

/// `default-ttl`, `max-ttl` and `lead`, and how they fit each other.
fn times(walk: &mut Walk<'_>, table: &Table<'_, '_>) -> (i64, i64, i64) {
    if table.get("max-ttl").is_none() {
        table.missing(walk, "max-ttl");
    }
    let max = table.duration(walk, "max-ttl");
    let max = max.and_then(|max| bounded(walk, "max-ttl", max));
    let default = table.duration(walk, "default-ttl");
    let default = default.and_then(|ttl| bounded(walk, "default-ttl", ttl));
    let lead = table.duration(walk, "lead");
    let max_ttl = max.as_ref().map_or(TTL_MAX, |at| at.value);
    if let (Some(default), Some(max)) = (&default, &max)
        && default.value > max.value
    {
        let message = format!("`default-ttl` is {}, above the maximum", show_span(default.value));
        let problem = Problem::at(default.span.clone(), message);
        walk.problem(problem.other(max.span.clone(), "the maximum of this policy"));
    }
    let default_ttl = default.as_ref().map_or(DEFAULT_TTL.min(max_ttl), |at| at.value);
    if let Some(lead) = &lead
        && lead.value >= default_ttl
    {
        let message = format!(
            "`lead` is {}, and a lease of {} would end before it began",
            show_span(lead.value),
            show_span(default_ttl)
        );
        let problem = Problem::at(lead.span.clone(), message);
        walk.problem(problem.help(
            "make it less than `default-ttl`: the end is sent that much before the deadline",
        ));
    }
    (default_ttl, max_ttl, lead.map_or(0, |at| at.value))
}

fn extensions(walk: &mut Walk<'_>, table: &Table<'_, '_>) -> u32 {
    let Some(given) = table.number(walk, "max-extensions") else { return EXTENSIONS };
    match u32::try_from(given.value) {
        Ok(n) if n <= EXTENSIONS_MAX => n,
        Ok(_) | Err(_) => {
            let message = format!("`max-extensions` may not be {}", given.value);
            let help = format!("from 0 to {EXTENSIONS_MAX}; the default is {EXTENSIONS}");
            walk.problem(Problem::at(given.span, message).help(help));
            EXTENSIONS
        }
    }
}

fn bounded(walk: &mut Walk<'_>, key: &str, ttl: At<i64>) -> Option<At<i64>> {
    if (TTL_MIN..=TTL_MAX).contains(&ttl.value) {
        return Some(ttl);
    }
    let message = format!("`{key}` may not be {}", show_span(ttl.value));
    let help = format!("from {} to {}", show_span(TTL_MIN), show_span(TTL_MAX));
    walk.problem(Problem::at(ttl.span, message).help(help));
    None
}

fn require(walk: &mut Walk<'_>, table: &Table<'_, '_>) -> bool {
    let mut reason = false;
    for text in table.texts(walk, "require").unwrap_or_default() {
        match text.value {
            "reason" => reason = true,
            "encryption-context" => {
                let message =
                    "`require = [\"encryption-context\"]` is not supported by this version";
                walk.problem(Problem::at(text.span, message).help("leave it out until then"));
            }
            other => {
                let message = format!("{other:?} is nothing that can be required");
                walk.problem(Problem::at(text.span, message).help("it takes \"reason\""));
            }
        }
    }
    reason
}
