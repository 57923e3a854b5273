//! `grantd revoke --key …`: shows what would end, asks, and ends exactly that.
//!
//! What is sent are the refs that were shown, never the selector: a lease that is made meanwhile is
//! told of at the end, and not ended unseen.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::args::RevokeArgs;
use super::list::{all, table};
use super::out::{Out, Stop};
use super::revoke::outcome;
use super::source::Daemon;
use crate::api::pause;
use crate::config::has_glob;
use crate::fault::{Fault, Kind};
use crate::ids::{KeyArn, Principal, Ref};
use crate::rules::freeze::grantee::{Unreadable, names, readable};
use crate::rules::freeze::{Subject, fits};
use crate::rules::life::{Class, Origin};
use crate::wire::{Freeze, Lease, ListLeases, REVOKE_MAX, RevokeLeases};

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
    /// Which leases.
    pub(super) what: What,
    /// Why.
    pub(super) reason: Option<String>,
    /// Only show it.
    pub(super) dry_run: bool,
    /// Do not ask.
    pub(super) yes: bool,
}

impl Selected {
    /// What was typed behind `revoke`.
    ///
    /// # Errors
    /// [`Kind::BadArgument`] where `--grantee` can name nobody: that nothing matches it would be
    /// taken for good news.
    pub(super) fn of(args: &RevokeArgs) -> Result<Self, Fault> {
        let (grantee, pattern) = grantee(args.grantee.as_deref())?;
        let query = ListLeases {
            key: args.key.clone(),
            grantee,
            policy: args.policy.clone(),
            mine: args.mine,
            ..ListLeases::default()
        };
        let what = match args.references.is_empty() {
            true => What::Listed(query, pattern),
            false => What::Named(args.references.clone()),
        };
        Ok(Self { what, reason: args.reason.clone(), dry_run: args.dry_run, yes: args.yes })
    }
}

/// What a listing is asked for, and the pattern that chooses from it: one of the two. KMS may show
/// a unique id as a grantee, so that is one here.
///
/// # Errors
/// [`Kind::BadArgument`] where it can name nobody.
pub(super) fn grantee(typed: Option<&str>) -> Result<(Option<String>, Option<String>), Fault> {
    let Some(named) = typed else { return Ok((None, None)) };
    let ghost = Principal::parse(named).is_ok_and(|named| named.is_unique_id());
    if let (false, Err(Unreadable { why, hint })) = (ghost, readable(named)) {
        let text = format!("--grantee {named:?} {why}");
        return Err(Fault::new(Kind::BadArgument, text).hint(hint));
    }
    let named = named.to_owned();
    Ok(if has_glob(&named) { (None, Some(named)) } else { (Some(named), None) })
}

/// Which leases are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// Those with these refs, or unique beginnings of them.
    Named(Vec<String>),
    /// What a listing shows of this, of grantees that this pattern names; under an alias, all that
    /// is on the key.
    Listed(ListLeases, Option<String>),
    /// What this freeze fits.
    Frozen(Freeze),
}

impl What {
    /// What is to be listed for it. A listing knows an alias only as it was typed: the leases that
    /// were asked for by it tell the key, and the key tells all of its leases.
    ///
    /// # Errors
    /// Where an alias tells no key; the daemon's.
    async fn queries(&self, daemon: &dyn Daemon) -> Result<Vec<ListLeases>, Fault> {
        let query = match self {
            Self::Listed(query, _) => query,
            Self::Named(_) => return Ok(Vec::new()),
            Self::Frozen(_) => return Ok(vec![ListLeases::default()]),
        };
        let Some(alias) = query.key.as_ref().filter(|key| key.contains("alias/")) else {
            return Ok(vec![query.clone()]);
        };
        let by_alias = ListLeases { key: Some(alias.clone()), ..ListLeases::default() };
        let known = all(by_alias, daemon).await?;
        let keys: BTreeSet<KeyArn> = known.into_iter().map(|lease| lease.key_arn).collect();
        if keys.is_empty() {
            let text = format!(
                "no open lease was asked for by {alias}, so it is not known here which key that is"
            );
            return Err(Fault::new(Kind::KeyNotFound, text)
                .hint("name the key's ARN or id: `grantd list` shows what lives"));
        }
        let on = |key: KeyArn| ListLeases { key: Some(key.to_string()), ..query.clone() };
        Ok(keys.into_iter().map(on).collect())
    }

    /// The open leases of these that are meant and whose end is not on its way yet, by deadline.
    async fn matching(
        &self,
        queries: &[ListLeases],
        daemon: &dyn Daemon,
    ) -> Result<Vec<Lease>, Fault> {
        let mut leases = Vec::new();
        for query in queries {
            leases.extend(all(query.clone(), daemon).await?);
        }
        if let Self::Named(refs) = self {
            for reference in refs {
                leases.push(daemon.lease(reference).await?);
            }
        }
        leases.retain(|lease| {
            lease.origin != Origin::Probe
                && matches!(lease.state.as_str(), "creating" | "active")
                && match self {
                    Self::Named(_) | Self::Listed(_, None) => true,
                    Self::Listed(_, Some(pattern)) => names(pattern, &lease.grantee),
                    Self::Frozen(freeze) => fits(&freeze.scope, &freeze.keys, &subject(lease)),
                }
        });
        leases.sort_by_key(|lease| lease.deadline);
        Ok(leases)
    }

    /// How many open leases it is.
    ///
    /// # Errors
    /// Those of the listing.
    pub(super) async fn count(&self, daemon: &dyn Daemon) -> Result<usize, Fault> {
        let queries = self.queries(daemon).await?;
        Ok(self.matching(&queries, daemon).await?.len())
    }
}

