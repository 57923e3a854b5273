//! `grantd scan`: every grant on the policies' keys, what it is, and what would become of it. Then
//! the daemon looks at them, too.

use std::path::PathBuf;

use anstyle::Style;
use clap::Args;
use serde_json::{Value, json};

use super::args::DEFAULT_CONFIG;
use super::check::load;
use super::examples;
use super::finding;
use super::online::{Online, Scanned};
use super::out::{BAD, GOOD, Out, STRONG, Stop, WARN};
use super::source::Daemon;
use super::words::{clean, fold, from_now, utc};
use crate::fault::{Fault, Kind, exit};
use crate::kms::Listed;
use crate::rules::foreign::{Kind as Class, Verdict};
use crate::rules::found::Given;
use crate::rules::keyref::KeyRef;
use crate::rules::life::Origin;
use crate::rules::time::Time;

/// The exit code when something could not be looked at.
const PARTLY: u8 = 1;
/// Columns of what is said of a grant, without its indent: a terminal of a hundred holds it.
const WIDTH: usize = 96;

/// `grantd scan`.
#[derive(Debug, Args)]
#[command(after_help = examples::SCAN)]
pub struct ScanArgs {
    /// The configuration
    #[arg(long, value_name = "FILE", default_value = DEFAULT_CONFIG)]
    pub config: PathBuf,
    /// Only this key: ARN, key id or alias; may be repeated
    #[arg(long, visible_alias = "key-id")]
    pub key: Vec<String>,
    /// Only show it; without this the daemon, too, looks at all keys now, and acts on what it sees
    #[arg(long)]
    pub dry_run: bool,
}

/// Look, and tell.
///
/// # Errors
/// A key that is none or that no policy names; when stdout takes no more.
pub(super) async fn scan(args: &ScanArgs, daemon: &dyn Daemon, out: &mut Out) -> Result<u8, Stop> {
    let config = load(&args.config)?;
    let wanted = args.key.iter().map(|typed| match KeyRef::parse(typed) {
        Ok(key) => Ok((typed.clone(), key)),
        Err(bad) => Err(Fault::new(Kind::BadArgument, bad.to_string())),
    });
    let wanted: Vec<_> = wanted.collect::<Result<_, _>>()?;
    let online = Online::new(&config)?;
    // Whoever reads JSON, or a file, is not told how far it is.
    let (waits, mut shown) = (out.live && !out.json, Ok(()));
    let (keys, failures) = online
        .scan(&wanted, |key, seen| {
            if waits && shown.is_ok() {
                shown = out.progress(&format!("{key}: {seen} grants so far"));
            }
        })
        .await?;
    shown?;
    if out.json {
        let grants: Vec<Value> = keys.iter().flat_map(documents).collect();
        out.document(&json!({ "keys": keys.len(), "grants": grants, "failures": failures }))?;
    } else {
        if waits {
            out.settle("")?;
        }
        for key in &keys {
            table(key, out)?;
        }
        finding::print(&failures, out)?;
        for line in fold(&summary(&keys), WIDTH) {
            out.line(line)?;
        }
    }
    if !args.dry_run {
        search(daemon, out).await?;
    }
    Ok(if failures.is_empty() { exit::OK } else { PARTLY })
}

/// Have the daemon look, too. Where it does not, this was a look all the same.
async fn search(daemon: &dyn Daemon, out: &mut Out) -> Result<(), Stop> {
    match daemon.search().await {
        Ok(_) => out.note("the daemon looks at all of it now, and acts on what it sees")?,
        Err(fault) => out.note(&format!("the daemon was not asked to look: {fault}"))?,
    }
    Ok(())
}

fn table(key: &Scanned<'_>, out: &mut Out) -> Result<(), Stop> {
    out.line(format!("{STRONG}{}{STRONG:#}", key.key))?;
    if !key.aliases.is_empty() {
        for line in fold(&clean(&key.aliases.join(", ")), WIDTH) {
            out.line(format!("  {line}"))?;
        }
    }
    if key.grants.is_empty() {
        out.line("no grants\n")?;
        return Ok(());
    }
    for (listed, verdict) in &key.grants {
        grant(listed, verdict, out)?;
    }
    Ok(out.line("")?)
}

