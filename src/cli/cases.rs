//! `grantd check --cases`: a table of requests, each with the decision that it should get, held
//! against the policies. Neither a daemon nor AWS is asked, nor need this host know the users of
//! the table.

use std::collections::BTreeMap;
use std::path::Path;

use comfy_table::{Cell as Shown, Color};
use serde_json::{Value, json};

use super::out::{Out, Stop};
use super::question::{OVERFLOW, Question, caller};
use super::words::clean;
use crate::config::cases::{Asker, Case, Expect};
use crate::config::{Config, Names, System};
use crate::engine::Caller;
use crate::fault::Fault;
use crate::rules::policy::{Decision, Refusal, show_span};
use crate::rules::suppose::suppose;
use crate::rules::time::Time;
use crate::wire::CreateLease;

/// The first of the ids that stand for names which this host does not know. Far above what hosts
/// hand out, and below `(uid_t) -1`.
const INVENTED: u32 = 4_000_000_000;

/// What to do about a user whom this host does not know.
const UNKNOWN_USER: &str =
    "with as = { user = \"alice\", groups = [\"ops\"] } this host need not know her";

/// User and group names as the table supposes them: this host's ids where it has them, and ids that
/// nobody has where it does not, so that a table gives the same answers on a build machine.
#[derive(Debug, Default)]
pub(super) struct Supposed {
    users: BTreeMap<String, u32>,
    groups: BTreeMap<String, u32>,
}

impl Supposed {
    /// With everybody whom `cases` name.
    ///
    /// # Errors
    /// When this host's databases cannot be asked.
    pub(super) fn of(cases: &[Case]) -> Result<Self, String> {
        let mut all = Self::default();
        let mut ids = INVENTED..;
        for case in cases {
            let Asker::Supposed { user, uid, groups } = &case.asker else { continue };
            if let Some(user) = user {
                let known = uid.map_or_else(|| System.user(user), |uid| Ok(Some(uid)))?;
                let id = known.or_else(|| ids.next()).unwrap_or(OVERFLOW);
                all.users.entry(user.clone()).or_insert(id);
            }
            for group in groups.iter().filter(|group| group.parse::<u32>().is_err()) {
                let id = System.group(group)?.or_else(|| ids.next()).unwrap_or(OVERFLOW);
                all.groups.entry(group.clone()).or_insert(id);
            }
        }
        Ok(all)
    }

    fn caller(&self, asker: &Asker) -> Result<Caller, Fault> {
        let (user, uid, groups) = match asker {
            Asker::Host(name) => {
                return caller(Some(name)).map_err(|fault| fault.hint(UNKNOWN_USER));
            }
            Asker::Supposed { user, uid, groups } => (user, uid, groups),
        };
        let known = user.as_ref().and_then(|user| self.users.get(user).copied());
        let uid = uid.or(known).unwrap_or(OVERFLOW);
        let groups = groups.iter().filter_map(|group| match group.parse() {
            Ok(gid) => Some(gid),
            Err(_) => self.groups.get(group).copied(),
        });
        let name = user.clone().unwrap_or_else(|| uid.to_string());
        Ok(Caller { uid, gid: OVERFLOW, groups: groups.collect(), name })
    }
}

impl Names for Supposed {
    fn user(&self, name: &str) -> Result<Option<u32>, String> {
        match self.users.get(name) {
            Some(uid) => Ok(Some(*uid)),
            None => System.user(name),
        }
    }

    fn group(&self, name: &str) -> Result<Option<u32>, String> {
        match self.groups.get(name) {
            Some(gid) => Ok(Some(*gid)),
            None => System.group(name),
        }
    }
}

/// What came of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Got {
    allow: bool,
    policy: Option<String>,
    fault: Option<&'static str>,
    lasts: Option<i64>,
    /// The words of the refusal.
    why: Option<String>,
}

impl Got {
    fn of(decision: Decision, now: Time) -> Self {
        match decision {
            Decision::Grant(terms) => Self {
                allow: true,
                policy: Some(terms.policy),
                fault: None,
                lasts: Some(terms.deadline.since(now)),
                why: None,
            },
            Decision::Refuse(Refusal { fault, policy, .. }) => Self {
                allow: false,
                policy,
                fault: Some(fault.kind.code()),
                lasts: None,
                why: Some(fault.text),
            },
        }
    }

