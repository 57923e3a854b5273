//! `grantd explain`: what the daemon would say to a request, by which line of which file, or what
//! each policy missed. Nothing is asked for and nothing recorded.

use std::collections::BTreeSet;
use std::io;

use comfy_table::Cell;
use serde_json::{Value, json};

use super::args::ExplainArgs;
use super::check::load;
use super::create::Usable;
use super::finding::{self, Level, worst};
use super::online::{Online, Seen};
use super::out::{BAD, GOOD, Out, STRONG, Stop};
use super::question::{OVERFLOW, Question, caller};
use super::words::{clean, context, deadline, operations, span};
use crate::client::with_late_groups;
use crate::config::Config;
use crate::fault::exit;
use crate::rules::policy::{Decision, Miss, Missed, Refusal, Terms};
use crate::rules::suppose::{Given, Supposed, suppose};
use crate::wire::Problem;

/// Decide the request, and say why.
///
/// # Errors
/// What cannot be right in the command line, or the configuration's problems.
pub(super) fn explain(args: ExplainArgs, out: &mut Out) -> Result<u8, Stop> {
    let ExplainArgs { request, user, config, online, key } = args;
    let usable = Usable::of(request, out.json)?;
    let config = load(&config)?;
    let request = usable.request;
    let given = Given {
        aliases: key.alias,
        spec: key.key_spec,
        usage: key.key_usage,
        state: key.key_state,
    };
    let (supposed, findings) = match online {
        true => {
            let seen = super::wait(async { Ok(Online::new(&config)?.one(&request).await?) })?;
            let Seen { facts, aliases, findings } = seen;
            (Supposed { facts, aliases, assumed: Vec::new() }, Some(findings))
        }
        false => (suppose(&config, &request.key, request.region.as_ref(), &given)?, None),
    };
    let myself = user.is_none();
    let caller = caller(user.as_deref())?;
    let Supposed { facts, aliases, assumed } = supposed;
    let question = Question { caller, request, key: facts, aliases };
    let mut decision = question.decide(&config, out.now);
    if let (Decision::Refuse(refusal), true) = (&mut decision, myself) {
        refusal.fault = with_late_groups(refusal.fault.clone());
    }
    let told = Told { config: &config, question: &question, decision: &decision };
    if out.json {
        let mut document = told.document(&assumed);
        if let Some(findings) = &findings {
            document["online"] = json!(findings);
        }
        out.document(&document)?;
    } else if usable.quiet {
        out.line(told.word())?;
    } else {
        told.print(&assumed, out)?;
        if let Some(findings) = &findings {
            out.line("")?;
            out.line(format!("{STRONG}what AWS says{STRONG:#}"))?;
            finding::print(findings, out)?;
        }
    }
    let failed = findings.as_deref().is_some_and(|all| worst(all) == Level::Failure);
    Ok(match decision {
        Decision::Grant(_) if !failed => exit::OK,
        Decision::Grant(_) | Decision::Refuse(_) => exit::REFUSED,
    })
}

/// A decision and what it is about.
pub(super) struct Told<'a> {
    pub(super) config: &'a Config,
    pub(super) question: &'a Question,
    pub(super) decision: &'a Decision,
}