/// A few lines of bounded width: ids and ARNs are whole, so that they can be pasted.
fn grant(listed: &Listed, verdict: &Verdict<'_>, out: &mut Out) -> Result<(), Stop> {
    let (what, colour) = becomes(verdict, out.now);
    let style = colour.unwrap_or_default();
    out.line(format!("{}  {style}{}{style:#}", clean(listed.id.as_str()), verdict.kind()))?;
    let name = if listed.name.is_empty() { "-" } else { &listed.name };
    for (word, text) in [("for", &*listed.grantee), ("Name", name)] {
        out.line(format!("  {word:<5} {}", clean(text)))?;
    }
    for line in fold(&clean(&what), WIDTH) {
        out.line(format!("  {line}"))?;
    }
    Ok(())
}

/// In words, with the colour of what should not be so.
fn becomes(verdict: &Verdict<'_>, now: Time) -> (String, Option<Style>) {
    match verdict {
        Verdict::Ours { name, given } => {
            let at = name.deadline();
            let (text, colour) = match Origin::Found.due_at(at, 0) <= now {
                true => (format!("overdue since {}", utc(at)), BAD),
                false => (format!("ends {} ({})", utc(at), from_now(at, now)), GOOD),
            };
            match given {
                Given::Refused(why) => {
                    (format!("{text}; no policy of today would give it: {why}"), Some(BAD))
                }
                Given::Policy(_) | Given::Probe => (text, Some(colour)),
            }
        }
        Verdict::Adoptable(adoption) => {
            let (policy, notes) = (&adoption.policy.name, adoption.notes.join("; "));
            let at = utc(adoption.deadline);
            (format!("policy {policy} would end it {at}: {notes}"), Some(WARN))
        }
        Verdict::HandsOff { kind, reasons } => {
            let bad = matches!(kind, Class::Unproven | Class::Rogue).then_some(BAD);
            (format!("left alone: {}", reasons.join("; ")), bad)
        }
    }
}

fn documents<'a>(key: &'a Scanned<'_>) -> impl Iterator<Item = Value> + 'a {
    key.grants.iter().map(|(listed, verdict)| {
        let mut document = json!({
            "key": key.key, "aliases": key.aliases, "grant-id": listed.id, "name": listed.name,
            "grantee": listed.grantee, "retiring-principal": listed.retiring_principal,
            "issuing-account": listed.issuing_account, "operations": listed.operations,
            "constraints": listed.constraints, "created": listed.created, "class": verdict.kind(),
        });
        let (fate, deadline, policy, reasons) = match verdict {
            Verdict::Ours { name, given } => {
                let policy = given.policy().map(|policy| policy.name.as_str());
                let reasons = match given {
                    Given::Refused(why) => vec![why.clone()],
                    Given::Policy(_) | Given::Probe => Vec::new(),
                };
                ("ends", Some(name.deadline()), policy, reasons)
            }
            Verdict::Adoptable(adoption) => {
                let (policy, notes) = (adoption.policy.name.as_str(), adoption.notes.clone());
                ("would-end", Some(adoption.deadline), Some(policy), notes)
            }
            Verdict::HandsOff { reasons, .. } => ("left-alone", None, None, reasons.clone()),
        };
        document["fate"] = json!(fate);
        document["deadline"] = json!(deadline);
        document["policy"] = json!(policy);
        document["reasons"] = json!(reasons);
        document
    })
}

/// `12 grants on 3 keys: 5 ours, 2 person-made, 5 service-made`.
fn summary(keys: &[Scanned<'_>]) -> String {
    let mut classes = std::collections::BTreeMap::<Class, usize>::new();
    for (_, verdict) in keys.iter().flat_map(|key| &key.grants) {
        *classes.entry(verdict.kind()).or_default() += 1;
    }
    let grants: usize = classes.values().sum();
    let parts: Vec<_> = classes.iter().map(|(class, n)| format!("{n} {class}")).collect();
    let what = if parts.is_empty() { String::new() } else { format!(": {}", parts.join(", ")) };
    format!("grants: {grants}, on keys: {}{what}", keys.len())
}
