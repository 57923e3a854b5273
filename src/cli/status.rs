//! `grantd status`: how the daemon is, and what needs attention; the exit code is the health.

use anstyle::Style;
use comfy_table::Cell;

use super::out::{BAD, GOOD, Out, STRONG, Stop, WARN, lines_clean};
use super::source::Daemon;
use super::words::{class, clean, deadline, from_now, utc};
use crate::config::is_loopback;
use crate::fault::{Fault, exit};
use crate::wire::{LaneStatus, Overdue, Status, Wait};

/// The exit code when the daemon is silent.
const SILENT: u8 = 3;

/// Print the status.
///
/// # Errors
/// The daemon's fault, or stdout's.
pub(super) async fn status(daemon: &dyn Daemon, out: &mut Out) -> Result<u8, Stop> {
    match daemon.status().await {
        Ok(status) => {
            print(out, &status)?;
            Ok(status.health.min(2))
        }
        Err(fault) => Ok(silent(out, &fault)),
    }
}

/// A monitor reads 3 as "no answer"; what IAM, a policy or the socket's mode refuse keeps its own
/// code.
fn silent(out: &mut Out, fault: &Fault) -> u8 {
    match out.fault(fault) {
        exit::UNREACHABLE => SILENT,
        other => other,
    }
}

/// The status for people.
///
/// # Errors
/// When stdout takes no more.
pub(super) fn print(out: &mut Out, status: &Status) -> Result<(), Stop> {
    if out.json {
        out.document(status)?;
        return Ok(());
    }
    let (style, word) = health(status);
    out.line(format!("grantd {}  {style}{word}{style:#}", clean(&status.version)))?;
    for (name, value) in summary(status, out) {
        out.line(format!("  {name:<13}  {value}"))?;
    }
    if !status.alarms.is_empty() {
        heading(out, "alarms")?;
        for alarm in &status.alarms {
            out.line(format!("  {BAD}!{BAD:#} {}", clean(alarm)))?;
        }
    }
    if let Some(problem) = &status.config_problem {
        heading(out, &format!("configuration not taken at {}", utc(problem.at)))?;
        for line in lines_clean(&problem.text).lines() {
            out.line(format!("  {line}"))?;
        }
    }
    if !status.overdue.is_empty() {
        let shown = i64::try_from(status.overdue.len()).unwrap_or(i64::MAX);
        let more = status.overdue_count.saturating_sub(shown);
        let more = if more > 0 {
            format!(" (the first {shown} of {})", status.overdue_count)
        } else {
            String::new()
        };
        heading(out, &format!("overdue{more}"))?;
        let rows = status.overdue.iter().map(|row| overdue(row, out)).collect();
        out.table(&["REF", "DEADLINE", "ATTEMPTS", "CAUSE"], rows)?;
    }
    if !status.waits.is_empty() {
        heading(out, "waiting")?;
        let rows = status.waits.iter().map(|row| wait(row, out)).collect();
        out.table(&["WHO", "FOR", "SINCE", "TRIES", "NEXT"], rows)?;
    }
    if !status.lanes.is_empty() {
        heading(out, "lanes")?;
        let rows = status.lanes.iter().map(|row| lane(row, out)).collect();
        out.table(&["LANE", "RETIRES AS", "LAST ANSWER", "WHICH", "REMARKS"], rows)?;
    }
    Ok(())
}

fn heading(out: &mut Out, text: &str) -> std::io::Result<()> {
    out.line("")?;
    out.line(format!("{STRONG}{text}{STRONG:#}"))
}

const fn health(status: &Status) -> (Style, &'static str) {
    match (status.health, status.overdue_count, status.end_only.is_some()) {
        (0, ..) => (GOOD, "well"),
        (1, ..) => (WARN, "needs attention"),
        (_, _, true) => (BAD, "only ends leases"),
        (_, 1.., false) => (BAD, "overdue"),
        (_, _, false) => (BAD, "broken"),
    }
}

