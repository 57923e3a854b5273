//! `grantd sweep`: one stateless pass that ends what is ours by its Name and past its deadline.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::args::DEFAULT_CONFIG;
use super::check::load;
use super::examples;
use super::finding;
use super::online::{End, Online, Sweep, Swept};
use super::out::{BAD, GOOD, Out, Stop, WARN};
use super::words::{clean, lateness, utc};
use crate::fault::exit;
use crate::rules::life::Via;
use crate::rules::time::Time;

/// The exit code when something overdue is left, or could not be looked at.
const LEFT: u8 = 1;

/// `grantd sweep`.
#[derive(Debug, Args)]
#[command(after_help = examples::SWEEP)]
pub struct SweepArgs {
    /// The configuration
    #[arg(long, value_name = "FILE", default_value = DEFAULT_CONFIG)]
    pub config: PathBuf,
    /// Show what is overdue, and end nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Sweep, and tell.
///
/// # Errors
/// A configuration that does not load; when stdout takes no more.
pub(super) async fn sweep(args: &SweepArgs, out: &mut Out) -> Result<u8, Stop> {
    let config = load(&args.config)?;
    let swept = Online::new(&config)?.sweep(args.dry_run).await;
    if out.json {
        let overdue: Vec<Value> = swept.overdue.iter().map(document).collect();
        out.document(&json!({
            "dry-run": args.dry_run, "seen": swept.seen, "overdue": overdue,
            "failures": swept.failures,
        }))?;
    } else {
        for one in &swept.overdue {
            out.line(line(one, out.now))?;
        }
        finding::print(&swept.failures, out)?;
        out.line(summary(&swept))?;
    }
    let left = swept.overdue.iter().any(|one| is_left(&one.end));
    Ok(if left || !swept.failures.is_empty() { LEFT } else { exit::OK })
}

const fn is_left(end: &End) -> bool {
    match end {
        End::NotTried | End::Failed(_) => true,
        End::Accepted(_) | End::Gone => false,
    }
}

fn line(swept: &Swept, now: Time) -> String {
    let Swept { key, reference, grantee, deadline, end, .. } = swept;
    let (style, word, more) = match end {
        End::NotTried => (WARN, "overdue", String::new()),
        End::Accepted(Via::Retire) => (GOOD, "retired", String::new()),
        End::Accepted(Via::Revoke) => (GOOD, "revoked", String::new()),
        End::Gone => (GOOD, "gone", String::new()),
        End::Failed(why) => (BAD, "left", format!(": {}", clean(why))),
    };
    let (grantee, late) = (clean(grantee), lateness(now, *deadline));
    format!(
        "{style}{word:<7}{style:#}  {reference}  {grantee} on {key}, due {} ({late}){more}",
        utc(*deadline)
    )
}

fn document(swept: &Swept) -> Value {
    let Swept { key, id, reference, grantee, deadline, end } = swept;
    let (word, why) = match end {
        End::NotTried => ("not-tried", None),
        End::Accepted(Via::Retire) => ("retired", None),
        End::Accepted(Via::Revoke) => ("revoked", None),
        End::Gone => ("gone", None),
        End::Failed(why) => ("failed", Some(why)),
    };
    json!({
        "ref": reference, "key": key, "grant-id": id, "grantee": grantee, "deadline": deadline,
        "end": word, "why": why,
    })
}

fn summary(swept: &Sweep) -> String {
    let left = swept.overdue.iter().filter(|one| is_left(&one.end)).count();
    let ended = swept.overdue.len() - left;
    format!("grants looked at: {}, ended: {ended}, overdue and left: {left}", swept.seen)
}
