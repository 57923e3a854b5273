//! Who a policy gives access to, as IAM says it; and the file's patterns as IAM's.
//!
//! IAM's `*` and `?` also stand for `/`, the file's in grantees do not. So each pattern gets a
//! statement of its own, from which what lies beyond the `/` is taken out again. `**` says what
//! IAM's `*` says.

use std::collections::BTreeSet;

use crate::config::{Config, Policy};

/// Service-linked roles are matched by no pattern of the file.
const SERVICE_LINKED: &str = "role/aws-service-role/*";
/// Alternatives of one pattern; one with more becomes `*` where it branches.
const ALTERNATIVES_MAX: usize = 64;

/// Conditions on `kms:GranteePrincipal`: operator and values.
pub(super) type Conditions = Vec<(&'static str, Vec<String>)>;

/// A set of conditions for each statement that the grantees of `policy` need on keys of the account
/// `owner`.
pub(super) fn of(
    config: &Config,
    policy: &Policy,
    partition: &str,
    owner: &str,
) -> Vec<Conditions> {
    let short = format!("arn:{partition}:iam::{owner}:");
    let (mut exact, mut all) = (Vec::new(), Vec::new());
    for pattern in &policy.grantees {
        let head = pattern.head().unwrap_or(&short);
        if pattern.is_literal() {
            let arn = format!("{head}{}", pattern.glob());
            exact.extend(Some(arn).filter(|arn| !config.is_own(arn)));
            continue;
        }
        // A pattern stands for principals of the key's account alone.
        if head != short {
            continue;
        }
        let alternatives = branches(pattern.glob());
        all.extend(alternatives.iter().filter_map(|one| like(config, head, one)));
    }
    if !exact.is_empty() {
        exact.sort_unstable();
        exact.dedup();
        all.insert(0, vec![("StringEquals", exact)]);
    }
    all
}

/// The condition on one value, such as of the encryption context, where the file's `*` crosses `/`
/// as IAM's does.
pub(super) fn of_value(pattern: &str) -> (&'static str, Vec<String>) {
    let values = alternatives(pattern);
    match values.iter().any(|value| value.contains(['*', '?'])) {
        true => ("StringLike", values),
        false => ("StringEquals", values),
    }
}

/// The conditions for one pattern without branches; `None` where the file lets it name nobody.
fn like(config: &Config, head: &str, pattern: &str) -> Option<Conditions> {
    if !pattern.contains(['*', '?']) {
        let name = plain(pattern);
        let arn = format!("{head}{name}");
        let nobody = config.is_own(&arn) || name.starts_with(SERVICE_LINKED.trim_end_matches('*'));
        return (!nobody).then(|| vec![("StringEquals", vec![arn])]);
    }
    let mut wanted = vec![format!("{head}{}", iam(pattern))];
    // Between slashes `**` stands for nothing as well.
    if pattern.contains("/**/") {
        wanted.push(format!("{head}{}", iam(&pattern.replace("/**/", "/"))));
    }
    let mut beyond: Vec<String> = beyond(pattern).iter().map(|p| format!("{head}{p}")).collect();
    if pattern.starts_with("role/") {
        beyond.push(format!("{head}{SERVICE_LINKED}"));
    }
    let mut conditions = vec![("StringLike", wanted)];
    if !beyond.is_empty() {
        conditions.push(("StringNotLike", beyond));
    }
    let roles = config
        .accounts
        .iter()
        .flat_map(|account| [Some(&account.retiring_principal), account.ways.revoke_role.as_ref()]);
    let own = roles.flatten().map(|role| role.as_str().to_owned());
    let own: Vec<String> = own.filter(|own| own.starts_with(head)).collect();
    if !own.is_empty() {
        conditions.push(("StringNotEquals", own));
    }
    Some(conditions)
}

/// What IAM's reading of `pattern` adds to the file's: each star or `?` that holds a `/`. Beside a
/// `**` that cannot be said without taking out what is meant, so there it is left.
fn beyond(pattern: &str) -> Vec<String> {
    if pattern.contains("**") {
        return Vec::new();
    }
    let wild = pattern.char_indices().filter(|(_, c)| matches!(c, '*' | '?'));
    wild.map(|(at, c)| {
        let (before, after) = (&pattern[..at], &pattern[at + 1..]);
        let slash = if c == '*' { "*/*" } else { "/" };
        format!("{}{slash}{}", iam(before), iam(after))
    })
    .collect()
}

/// The file's pattern as IAM's, in as many as it has branches.
pub(super) fn alternatives(pattern: &str) -> Vec<String> {
    branches(pattern).iter().map(|branch| iam(branch)).collect()
}

/// `{a,b}` as two; a class `[…]` as any character, which is more, and no character of it less.
fn branches(pattern: &str) -> Vec<String> {
    let mut done = BTreeSet::new();
    let mut todo = vec![classes(pattern)];
    while let Some(next) = todo.pop() {
        // The innermost braces: they hold no others.
        let found = next.find('}').and_then(|end| Some((next[..end].rfind('{')?, end)));
        let Some((start, end)) = found else {
            done.insert(next);
            continue;
        };
        let (before, inner, after) = (&next[..start], &next[start + 1..end], &next[end + 1..]);
        if done.len() + todo.len() > ALTERNATIVES_MAX {
            todo.push(format!("{before}*{after}"));
            continue;
        }
        todo.extend(inner.split(',').map(|branch| format!("{before}{branch}{after}")));
    }
    done.into_iter().collect()
}

fn classes(pattern: &str) -> String {
    let mut text = String::new();
    let mut rest = pattern.chars();
    while let Some(c) = rest.next() {
        match c {
            // A `]` right behind the bracket, or behind its `!`, belongs to the class.
            '[' => {
                let body = rest.as_str();
                let skipped = body.len() - body.trim_start_matches(['!', '^', ']']).len();
                let end = body[skipped..].find(']').map_or(body.len(), |at| skipped + at + 1);
                rest = body[end..].chars();
                text.push('?');
            }
            '\\' => {
                text.push(c);
                text.extend(rest.next());
            }
            c => text.push(c),
        }
    }
    text
}

/// Stars as IAM's, and what is escaped as IAM escapes it.
fn iam(pattern: &str) -> String {
    let mut text = String::new();
    let mut rest = pattern.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '*' => {
                while rest.next_if_eq(&'*').is_some() {}
                text.push('*');
            }
            '\\' => match rest.next() {
                Some(c @ ('*' | '?')) => text.push_str(&format!("${{{c}}}")),
                other => text.extend(other),
            },
            c => text.push(c),
        }
    }
    text
}

/// A pattern without wild characters, unescaped.
fn plain(pattern: &str) -> String {
    pattern.replace('\\', "")
}

#[cfg(test)]
mod tests;