impl Told<'_> {
    /// `allow` or `refuse`.
    pub(super) const fn word(&self) -> &'static str {
        match self.decision {
            Decision::Grant(_) => "allow",
            Decision::Refuse(_) => "refuse",
        }
    }

    /// The policy that decided: its name and its place in the file.
    fn policy(&self) -> Option<(&str, String)> {
        match self.decision {
            Decision::Grant(terms) => Some((&terms.policy, terms.place.clone())),
            Decision::Refuse(refusal) => {
                let name = refusal.policy.as_deref()?;
                Some((name, self.config.place(self.config.policy(name)?)))
            }
        }
    }

    pub(super) fn document(&self, assumed: &[String]) -> Value {
        let Question { caller, request, key, aliases } = self.question;
        let policy = self.policy();
        let mut all = json!({
            "decision": self.word(),
            "policy": policy.as_ref().map(|(name, _)| name),
            "place": policy.as_ref().map(|(_, place)| place),
            "asker": {
                "uid": caller.uid, "name": caller.name, "gid": caller.gid,
                "groups": caller.groups,
            },
            "key-arn": key.arn, "aliases": aliases,
            "grantee": self.question.grantee().ok(), "operations": request.operations,
            "assumed": assumed,
        });
        match self.decision {
            Decision::Grant(terms) => {
                let Terms { deadline, latest, lead, operations, .. } = terms;
                all["operations"] = json!(operations);
                all["terms"] = json!({ "deadline": deadline, "latest": latest, "lead-ms": lead });
            }
            Decision::Refuse(refusal) => {
                all["fault"] = json!(Problem::from(&refusal.fault));
                all["missed"] = refusal.misses.iter().map(miss_document).collect();
            }
        }
        all
    }

    fn print(&self, assumed: &[String], out: &mut Out) -> io::Result<()> {
        let by = self.policy().map(|(name, place)| format!("  by policy {name} ({place})"));
        let by = clean(&by.unwrap_or_default());
        match self.decision {
            Decision::Grant(_) => out.line(format!("{GOOD}allowed{GOOD:#}{by}"))?,
            Decision::Refuse(_) => out.line(format!("{BAD}refused{BAD:#}{by}"))?,
        }
        for (name, value) in self.rows(out) {
            out.line(format!("  {name:<11} {}", clean(&value)))?;
        }
        for text in assumed {
            out.line(format!("  {:<11} {}", "assumed", clean(text)))?;
        }
        let Decision::Refuse(Refusal { fault, misses, .. }) = self.decision else {
            return Ok(());
        };
        if !misses.is_empty() {
            out.line("")?;
            out.line(format!("{STRONG}what each policy missed, the nearest first{STRONG:#}"))?;
            out.table(&["POLICY", "PLACE", "MISSED"], misses.iter().map(miss_row).collect())?;
        }
        out.line("")?;
        out.line(format!(
            "{STRONG}why{STRONG:#}   {} ({})",
            clean(&fault.text),
            fault.kind.code()
        ))?;
        out.line(format!("{STRONG}hint{STRONG:#}  {}", clean(fault.remedy())))
    }

    fn rows(&self, out: &Out) -> Vec<(&'static str, String)> {
        let Question { caller, request, key, aliases } = self.question;
        let groups = caller.groups.iter().chain([&caller.gid]).filter(|gid| **gid != OVERFLOW);
        let groups: BTreeSet<u32> = groups.copied().collect();
        let groups: Vec<String> = groups.iter().map(u32::to_string).collect();
        let groups = if groups.is_empty() { "none".to_owned() } else { groups.join(" ") };
        let who = format!("{} (uid {}, groups {groups})", caller.name, caller.uid);
        let aliases =
            if aliases.is_empty() { String::new() } else { format!(" ({})", aliases.join(", ")) };
        let grantee = self.question.grantee();
        let grantee = grantee.map_or_else(|_| request.grantee.clone(), |found| found.to_string());
        let mut rows = vec![
            ("asker", who),
            ("key", format!("{}{aliases}", key.arn)),
            ("grantee", grantee),
            ("operations", request.operations.join(", ")),
        ];
        rows.extend(context(&request.constraints).map(|text| ("context", text)));
        if let Decision::Grant(Terms { deadline: at, latest, lead, operations: ops, .. }) =
            self.decision
        {
            rows[3].1 = operations(ops);
            rows.push(("deadline", deadline(*at, out.now, &out.zone)));
            rows.push(("latest", deadline(*latest, out.now, &out.zone)));
            if *lead > 0 {
                rows.push(("lead", format!("the end is sent {} before", span(*lead))));
            }
        }
        rows
    }
}

fn what(missed: &Missed) -> (&'static str, &[String]) {
    match missed {
        Missed::Key(lists) => ("keys", lists),
        Missed::Grantee(lists) => ("grantees", lists),
        Missed::Caller(lists) => ("callers", lists),
    }
}

fn miss_document(miss: &Miss) -> Value {
    let missed: Vec<Value> = miss
        .missed
        .iter()
        .map(|missed| {
            let (what, lists) = what(missed);
            json!({ "what": what, "lists": lists })
        })
        .collect();
    json!({ "policy": miss.policy, "place": miss.place, "missed": missed })
}

fn miss_row(miss: &Miss) -> Vec<Cell> {
    let missed: Vec<String> = miss
        .missed
        .iter()
        .map(|missed| {
            let (what, lists) = what(missed);
            format!("its {what} are {}", clean(&lists.join(", ")))
        })
        .collect();
    vec![
        Cell::new(clean(&miss.policy)),
        Cell::new(clean(&miss.place)),
        Cell::new(missed.join("; ")),
    ]
}