    /// Each thing that is otherwise than expected, as a diff: `-allow +refuse`.
    fn differs(&self, expect: &Expect) -> Vec<String> {
        let mut all = Vec::new();
        let mut compare = |what: &str, wanted: Option<String>, got: Option<String>| {
            if let Some(wanted) = wanted.filter(|wanted| Some(wanted) != got.as_ref()) {
                let got = got.unwrap_or_else(|| "none".to_owned());
                all.push(format!("{what}-{wanted} +{got}"));
            }
        };
        compare("", Some(word(expect.allow).to_owned()), Some(word(self.allow).to_owned()));
        compare("policy: ", expect.policy.clone(), self.policy.clone());
        compare("fault: ", expect.fault.clone(), self.fault.map(str::to_owned));
        compare("lasts: ", expect.lasts.map(show_span), self.lasts.map(show_span));
        all
    }

    /// In a few words.
    fn summary(&self) -> String {
        let mut text = word(self.allow).to_owned();
        text.extend(self.policy.as_ref().map(|policy| format!(" by {policy}")));
        text.extend(self.lasts.map(|lasts| format!(", {}", show_span(lasts))));
        text.extend(self.fault.map(|fault| format!(" ({fault})")));
        text
    }
}

const fn word(allow: bool) -> &'static str {
    if allow { "allow" } else { "refuse" }
}

/// Decide each case at `now`.
///
/// # Errors
/// A case whose asker this host does not know.
pub(super) fn run(
    config: &Config,
    cases: &[Case],
    names: &Supposed,
    now: Time,
) -> Result<Vec<Got>, Fault> {
    cases.iter().map(|case| decide(config, case, names, now)).collect()
}

fn decide(config: &Config, case: &Case, names: &Supposed, now: Time) -> Result<Got, Fault> {
    let request = CreateLease {
        key: case.key.clone(),
        grantee: case.grantee.clone(),
        operations: case.operations.clone(),
        ttl: case.ttl.clone(),
        until: case.until,
        reason: case.reason.clone(),
        constraints: case.constraints.clone(),
        region: case.region.clone(),
        token: false,
        hold: false,
    };
    let caller = names.caller(&case.asker).map_err(|fault| {
        let text = format!("case {:?} ({}): {}", case.name, case.place, fault.text);
        Fault { text, ..fault }
    })?;
    // Where the key cannot be, the daemon refuses just so.
    let decision = match suppose(config, &case.key, case.region.as_ref(), &case.given) {
        Ok(key) => {
            Question { caller, request, key: key.facts, aliases: key.aliases }.decide(config, now)
        }
        Err(fault) => Decision::Refuse(Refusal::from(fault)),
    };
    Ok(Got::of(decision, now))
}

/// All cases as a document, and how many are wrong.
pub(super) fn document(path: &Path, cases: &[Case], got: &[Got]) -> (Value, usize) {
    let path = path.display();
    let rows: Vec<Value> = cases
        .iter()
        .zip(got)
        .map(|(case, got)| {
            let (Expect { allow, policy, fault, lasts }, differs) =
                (&case.expect, got.differs(&case.expect));
            json!({
                "name": case.name, "place": format!("{path}:{}", case.place),
                "right": differs.is_empty(), "differs": differs,
                "expected": {
                    "decision": word(*allow), "policy": policy, "fault": fault, "lasts-ms": lasts,
                },
                "got": {
                    "decision": word(got.allow), "policy": got.policy, "fault": got.fault,
                    "lasts-ms": got.lasts, "why": got.why,
                },
            })
        })
        .collect();
    let wrong = rows.iter().filter(|row| row["right"] == false).count();
    (Value::Array(rows), wrong)
}

/// The same as a table, with the words of the refusals that nobody expected.
///
/// # Errors
/// When stdout takes no more.
pub(super) fn print(
    path: &Path,
    cases: &[Case],
    got: &[Got],
    out: &mut Out,
) -> Result<usize, Stop> {
    let mut wrong = Vec::new();
    let rows = cases.iter().zip(got).map(|(case, got)| {
        let differs = got.differs(&case.expect);
        let (mark, word) = if differs.is_empty() {
            (Shown::new("ok").fg(Color::Green), got.summary())
        } else {
            wrong.push((case, got));
            (Shown::new("wrong").fg(Color::Red), differs.join("; "))
        };
        let row = [clean(&case.name), clean(&word), case.place.to_string()];
        std::iter::once(mark).chain(row.into_iter().map(Shown::new)).collect()
    });
    let rows = rows.collect();
    out.table(&["", "CASE", "DECISION", "PLACE"], rows)?;
    for (case, got) in &wrong {
        let why = got.why.clone().unwrap_or_else(|| got.summary());
        out.line("")?;
        out.line(format!("{}:{} {:?}: {}", path.display(), case.place, case.name, clean(&why)))?;
    }
    Ok(wrong.len())
}

#[cfg(test)]
mod tests;
