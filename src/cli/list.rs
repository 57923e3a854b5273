//! `grantd list`: leases by deadline, as a table or as one JSON array.

use comfy_table::{Cell, Color};

use super::args::{ListArgs, StateArg};
use super::out::{Out, Stop};
use super::source::Source;
use super::words;
use crate::rules::time::Time;
use crate::wire::{Lease, ListLeases};

/// List what matches, over all pages.
///
/// # Errors
/// The daemon's fault, or stdout's.
pub(super) async fn list(args: &ListArgs, source: &dyn Source, out: &mut Out) -> Result<u8, Stop> {
    let mut query = query(args);
    let mut leases = Vec::new();
    loop {
        let page = source.leases(&query).await?;
        leases.extend(page.items);
        query.after = page.next;
        if query.after.is_none() {
            break;
        }
    }
    if out.json {
        out.document(&leases)?;
    } else if leases.is_empty() {
        out.note(if args.all {
            "no lease matches"
        } else {
            "no open lease matches; --all shows closed ones too"
        })?;
    } else {
        let rows = leases.iter().map(|lease| row(lease, out)).collect();
        out.table(&["REF", "GRANTEE", "KEY", "OPERATIONS", "ENDS", "STATE"], rows)?;
    }
    Ok(0)
}

fn query(args: &ListArgs) -> ListLeases {
    ListLeases {
        key: args.key.clone(),
        grantee: args.grantee.clone(),
        policy: args.policy.clone(),
        state: args.state.map(|state| state.word().to_owned()),
        overdue: args.overdue,
        mine: args.mine,
        // Who asks for closed ones means them.
        all: args.all || args.state == Some(StateArg::Closed),
        after: None,
    }
}

fn row(lease: &Lease, out: &Out) -> Vec<Cell> {
    let (state, colour) = state(lease, out.now);
    let state = match colour {
        Some(colour) => Cell::new(state).fg(colour),
        None => Cell::new(state),
    };
    let ends =
        format!("{} ({})", words::utc(lease.deadline), words::from_now(lease.deadline, out.now));
    vec![
        Cell::new(&lease.reference),
        Cell::new(words::clean(lease.grantee.short())),
        Cell::new(words::key(&lease.key, &lease.key_arn)),
        Cell::new(words::operations(&lease.operations)),
        Cell::new(ends),
        state,
    ]
}

/// The state with what is wrong: `ending, overdue (denied)`.
pub(super) fn state(lease: &Lease, now: Time) -> (String, Option<Color>) {
    let owed = matches!(lease.state.as_str(), "creating" | "active" | "ending");
    let overdue = owed && lease.deadline < now;
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
