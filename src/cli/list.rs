//! `grantd list`: leases by deadline, as a table or as one JSON array.

use comfy_table::{Cell, Color};

use super::args::{ListArgs, StateArg};
use super::out::{Out, Stop};
use super::select::grantee;
use super::source::Source;
use super::words;
use crate::fault::Fault;
use crate::rules::freeze::grantee::names;
use crate::rules::life::{How, Origin};
use crate::rules::time::Time;
use crate::wire::{Lease, ListLeases};

/// List what matches, over all pages.
///
/// # Errors
/// The daemon's fault, or stdout's.
pub(super) async fn list(args: &ListArgs, source: &dyn Source, out: &mut Out) -> Result<u8, Stop> {
    let (grantee, pattern) = grantee(args.grantee.as_deref())?;
    let query = query(args, grantee);
    let mut leases = all(query.clone(), source).await?;
    leases.retain(|lease| pattern.as_ref().is_none_or(|named| names(named, &lease.grantee)));
    if !query.all {
        // grantd's own proofs come and go unasked; one that is late is news all the same.
        leases.retain(|lease| lease.origin != Origin::Probe || overdue(lease, out.now));
    }
    if out.json {
        out.document(&leases)?;
    } else if leases.is_empty() {
        out.note(none(&query))?;
    } else {
        table(&leases, args.wide, out)?;
    }
    Ok(0)
}

/// All that matches, over all pages.
///
/// # Errors
/// The daemon's.
pub(super) async fn all<S: Source + ?Sized>(
    mut query: ListLeases,
    source: &S,
) -> Result<Vec<Lease>, Fault> {
    let mut leases = Vec::new();
    loop {
        let page = source.leases(&query).await?;
        leases.extend(page.items);
        query.after = page.next;
        if query.after.is_none() {
            return Ok(leases);
        }
    }
}

/// A line for each; with its Region where they are of several, and who asked for it and why where
/// that is wanted.
///
/// # Errors
/// When stdout takes no more.
pub(super) fn table(leases: &[Lease], wide: bool, out: &mut Out) -> Result<(), Stop> {
    let mut regions = leases.iter().map(|lease| lease.key_arn.region());
    let first = regions.next();
    let several = regions.any(|region| Some(region) != first);
    let mut head = vec!["REF", "GRANTEE", "KEY"];
    head.extend(several.then_some("REGION"));
    head.extend(["OPERATIONS", "ENDS", "STATE"]);
    head.extend(wide.then_some(["POLICY", "ASKER", "REASON"]).into_iter().flatten());
    let rows = leases.iter().map(|lease| row(lease, several, wide, out)).collect();
    Ok(out.table(&head, rows)?)
}

/// What to try where nothing matches.
fn none(query: &ListLeases) -> &'static str {
    match (query.all, query.key.as_ref().is_some_and(|key| key.contains("alias/"))) {
        (true, false) => "no lease matches",
        (false, false) => "no open lease matches; --all shows closed ones too",
        (true, true) => "no lease was asked for by this alias; the key's ARN or id finds all of it",
        (false, true) => {
            "no open lease was asked for by this alias; the key's ARN or id finds all of it, --all \
             shows closed ones too"
        }
    }
}

fn query(args: &ListArgs, grantee: Option<String>) -> ListLeases {
    ListLeases {
        key: args.key.clone(),
        grantee,
        policy: args.policy.clone(),
        state: args.state.map(|state| state.word().to_owned()),
        overdue: args.overdue,
        mine: args.mine,
        // Who asks for closed ones means them.
        all: args.all || args.state == Some(StateArg::Closed),
        after: None,
    }
}

fn row(lease: &Lease, region: bool, wide: bool, out: &Out) -> Vec<Cell> {
    let (state, colour) = state(lease, out.now);
    let state = match colour {
        Some(colour) => Cell::new(state).fg(colour),
        None => Cell::new(state),
    };
    let mut cells = vec![
        Cell::new(&lease.reference),
        Cell::new(words::clean(lease.grantee.short())),
        Cell::new(words::key(&lease.key, &lease.key_arn)),
    ];
    cells.extend(region.then(|| Cell::new(lease.key_arn.region())));
    cells.extend([
        Cell::new(words::some_operations(&lease.operations)),
        Cell::new(ends(lease, out.now)),
        state,
    ]);
    if wide {
        let asker = lease.asker.as_ref().map(|asker| words::clean(&asker.name));
        let text = |text: Option<&str>| Cell::new(words::clean(text.unwrap_or("-")));
        cells.extend([
            text(lease.policy.as_deref()),
            text(asker.as_deref()),
            text(lease.reason.as_deref()),
        ]);
    }
    cells
}

/// The deadline with its distance, as long as it lies ahead of something.
fn ends(lease: &Lease, now: Time) -> String {
    let at = words::near(lease.deadline, now);
    match lease.closed_at {
        Some(_) => at,
        None => format!("{at} ({})", words::from_now(lease.deadline, now)),
    }
}

/// Whether KMS has yet to accept the end of what is in this state.
pub(super) fn owed(state: &str) -> bool {
    matches!(state, "creating" | "active" | "ending")
}

fn overdue(lease: &Lease, now: Time) -> bool {
    owed(&lease.state) && lease.deadline < now
}

/// The state with what is wrong: `ending, overdue (denied)`; or how and when it closed.
pub(super) fn state(lease: &Lease, now: Time) -> (String, Option<Color>) {
    if let Some(at) = lease.closed_at {
        let how = lease.grants.iter().filter_map(|grant| grant.how.map(how)).next_back();
        let text = format!("closed ({} {})", how.unwrap_or("over"), words::near(at, now));
        return (text, None);
    }
    let overdue = overdue(lease, now);
    let fault = lease.grants.iter().find_map(|grant| grant.fault);
    let mut text = words::clean(&lease.state);
    if overdue {
        text.push_str(", overdue");
    }
    if let Some(fault) = fault {
        text.push_str(&format!(" ({})", words::class(fault)));
    }
    let colour = match (overdue, fault, lease.state.as_str()) {
        (true, ..) => Some(Color::Red),
        (false, Some(_), _) | (false, None, "creating" | "ending") => Some(Color::Yellow),
        (false, None, "active") => Some(Color::Green),
        (false, None, _) => None,
    };
    (text, colour)
}

const fn how(how: How) -> &'static str {
    match how {
        How::Retired => "retired",
        How::Revoked => "revoked",
        How::Gone => "gone",
        How::NeverExisted => "never made",
    }
}
