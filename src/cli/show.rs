//! `grantd show`: all particulars of one lease, with the instants of its end and how late they
//! were.

use super::args::ShowArgs;
use super::list::state;
use super::out::{Out, STRONG, Stop, WARN};
use super::source::Source;
use super::words::{
    class, clean, context, deadline, from_now, lateness, operations, span, utc, utc_ms,
};
use crate::config::is_loopback;
use crate::rules::life::{How, Origin, Why};
use crate::rules::time::Time;
use crate::wire::{Grant, Lease};

/// Show one lease.
///
/// # Errors
/// The daemon's fault, or stdout's.
pub(super) async fn show(args: &ShowArgs, source: &dyn Source, out: &mut Out) -> Result<u8, Stop> {
    let lease = source.lease(&args.reference).await?;
    print(out, &lease)?;
    Ok(0)
}

/// The lease, then each of its grants.
///
/// # Errors
/// When stdout takes no more.
pub(super) fn print(out: &mut Out, lease: &Lease) -> Result<(), Stop> {
    if out.json {
        out.document(lease)?;
        return Ok(());
    }
    let (state, _) = state(lease, out.now);
    out.line(format!("{STRONG}{}{STRONG:#}  {state}", lease.reference))?;
    for (name, value) in particulars(lease, out) {
        out.line(format!("  {name:<10}  {value}"))?;
    }
    for grant in &lease.grants {
        let twin = if grant.twin > 0 { format!(", twin {}", grant.twin) } else { String::new() };
        out.line("")?;
        out.line(format!(
            "  {STRONG}grant {}{twin}{STRONG:#}  {}",
            grant.serial,
            clean(&grant.state)
        ))?;
        for (name, value) in instants(grant, out) {
            out.line(format!("    {name:<10}  {value}"))?;
        }
    }
    Ok(())
}

fn particulars(lease: &Lease, out: &Out) -> Vec<(&'static str, String)> {
    let mut rows = vec![
        ("grantee", clean(lease.grantee.as_str())),
        ("may", operations(&lease.operations)),
        ("key", key(lease)),
    ];
    rows.extend(context(&lease.constraints).map(|text| ("context", text)));
    match lease.closed_at {
        None => rows.push(("ends", deadline(lease.deadline, out.now, &out.zone))),
        // Nothing lies ahead of it any more.
        Some(_) => rows.push(("deadline", utc(lease.deadline))),
    }
    if lease.lead_ms > 0 && lease.closed_at.is_none() {
        let sent = utc(lease.deadline.plus(-lease.lead_ms));
        rows.push(("lead", format!("{}: the end is sent at {sent}", span(lease.lead_ms))));
    }
    if lease.held {
        rows.push(("held", "it ends when nobody holds it any more".to_owned()));
    }
    if lease.closed_at.is_none() && lease.latest > lease.deadline {
        rows.push(("latest", format!("{}, by extensions", utc(lease.latest))));
    }
    rows.push((
        "made",
        format!("{} ({})", utc(lease.started_at), from_now(lease.started_at, out.now)),
    ));
    rows.extend(
        lease.closed_at.map(|at| ("closed", format!("{} ({})", utc_ms(at), from_now(at, out.now)))),
    );
    rows.extend(
        lease
            .asker
            .as_ref()
            .map(|asker| ("asked by", format!("{} (uid {})", clean(&asker.name), asker.uid))),
    );
    rows.extend(lease.reason.as_ref().map(|reason| ("reason", clean(reason))));
    rows.extend(lease.policy.as_ref().map(|policy| ("policy", clean(policy))));
    let origin = match lease.origin {
        Origin::Asked => None,
        Origin::Found => Some("found by its Name; another host made it, or the ledger was lost"),
        Origin::Probe => Some("made by grantd to prove that it can end grants on this key"),
        Origin::Adopted => {
            Some("adopted; others made it, and a policy has put it under a deadline")
        }
    };
    rows.extend(origin.map(|text| ("origin", text.to_owned())));
    rows.push(("account", format!("{} in {}", lease.account, lease.region)));
    rows.extend(lease.endpoint.as_ref().map(|url| {
        let mark = if is_loopback(url) { format!(" {WARN}NOT AWS{WARN:#}") } else { String::new() };
        ("endpoint", clean(url) + &mark)
    }));
    rows
}

fn key(lease: &Lease) -> String {
    if lease.key.is_empty() || lease.key == lease.key_arn.as_str() {
        lease.key_arn.to_string()
    } else {
        format!("{} (asked for as {})", lease.key_arn, clean(&lease.key))
    }
}

fn instants(grant: &Grant, out: &Out) -> Vec<(&'static str, String)> {
    let instant = |at: Time| format!("{}  {}", utc_ms(at), lateness(at, grant.deadline));
    let mut rows = Vec::new();
    rows.extend(grant.grant_id.as_ref().map(|id| ("grant id", id.to_string())));
    rows.extend(grant.name.as_ref().map(|name| ("name", clean(name))));
    rows.push(("deadline", utc(grant.deadline)));
    rows.extend(grant.why.map(|why| ("ends for", why_words(why).to_owned())));
    if grant.attempts > 0 {
        rows.push(("attempts", grant.attempts.to_string()));
    }
    rows.extend(grant.issued_at.map(|at| ("issued", instant(at))));
    rows.extend(grant.accepted_at.map(|at| ("accepted", instant(at))));
    rows.extend(grant.gone_at.map(|at| ("gone", instant(at))));
    rows.extend(grant.missing_at.map(|at| {
        ("missing", format!("since {}: KMS lists it no more, so somebody else ended it", utc(at)))
    }));
    rows.extend(grant.how.map(|how| ("closed as", how_words(how).to_owned())));
    if let Some(fault) = grant.fault {
        let (word, since) = match grant.how {
            // What refused it in the end: it waits for nothing now.
            Some(_) => ("fault", grant.fault_since.map(|at| format!(" at {}", utc(at)))),
            None => {
                let since = |at| format!(" since {} ({})", utc(at), from_now(at, out.now));
                ("waits", grant.fault_since.map(since))
            }
        };
        rows.push((word, format!("{WARN}{}{WARN:#}{}", class(fault), since.unwrap_or_default())));
    }
    rows.extend(
        grant
            .next_action_at
            .map(|at| ("next act", format!("{} ({})", utc_ms(at), from_now(at, out.now)))),
    );
    rows
}

const fn why_words(why: Why) -> &'static str {
    match why {
        Why::Deadline => "its deadline",
        Why::Asked => "a person's wish (the history says whose)",
        Why::Probe => "being a probe that has served",
        Why::Twin => "being a second grant under one Name",
    }
}

const fn how_words(how: How) -> &'static str {
    match how {
        How::Retired => "retired, and a later listing lacks it",
        How::Revoked => "revoked, and a later listing lacks it",
        How::Gone => "gone: nobody told us, and two listings lack it",
        How::NeverExisted => "never existed: the create had no effect, and none can come",
    }
}
