//! What differs between two configurations, setting by setting: what a reload prints.
//!
//! Every struct is taken apart without `..`: a setting that is added to the grammar and forgotten
//! here does not compile.

use std::collections::BTreeMap;

use super::{Access, Account, Adopt, Brake, Config, Foreign, Log, Own, Policy, Rates};
use crate::kms::Ways;
use crate::logging::{Format, Level};
use crate::rules::policy::show_span;
use crate::terms::LiveMax;

/// What a setting is of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// The file as a whole, or its `[daemon]`.
    File,
    /// `[access]`.
    Access,
    /// An account, by its id.
    Account(String),
    /// A policy, by its name.
    Policy(String),
}

/// One setting that is another than before; `None` on one side: it was added, or is gone. A whole
/// account or policy that was added or is gone has an empty `key`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What it is of.
    pub subject: Subject,
    /// The key in the file.
    pub key: &'static str,
    /// Its value before.
    pub was: Option<String>,
    /// Its value now.
    pub is: Option<String>,
}

/// The keys that are read once, at the start.
pub const AT_START: [&str; 4] = ["socket", "log", "metrics", "time-out"];

type Settings = Vec<(&'static str, String)>;

/// Every difference, in the order of the file.
#[must_use]
pub fn between(old: &Config, new: &Config) -> Vec<Change> {
    let mut all = Vec::new();
    compare(&Subject::File, (&file(old), &file(new)), &mut all);
    compare(&Subject::Access, (&access(&old.access), &access(&new.access)), &mut all);
    let by_id = |config: &Config| -> Vec<(Subject, Settings)> {
        let one = |a: &Account| (Subject::Account(a.id.to_string()), account(a));
        config.accounts.iter().map(one).collect()
    };
    tables(by_id(old), by_id(new), &mut all);
    let by_name = |config: &Config| -> Vec<(Subject, Settings)> {
        let one = |p: &Policy| (Subject::Policy(p.name.clone()), policy(p));
        config.policies.iter().map(one).collect()
    };
    tables(by_name(old), by_name(new), &mut all);
    all
}

/// Both lists of tables, by what they are of: those of the new file, then those that are gone.
fn tables(old: Vec<(Subject, Settings)>, new: Vec<(Subject, Settings)>, all: &mut Vec<Change>) {
    let mut old: BTreeMap<Subject, Settings> = old.into_iter().collect();
    let whole = |subject, was: Option<&str>, is: Option<&str>| Change {
        subject,
        key: "",
        was: was.map(str::to_owned),
        is: is.map(str::to_owned),
    };
    for (subject, settings) in new {
        match old.remove(&subject) {
            Some(before) => compare(&subject, (&before, &settings), all),
            None => all.push(whole(subject, None, Some("added"))),
        }
    }
    all.extend(old.into_keys().map(|subject| whole(subject, Some("there"), None)));
}

fn compare(subject: &Subject, (old, new): (&Settings, &Settings), all: &mut Vec<Change>) {
    for ((key, was), (_, is)) in old.iter().zip(new).filter(|(was, is)| was != is) {
        let side = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        all.push(Change { subject: subject.clone(), key, was: side(was), is: side(is) });
    }
}

fn file(config: &Config) -> Settings {
    let Config {
        path: _,
        group,
        former_groups,
        other_groups,
        socket,
        log: Log { level, format },
        metrics,
        reconcile,
        settle,
        time_out,
        access: _,
        accounts: _,
        policies,
        warnings: _,
    } = config;
    let socket = socket.as_ref().map(|path| path.display().to_string());
    let log = [word(&Level::WORDS, *level), word(&Format::WORDS, *format)].into_iter().flatten();
    vec![
        ("group", group.to_string()),
        ("former-groups", list(former_groups)),
        ("other-groups", list(other_groups)),
        ("socket", socket.unwrap_or_default()),
        ("log", log.collect::<Vec<_>>().join(", ")),
        ("metrics", text(metrics.as_ref())),
        ("reconcile", show_span(*reconcile)),
        ("settle", show_span(*settle)),
        ("time-out", show_span(*time_out)),
        // The first that matches decides, so their order is a setting.
        ("policy", list(policies.iter().map(|policy| &policy.name))),
    ]
}

fn access(access: &Access) -> Settings {
    let Access { admin, read } = access;
    let everybody = || "whoever may connect".to_owned();
    let read = read.as_ref().map_or_else(everybody, |read| format!("[{}]", list(read)));
    vec![("admin", list(admin)), ("read", read)]
}

fn account(account: &Account) -> Settings {
    let Account {
        id: _,
        place: _,
        role_arn,
        external_id,
        retiring_principal,
        ways: Ways { profile, session_name, revoke_role, proxy },
        regions,
        endpoint,
        rates: Rates { create, end, list: listings },
        hosts,
        probe,
    } = account;
    vec![
        ("role-arn", text(role_arn.as_ref())),
        ("external-id", text(external_id.as_ref())),
        ("retiring-principal", retiring_principal.to_string()),
        ("profile", text(profile.as_ref())),
        ("session-name", text(session_name.as_ref())),
        ("revoke-role-arn", text(revoke_role.as_ref())),
        ("proxy", text(proxy.as_ref())),
        ("regions", list(regions)),
        ("endpoint-url", text(endpoint.as_ref())),
        ("rates", format!("create {create}, end {end}, list {listings}")),
        ("hosts", hosts.to_string()),
        ("probe", probe.to_string()),
    ]
}

fn policy(policy: &Policy) -> Settings {
    let Policy {
        name: _,
        place: _,
        keys,
        via,
        grantees,
        operations,
        callers,
        min_ttl,
        default_ttl,
        max_ttl,
        max_extensions,
        lead,
        require_reason,
        require_context,
        max_live: LiveMax { policy: live, asker },
        max_late,
        own,
        allow_redelegation,
        adopt: Adopt { foreign, unnamed, grace, brake: Brake { count, percent } },
    } = policy;
    let reason = require_reason.then(|| "reason".to_owned());
    let required: Vec<_> =
        reason.into_iter().chain(require_context.iter().map(ToString::to_string)).collect();
    let own = match own {
        Own::Uid => "uid",
        Own::Policy => "policy",
    };
    let foreign = match foreign {
        Foreign::Off => "off",
        Foreign::Report => "report",
        Foreign::Enforce => "enforce",
    };
    vec![
        ("keys", list(keys)),
        ("via", text(via.as_ref())),
        ("grantees", list(grantees)),
        ("operations", list(operations)),
        ("callers", list(callers)),
        ("min-ttl", show_span(*min_ttl)),
        ("default-ttl", show_span(*default_ttl)),
        ("max-ttl", show_span(*max_ttl)),
        ("max-extensions", max_extensions.to_string()),
        ("lead", show_span(*lead)),
        ("require", required.join(", ")),
        ("max-late", max_late.map(show_span).unwrap_or_default()),
        ("max-live", live.to_string()),
        ("max-live-per-asker", asker.to_string()),
        ("own", own.to_owned()),
        ("allow-redelegation", allow_redelegation.to_string()),
        ("adopt", foreign.to_owned()),
        ("adopt-unnamed", unnamed.to_string()),
        ("grace", show_span(*grace)),
        ("brake", format!("{count}, {percent}%")),
    ]
}

fn text(value: Option<&impl ToString>) -> String {
    value.map(ToString::to_string).unwrap_or_default()
}

fn list<T: ToString>(values: impl IntoIterator<Item = T>) -> String {
    values.into_iter().map(|value| value.to_string()).collect::<Vec<_>>().join(", ")
}

fn word<T: PartialEq + Copy>(
    words: &[(&'static str, T)],
    value: Option<T>,
) -> Option<&'static str> {
    words.iter().find(|(_, known)| Some(*known) == value).map(|(word, _)| *word)
}

#[cfg(test)]
mod tests;
