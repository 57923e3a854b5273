//! `grantd revoke --key …`: shows what would end, asks, and ends exactly that.
//!
//! What is sent are the refs that were shown, never the selector: a lease that is made meanwhile is
//! told of at the end, and not ended unseen.

use std::collections::BTreeMap;
use std::time::Duration;

use super::list::{all, table};
use super::out::{Out, Stop};
use super::revoke::outcome;
use super::source::Daemon;
use crate::api::pause;
use crate::fault::{Fault, Kind};
use crate::ids::{AccountId, Ref};
use crate::rules::life::{Class, Origin};
use crate::wire::{Lease, ListLeases, REVOKE_MAX, RevokeLeases};

/// Between two looks at what KMS has accepted.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// So many looks in a row without anything new (10 s, as long as the daemon waits for KMS), and the
/// rest is left to the daemon.
const LOOKS_MAX: u32 = 40;
/// Leases that were made meanwhile and are named.
const NAMED: usize = 4;

/// What is to be ended, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Selected {
    /// What the daemon is asked for.
    pub(super) query: ListLeases,
    /// Only in this account: the key's, or the one whose credentials made it.
    pub(super) account: Option<AccountId>,
    /// Only what this user asked for.
    pub(super) caller: Option<u32>,
    /// Why.
    pub(super) reason: Option<String>,
    /// Only show it.
    pub(super) dry_run: bool,
    /// Do not ask.
    pub(super) yes: bool,
}

/// End what matches. The exit code is that of the first fault.
///
/// # Errors
/// Where nothing was ended: the daemon's fault, or nobody to say yes. When stdout takes no more.
pub(super) async fn end(args: &Selected, daemon: &dyn Daemon, out: &mut Out) -> Result<u8, Stop> {
    let leases = matching(args, daemon).await?;
    let refs: Vec<Ref> = leases.iter().map(|lease| lease.reference.clone()).collect();
    if refs.is_empty() {
        if out.json {
            out.document(&leases)?;
        }
        out.note("no open lease matches: nothing to end")?;
        return Ok(0);
    }
    // Whether they are the caller's to end is known before anything is ended.
    ask(&refs, args, true, daemon).await?;
    if !out.json {
        table(&leases, out)?;
    }
    if args.dry_run {
        if out.json {
            out.document(&leases)?;
        }
        out.note(&format!("{} would be ended; --dry-run ends nothing", count(refs.len())))?;
        return Ok(0);
    }
    if !agreed(refs.len(), args.yes, out)? {
        out.note("nothing was ended")?;
        return Ok(0);
    }
    let ended = ask(&refs, args, false, daemon).await?;
    let ended = follow(ended, args, daemon, out).await?;
    let first = report(&refs, &ended, out)?;
    appeared(args, &refs, daemon, out).await?;
    Ok(first.map_or(0, |fault| fault.kind.exit()))
}

fn count(n: usize) -> String {
    if n == 1 { "1 lease".to_owned() } else { format!("{n} leases") }
}

/// The open leases that match and whose end is not on its way yet.
async fn matching(args: &Selected, daemon: &dyn Daemon) -> Result<Vec<Lease>, Fault> {
    let mut leases = all(args.query.clone(), daemon).await?;
    leases.retain(|lease| {
        let account =
            |id: &AccountId| *id == lease.account || id.as_str() == lease.key_arn.account();
        let asker = lease.asker.as_ref().map(|asker| asker.uid);
        lease.origin != Origin::Probe
            && matches!(lease.state.as_str(), "creating" | "active")
            && args.account.as_ref().is_none_or(account)
            && args.caller.is_none_or(|uid| asker == Some(uid))
    });
    Ok(leases)
}

/// Whether a person, or `--yes`, says so.
fn agreed(n: usize, yes: bool, out: &mut Out) -> Result<bool, Stop> {
    if yes {
        return Ok(true);
    }
    let them = if n == 1 { "this lease" } else { "all of these" };
    match out.ask(&format!("End {them} now? [y/N] "))? {
        Some(answer) => Ok(answer),
        None => {
            let text = format!("{} would be ended, and nobody can be asked", count(n));
            Err(Fault::new(Kind::Usage, text).hint("--yes ends them, --dry-run shows them").into())
        }
    }
}

