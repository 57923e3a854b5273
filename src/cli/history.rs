//! `grantd history`: what happened, row by row, and whether the chain of rows is whole.

use super::args::{HistoryArgs, HistoryCommand};
use super::create::instant;
use super::doors;
use super::out::{Out, STRONG, Stop};
use super::source::Source;
use super::words::{clean, utc_ms};
use crate::fault::{Fault, Kind};
use crate::rules::policy::parse_span;
use crate::rules::time::Time;
use crate::wire::{HistoryRow, ListHistory};

/// Print the rows page by page, as they come, or verify the chain.
///
/// # Errors
/// The daemon's fault, or stdout's.
pub(super) async fn history(
    args: &HistoryArgs,
    socket: &std::path::Path,
    out: &mut Out,
) -> Result<u8, Stop> {
    if let Some(HistoryCommand::Verify(verify)) = &args.command {
        let source = doors::source(verify.offline.ledger.as_deref(), socket, out.now)?;
        return self::verify(&*source, out).await;
    }
    let since = args.since.as_deref().map(|text| since(text, out.now)).transpose()?;
    let source = doors::source(args.offline.ledger.as_deref(), socket, out.now)?;
    let mut query = ListHistory { reference: args.reference.clone(), since, after: None };
    let mut first = true;
    loop {
        let page = source.history(&query).await?;
        for row in &page.items {
            if out.json {
                out.json_line(row)?;
                continue;
            }
            if std::mem::take(&mut first) {
                out.line(format!(
                    "{:>6}  {:<24}  {:<14}  {:<18}  {:<20}  PARTICULARS",
                    "SEQ", "AT", "REF", "WHAT", "WHO"
                ))?;
            }
            out.line(line(row, args.full))?;
        }
        query.after = page.next;
        if query.after.is_none() {
            break;
        }
    }
    if first && !out.json {
        out.note("no history matches")?;
    }
    Ok(0)
}

/// One row on one line.
pub(super) fn line(row: &HistoryRow, full: bool) -> String {
    let reference = row.reference.as_ref().map_or("-", |reference| reference.as_str());
    let text = format!(
        "{:>6}  {}  {reference:<14}  {:<18}  {:<20}  {}",
        row.seq,
        utc_ms(row.at),
        clean(&row.kind),
        clean(&row.actor),
        if full { everything(&row.body) } else { particulars(&row.kind, &row.body) },
    );
    text.trim_end().to_owned()
}

/// What a reader wants of each kind of row, in this order; `--full` and `--json` have the rest.
const WANTED: &[(&str, &[&str])] = &[
    ("requested", &["origin", "grantee", "operations", "key", "deadline", "reason", "policy"]),
    (
        "extension-requested",
        &["serial", "before", "deadline", "reason", "policy", "admin-override"],
    ),
    ("shortening-requested", &["serial", "before", "deadline", "reason", "admin-override"]),
    ("requested-again", &["sends"]),
    ("granted", &["grant-id"]),
    ("granted-unwanted", &["grant-id"]),
    ("still-listed", &["grant-id"]),
    ("twin", &["grant-id"]),
    ("found", &["grantee", "operations", "key-arn", "deadline", "grant-id"]),
    ("outcome-unknown", &["detail"]),
    ("refused", &["why"]),
    ("refused-again", &["times", "since", "why"]),
    ("end-asked", &["detail"]),
    ("due", &[]),
    ("probe-served", &[]),
    ("end-issued", &["why"]),
    ("end-refused", &["fault", "detail"]),
    ("end-unanswered", &["fault", "detail"]),
    ("end-accepted", &["attempts"]),
    ("not-found", &["attempts"]),
    ("missing", &["missing"]),
    ("seen-again", &[]),
    ("gone", &["gone", "detail"]),
    ("closed", &["how", "gone", "fault", "detail"]),
    ("alarm", &["account", "region", "key", "class", "tries", "detail"]),
    ("alarm-over", &["account", "region", "key", "class", "lasted-ms"]),
    ("no-way-out", &["key", "why"]),
    ("closings-frozen", &["account", "region", "why"]),
    ("identity-accepted", &["account", "region", "was", "is"]),
];

/// The short form of a body; of a kind that this version does not know, all of it.
fn particulars(kind: &str, body: &serde_json::Value) -> String {
    let wanted = WANTED.iter().find(|(known, _)| *known == kind).map(|(_, wanted)| *wanted);
    let (Some(fields), Some(wanted)) = (body.as_object(), wanted) else {
        return everything(body);
    };
    let pairs = wanted.iter().filter_map(|name| Some((*name, fields.get(*name)?)));
    let told = |&(name, value): &(&str, &serde_json::Value)| {
        !(value.is_null() || (name == "origin" && value == "asked"))
    };
    let pairs = pairs.filter(told).map(|(name, value)| match (name, value.as_str()) {
        ("deadline", _) => pair("until", value),
        // Of the ARN what a person would type.
        ("grantee", Some(arn)) => pair(name, &arn.rsplit(':').next().unwrap_or(arn).into()),
        (..) => pair(name, value),
    });
    pairs.collect::<Vec<String>>().join(" ")
}

/// `name=value`, quoted where a blank would make it unclear; a list of words with commas.
fn pair(name: &str, value: &serde_json::Value) -> String {
    let words: Option<Vec<&str>> =
        value.as_array().and_then(|all| all.iter().map(serde_json::Value::as_str).collect());
    let value = match (value.as_str(), words) {
        (_, Some(words)) => words.join(","),
        (Some(text), None) if !text.is_empty() && !text.contains([' ', '"', '=']) => {
            text.to_owned()
        }
        (..) => value.to_string(),
    };
    format!("{}={}", clean(name), clean(&value))
}

/// The body as `name=value` pairs; what is empty is left out, what is nested stays JSON.
fn everything(body: &serde_json::Value) -> String {
    let Some(fields) = body.as_object() else {
        return if body.is_null() { String::new() } else { clean(&body.to_string()) };
    };
    let pairs = fields.iter().filter(|(_, value)| !value.is_null());
    let pairs = pairs.map(|(name, value)| pair(name, value));
    pairs.collect::<Vec<String>>().join(" ")
}

async fn verify(source: &dyn Source, out: &mut Out) -> Result<u8, Stop> {
    let verified = source.verify().await?;
    if let Some(broken) = &verified.broken {
        return Err(Fault::new(Kind::LedgerCorrupt, broken.to_string()).into());
    }
    if out.json {
        out.document(&verified)?;
        return Ok(0);
    }
    out.line(format!("{STRONG}{} rows, the chain is whole{STRONG:#}", verified.rows))?;
    out.line(format!("head {}:{}", verified.seq, clean(&verified.head)))?;
    out.line("compare the head with the last one in the daemon's journal")?;
    Ok(0)
}

/// `--since`: an instant, or how long ago, with or without the word.
fn since(text: &str, now: Time) -> Result<Time, Fault> {
    let span = text.trim().trim_end_matches("ago").trim_end();
    if let Ok(ms) = parse_span(span) {
        return Ok(now.plus(ms.saturating_neg()));
    }
    instant(text).map_err(|bad| {
        let text = format!("--since {text:?} is no span of time, and {bad}");
        Fault::new(Kind::BadArgument, text)
            .hint("write 2h, '30min ago', or an instant with its zone such as 2026-11-23T18:00:00Z")
    })
}

#[cfg(test)]
mod tests;
