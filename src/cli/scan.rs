//! `grantd scan`: every grant on the policies' keys, what it is, and what would become of it. Then
//! the daemon looks at them, too.

use std::path::PathBuf;

use clap::Args;
use comfy_table::{Cell, Color};
use serde_json::{Value, json};

use super::args::DEFAULT_CONFIG;
use super::check::load;
use super::examples;
use super::finding;
use super::online::{Online, Scanned};
use super::out::{Out, STRONG, Stop};
use super::source::Daemon;
use super::words::{clean, from_now, utc};
use crate::fault::{Fault, Kind, exit};
use crate::kms::Listed;
use crate::rules::foreign::{Kind as Class, Verdict};
use crate::rules::keyref::KeyRef;
use crate::rules::life::Origin;
use crate::rules::time::Time;

/// The exit code when something could not be looked at.
const PARTLY: u8 = 1;
/// Characters of a grant's id in the table; `--json` has all 64.
const ID_SHOWN: usize = 12;

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
        out.line(summary(&keys))?;
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
    let names = if key.aliases.is_empty() {
        String::new()
    } else {
        format!(" ({})", clean(&key.aliases.join(", ")))
    };
    out.line(format!("{STRONG}{}{STRONG:#}{names}", key.key))?;
    if key.grants.is_empty() {
        out.line("no grants\n")?;
        return Ok(());
    }
    let rows = key.grants.iter().map(|(listed, verdict)| row(listed, verdict, out.now)).collect();
    out.table(&["GRANT", "GRANTEE", "NAME", "CLASS", "WHAT BECOMES OF IT"], rows)?;
    Ok(out.line("")?)
}

fn row(listed: &Listed, verdict: &Verdict<'_>, now: Time) -> Vec<Cell> {
    let (what, colour) = becomes(verdict, now);
    let class = Cell::new(verdict.kind());
    let id: String = listed.id.as_str().chars().take(ID_SHOWN).collect();
    let grantee = listed.grantee.rsplit(['/', ':']).next().unwrap_or_default();
    vec![
        Cell::new(id),
        Cell::new(clean(grantee)),
        Cell::new(clean(&listed.name)),
        match colour {
            Some(colour) => class.fg(colour),
            None => class,
        },
        Cell::new(clean(&what)),
    ]
}

/// In words, with the colour of what should not be so.
fn becomes(verdict: &Verdict<'_>, now: Time) -> (String, Option<Color>) {
    match verdict {
        Verdict::Ours { name, .. } => {
            let at = name.deadline();
            match Origin::Found.due_at(at, 0) <= now {
                true => (format!("overdue since {}", utc(at)), Some(Color::Red)),
                false => (format!("ends {} ({})", utc(at), from_now(at, now)), Some(Color::Green)),
            }
        }
        Verdict::Adoptable(adoption) => {
            let (policy, notes) = (&adoption.policy.name, adoption.notes.join("; "));
            let at = utc(adoption.deadline);
            (format!("policy {policy} would end it {at}: {notes}"), Some(Color::Yellow))
        }
        Verdict::HandsOff { kind, reasons } => {
            let bad = (*kind == Class::Unproven).then_some(Color::Red);
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
            Verdict::Ours { name, policy } => {
                let policy = policy.map(|policy| policy.name.as_str());
                ("ends", Some(name.deadline()), policy, Vec::new())
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