/// Ask the daemon about all of `refs`, a part at a time: to end them, or only how they are.
async fn ask(
    refs: &[Ref],
    args: &Selected,
    dry_run: bool,
    daemon: &dyn Daemon,
) -> Result<Vec<Lease>, Fault> {
    let mut leases = Vec::new();
    for part in refs.chunks(REVOKE_MAX) {
        let request = RevokeLeases { refs: part.to_vec(), reason: args.reason.clone(), dry_run };
        leases.extend(daemon.revoke_many(&request).await?.items);
    }
    Ok(leases)
}

/// Whether KMS has accepted the end.
fn accepted(lease: &Lease) -> bool {
    matches!(lease.state.as_str(), "ended" | "closed")
}

/// Look at them until KMS has accepted each end, or nothing moves any more.
async fn follow(
    ended: Vec<Lease>,
    args: &Selected,
    daemon: &dyn Daemon,
    out: &mut Out,
) -> Result<BTreeMap<Ref, Lease>, Stop> {
    let mut known: BTreeMap<Ref, Lease> =
        ended.into_iter().map(|lease| (lease.reference.clone(), lease)).collect();
    let mut looks = 0;
    loop {
        let open = known.values().filter(|lease| !accepted(lease));
        let open: Vec<Ref> = open.map(|lease| lease.reference.clone()).collect();
        if out.live && !out.json {
            out.progress(&format!("ended {} of {}", known.len() - open.len(), known.len()))?;
        }
        if open.is_empty() || looks == LOOKS_MAX {
            break;
        }
        pause(LOOK_EVERY).await;
        looks += 1;
        for lease in ask(&open, args, true, daemon).await? {
            if accepted(&lease) {
                looks = 0;
            }
            known.insert(lease.reference.clone(), lease);
        }
    }
    if out.live && !out.json {
        out.settle(&format!(
            "ended {} of {}",
            known.values().filter(|l| accepted(l)).count(),
            known.len()
        ))?;
    }
    Ok(known)
}

/// What became of each, in the order in which they were shown; the first fault.
fn report(
    refs: &[Ref],
    ended: &BTreeMap<Ref, Lease>,
    out: &mut Out,
) -> Result<Option<Fault>, Stop> {
    let leases: Vec<&Lease> = refs.iter().filter_map(|lease| ended.get(lease)).collect();
    let mut first = None;
    for lease in &leases {
        if !out.json {
            out.line(outcome(lease))?;
        }
        if !accepted(lease) {
            let fault = still(lease);
            out.trouble(&fault)?;
            first.get_or_insert(fault);
        }
    }
    if out.json {
        out.document(&leases)?;
    }
    Ok(first)
}

/// Why KMS has not accepted it.
fn still(lease: &Lease) -> Fault {
    let denied = lease.grants.iter().any(|grant| grant.fault == Some(Class::Denied));
    let (kind, why) = if denied {
        (Kind::KmsDenied, "KMS refuses grantd the end")
    } else {
        (Kind::OutcomeUnknown, "KMS has not accepted the end")
    };
    let text =
        format!("lease {}: {why}; the wish is recorded, and grantd goes on", lease.reference);
    Fault::new(kind, text).about(lease.reference.clone())
}

/// Leases that match and were not shown: whoever watches an incident has to know.
async fn appeared(
    args: &Selected,
    refs: &[Ref],
    daemon: &dyn Daemon,
    out: &mut Out,
) -> Result<(), Stop> {
    let mut new = matching(args, daemon).await?;
    new.retain(|lease| !refs.contains(&lease.reference));
    if new.is_empty() {
        return Ok(());
    }
    let named: Vec<&str> = new.iter().take(NAMED).map(|l| l.reference.as_str()).collect();
    let more = if new.len() > NAMED { ", …" } else { "" };
    out.note(&format!(
        "made meanwhile and not ended: {} ({}{more}); run it again, or freeze first",
        count(new.len()),
        named.join(", ")
    ))?;
    Ok(())
}