fn summary(status: &Status, out: &Out) -> Vec<(&'static str, String)> {
    let counts: Vec<String> =
        status.counts.iter().map(|(state, n)| format!("{n} {}", clean(state))).collect();
    let counts = if counts.is_empty() { "none".to_owned() } else { counts.join(", ") };
    let next = status
        .next_deadline
        .map_or_else(|| "none".to_owned(), |at| deadline(at, status.now, &out.zone));
    let up = format!("{} ({})", utc(status.started_at), from_now(status.started_at, status.now));
    let mut rows = vec![("up since", up), ("grants", counts), ("next deadline", next)];
    rows.push(("overdue", status.overdue_count.to_string()));
    rows.extend(
        status.end_only.as_ref().map(|why| ("end-only", format!("{BAD}{}{BAD:#}", clean(why)))),
    );
    if status.unproven > 0 {
        rows.push((
            "unproven",
            format!("{} grants bear our prefix and are not provably ours", status.unproven),
        ));
    }
    for (count, word, text) in [
        (status.rogues, "rogues", "grants name grantd's role, and grantd did not make them"),
        (status.impostors, "impostors", "grants bear a lease's ref and give something else"),
        (status.strays, "strays", "grants bear a Name of this group that no host gave"),
    ] {
        if count > 0 {
            rows.push((word, format!("{BAD}{count}{BAD:#} {text}")));
        }
    }
    if status.found > 0 {
        let text = "open grants were found, and made by another host or an older ledger";
        rows.push(("found", format!("{} {text}", status.found)));
    }
    if status.adoptable > 0 {
        let text = "grants of others that policies would end (`grantd scan`)";
        rows.push(("adoptable", format!("{} {text}", status.adoptable)));
    }
    rows.push(("history head", clean(&status.history_head)));
    rows
}

fn overdue(row: &Overdue, out: &Out) -> Vec<Cell> {
    vec![
        Cell::new(&row.reference),
        Cell::new(format!("{} ({})", utc(row.deadline), from_now(row.deadline, out.now))),
        Cell::new(row.attempts),
        Cell::new(row.cause.map_or("-", class)),
    ]
}

fn wait(row: &Wait, out: &Out) -> Vec<Cell> {
    let who = match &row.key_arn {
        Some(key) => format!("{} {} key/{}", row.account, row.region, key.key_id()),
        None => format!("{} {} (all)", row.account, row.region),
    };
    vec![
        Cell::new(who),
        Cell::new(class(row.class)),
        Cell::new(from_now(row.since, out.now)),
        Cell::new(row.tries),
        Cell::new(from_now(row.until, out.now)),
    ]
}

fn lane(row: &LaneStatus, out: &Out) -> Vec<Cell> {
    let mut remarks = Vec::new();
    remarks.extend(row.endpoint.as_ref().map(|url| {
        let what = if is_loopback(url) { "NOT AWS" } else { "endpoint" };
        format!("{what}: {}", clean(url))
    }));
    remarks.extend(row.frozen.as_ref().map(|why| format!("closing frozen: {}", clean(why))));
    remarks.extend(row.unrefreshed.as_ref().map(|_| "credentials not refreshed".to_owned()));
    remarks.extend(row.searching.then(|| "searching for earlier grants: no lease yet".to_owned()));
    vec![
        Cell::new(format!("{} {}", row.account, row.region)),
        Cell::new(clean(row.retiring_principal.short())),
        Cell::new(row.answered_at.map_or_else(|| "never".to_owned(), |at| from_now(at, out.now))),
        Cell::new(row.answer.as_deref().map_or_else(|| "-".to_owned(), in_short)),
        Cell::new(remarks.join("; ")),
    ]
}

/// An answer's class, such as `AccessDeniedException`: the alarms have its words.
fn in_short(answer: &str) -> String {
    /// Wider than the longest name of an exception of KMS.
    const WIDTH: usize = 40;
    let class = answer.split(':').next().unwrap_or_default();
    let short: String = class.chars().take(WIDTH).collect();
    let cut = if short.len() < class.len() { "…" } else { "" };
    format!("{}{cut}", clean(&short))
}
