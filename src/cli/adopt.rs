//! `grantd adopt` and `grantd resume`: what people do about grants that others made.

use clap::Args;

use super::create::{headline, until};
use super::examples;
use super::extend::warn;
use super::extend_args::DeadlineArgs;
use super::out::{Out, Stop};
use super::source::Daemon;
use super::words::{clean, from_now, utc};
use crate::fault::{Fault, Kind};
use crate::ids::{GrantId, KeyArn};
use crate::wire::{AdoptGrant, AdoptionHold, Resume};

/// `grantd adopt`.
#[derive(Debug, Args)]
#[command(after_help = examples::ADOPT)]
pub struct AdoptArgs {
    /// KMS's id of the grant, as `grantd scan --json` or `aws kms list-grants` shows it
    #[arg(value_name = "GRANT-ID")]
    pub grant_id: String,
    /// Its key: ARN, key id or alias
    #[arg(long, visible_alias = "key-id")]
    pub key: String,
    /// Until when, and why.
    #[command(flatten)]
    pub deadline: DeadlineArgs,
}

/// `grantd resume`.
#[derive(Debug, Args)]
#[command(after_help = examples::RESUME)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true))]
pub struct ResumeArgs {
    /// Let this policy adopt; may be repeated
    #[arg(long, value_name = "NAME", group = "what")]
    pub policy: Vec<String>,
    /// Let the adopted grants of this key end again: ARN, key id or alias; may be repeated
    #[arg(long, visible_alias = "key-id", group = "what")]
    pub key: Vec<String>,
    /// All that is held
    #[arg(long, group = "what", conflicts_with_all = ["policy", "key"])]
    pub all: bool,
    /// Do not ask; needed where there is no terminal
    #[arg(short, long)]
    pub yes: bool,
    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

/// Put one grant of somebody else under a deadline.
///
/// # Errors
/// What cannot be right as it was typed; the daemon's fault.
pub(super) async fn adopt(
    args: &AdoptArgs,
    daemon: &dyn Daemon,
    out: &mut Out,
) -> Result<u8, Stop> {
    let deadline = &args.deadline;
    let bad = |error: crate::ids::BadId| Fault::new(Kind::BadArgument, error.to_string());
    let request = AdoptGrant {
        key: args.key.clone(),
        grant_id: GrantId::parse(args.grant_id.as_str()).map_err(bad)?,
        ttl: deadline.ttl.clone(),
        until: deadline.until.as_deref().map(until).transpose()?,
        reason: deadline.reason.clone(),
    };
    let adopted = daemon.adopt(&request).await?;
    if out.json {
        out.document(&adopted)?;
        return Ok(0);
    }
    let line = headline(&adopted.lease, out);
    out.line(line)?;
    out.line("a grant of grantd's own stands in for the original, which is ended")?;
    warn(out, &adopted)?;
    Ok(0)
}

/// Let go on what is held, once a person or `--yes` says so.
///
/// # Errors
/// The daemon's fault, or nobody to say yes.
pub(super) async fn resume(
    args: &ResumeArgs,
    daemon: &dyn Daemon,
    out: &mut Out,
) -> Result<u8, Stop> {
    let ResumeArgs { policy: policies, key: keys, all, reason, .. } = args;
    let request = Resume {
        policies: policies.clone(),
        keys: keys.clone(),
        all: *all,
        reason: reason.clone(),
    };
    if !args.yes {
        let holds = daemon.status().await?.holds;
        if holds.is_empty() {
            return Err(Fault::new(Kind::HoldUnknown, "nothing is held").into());
        }
        for hold in &holds {
            out.note(&told(hold, out.now))?;
        }
        match out.ask("Let what you named of these go on? [y/N] ")? {
            Some(true) => {}
            Some(false) => {
                out.note("nothing was resumed")?;
                return Ok(0);
            }
            None => {
                let text = "grants of others would be ended, and nobody can be asked";
                let hint = "--yes resumes it, `grantd scan` shows what would end";
                return Err(Fault::new(Kind::Usage, text).hint(hint).into());
            }
        }
    }
    let resumed = daemon.resume(&request).await?;
    if out.json {
        out.document(&resumed)?;
        return Ok(0);
    }
    for hold in &resumed.items {
        out.line(format!("resumed: {}", told(hold, out.now)))?;
    }
    Ok(0)
}

fn told(hold: &AdoptionHold, now: crate::rules::time::Time) -> String {
    let AdoptionHold { policy, key_arn, since, grants } = hold;
    let since = format!("held since {} ({})", utc(*since), from_now(*since, now));
    match (policy, key_arn) {
        (Some(policy), _) => {
            format!(
                "policy {}, {since}: {grants} grants of others would come under it",
                clean(policy)
            )
        }
        (None, key) => {
            let key = key.as_ref().map_or("?", KeyArn::as_str);
            format!("the brake of {key}, {since}: {grants} adopted grants are past their deadline")
        }
    }
}