/// A lease as a freeze looks at it. Its key's aliases are not known here: the freeze knows the key.
fn subject(lease: &Lease) -> Subject<'_> {
    Subject {
        key_arn: &lease.key_arn,
        key: &lease.key,
        aliases: &[],
        grantee: &lease.grantee,
        policy: lease.policy.as_deref(),
        account: &lease.account,
        caller: lease.asker.as_ref().map(|asker| asker.uid),
    }
}

/// End what matches. The exit code is that of the first fault.
///
/// # Errors
/// Where nothing was ended: the daemon's fault, or nobody to say yes. When stdout takes no more.
pub(super) async fn end(args: &Selected, daemon: &dyn Daemon, out: &mut Out) -> Result<u8, Stop> {
    let queries = args.what.queries(daemon).await?;
    let leases = args.what.matching(&queries, daemon).await?;
    let refs: Vec<Ref> = leases.iter().map(|lease| lease.reference.clone()).collect();
    if refs.is_empty() {
        if out.json {
            out.document(&leases)?;
        }
        out.note("no open lease matches: nothing to end")?;
        return Ok(0);
    }
    // Whether they are the caller's to end is known before anything is ended.
    ask(&refs, args, true, daemon).await.all()?;
    if !out.json {
        table(&leases, false, out)?;
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
    let Told { leases, fault } = ask(&refs, args, false, daemon).await;
    if let (true, Some(fault)) = (leases.is_empty(), &fault) {
        return Err(fault.clone().into());
    }
    let fault = fault.map(|fault| partly(leases.len(), refs.len(), fault));
    let (ended, lost) = follow(leases, args, daemon, out).await?;
    let mut first = report(&refs, &ended, out)?;
    // What has begun is told to its end, whatever the daemon says meanwhile.
    let since = appeared(args, &queries, &refs, daemon, out).await?;
    for fault in [fault, lost, since].into_iter().flatten() {
        out.trouble(&fault)?;
        first.get_or_insert(fault);
    }
    Ok(first.map_or(0, |fault| fault.kind.exit()))
}

fn count(n: usize) -> String {
    if n == 1 { "1 lease".to_owned() } else { format!("{n} leases") }
}

/// What is told where the daemon took a part and not the next.
fn partly(taken: usize, of: usize, fault: Fault) -> Fault {
    let text = format!(
        "the daemon was asked to end {taken} of {of} leases; the others may live on: {}",
        fault.text.trim_end_matches(". Nothing was ended")
    );
    Fault { text, ..fault }.hint("run it again: it shows what still lives")
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

/// What the daemon told of leases, up to a fault.
struct Told {
    leases: Vec<Lease>,
    fault: Option<Fault>,
}

impl Told {
    fn all(self) -> Result<Vec<Lease>, Fault> {
        self.fault.map_or(Ok(self.leases), Err)
    }
}

/// Ask the daemon about all of `refs`, a part at a time: to end them, or only how they are.
async fn ask(refs: &[Ref], args: &Selected, dry_run: bool, daemon: &dyn Daemon) -> Told {
    let mut leases = Vec::new();
    for part in refs.chunks(REVOKE_MAX) {
        let request = RevokeLeases { refs: part.to_vec(), reason: args.reason.clone(), dry_run };
        match daemon.revoke_many(&request).await {
            Ok(page) => leases.extend(page.items),
            Err(fault) => return Told { leases, fault: Some(fault) },
        }
    }
    Told { leases, fault: None }
}

/// Whether KMS has accepted the end.
fn accepted(lease: &Lease) -> bool {
    matches!(lease.state.as_str(), "ended" | "closed")
}

/// Look at them until KMS has accepted each end, nothing moves any more, or the daemon is gone.
async fn follow(
    ended: Vec<Lease>,
    args: &Selected,
    daemon: &dyn Daemon,
    out: &mut Out,
) -> Result<(BTreeMap<Ref, Lease>, Option<Fault>), Stop> {
    let mut known: BTreeMap<Ref, Lease> =
        ended.into_iter().map(|lease| (lease.reference.clone(), lease)).collect();
    let (mut looks, mut lost) = (0, None);
    loop {
        let open = known.values().filter(|lease| !accepted(lease));
        let open: Vec<Ref> = open.map(|lease| lease.reference.clone()).collect();
        if out.live && !out.json {
            out.progress(&format!("ended {} of {}", known.len() - open.len(), known.len()))?;
        }
        if open.is_empty() || looks == LOOKS_MAX || lost.is_some() {
            break;
        }
        pause(LOOK_EVERY).await;
        looks += 1;
        let told = ask(&open, args, true, daemon).await;
        lost = told.fault;
        for lease in told.leases {
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
    Ok((known, lost))
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

/// Leases that match and were not shown: whoever watches an incident has to know. The fault where
/// that cannot be said.
async fn appeared(
    args: &Selected,
    queries: &[ListLeases],
    refs: &[Ref],
    daemon: &dyn Daemon,
    out: &mut Out,
) -> Result<Option<Fault>, Stop> {
    let mut new = match args.what.matching(queries, daemon).await {
        Ok(new) => new,
        Err(fault) => return Ok(Some(fault)),
    };
    new.retain(|lease| !refs.contains(&lease.reference));
    if new.is_empty() {
        return Ok(None);
    }
    let named: Vec<&str> = new.iter().take(NAMED).map(|l| l.reference.as_str()).collect();
    let more = if new.len() > NAMED { ", …" } else { "" };
    out.note(&format!(
        "made meanwhile and not ended: {} ({}{more}); run it again, or freeze first",
        count(new.len()),
        named.join(", ")
    ))?;
    Ok(None)
}

#[cfg(test)]
mod tests;
