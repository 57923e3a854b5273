//! `grantd check`: the daemon's own loader, with its problems for people.

use std::io;
use std::path::Path;

use serde_json::json;

use super::args::CheckArgs;
use super::cases::{self, Got, Supposed};
use super::finding::{self, Level, worst};
use super::online::Online;
use super::out::{BAD, GOOD, Out, Stop, WARN};
use super::words::clean;
use crate::config::cases::Case;
use crate::config::{self, Config, ConfigError};
use crate::fault::{Fault, Kind, exit};
use crate::rules::time::Time;

/// The exit code when a case is decided otherwise than expected, or AWS is otherwise than the file
/// says: the file loads, so it is none of the faults' codes.
const WRONG: u8 = 1;

/// Load the configuration and say what the daemon would make of it.
///
/// # Errors
/// [`Kind::Config`] with every problem at its place; [`Kind::FileAbsent`] without the file.
pub(super) fn check(args: &CheckArgs, out: &mut Out) -> Result<u8, Stop> {
    let config = load(&args.file)?;
    let cases = args.cases.as_deref().map(|table| Cases::judge(&args.file, table, out.now));
    let cases = cases.transpose()?;
    let online = match args.online {
        true => Some(super::wait(async { Ok(Online::new(&config)?.findings().await.0) })?),
        false => None,
    };
    let failed = online.as_deref().is_some_and(|all| worst(all) == Level::Failure);
    let (accounts, policies) = (config.accounts.len(), config.policies.len());
    if out.json {
        let warnings: Vec<String> = config.warnings.lines().collect();
        let mut document = json!({
            "path": config.path, "group": config.group, "accounts": accounts, "policies": policies,
            "warnings": warnings,
        });
        let mut wrong = 0;
        if let Some(Cases { table, cases, got }) = &cases {
            (document["cases"], wrong) = cases::document(table, cases, got);
        }
        if let Some(online) = &online {
            document["online"] = json!(online);
        }
        out.document(&document)?;
        return Ok(verdict(wrong, failed));
    }
    if !config.warnings.is_empty() {
        let warnings = config.warnings.to_string();
        let lines: Vec<String> = warnings.lines().map(clean).collect();
        out.note(&format!("{WARN}warning:{WARN:#} {}", lines.join("\n")))?;
    }
    let path = clean(&config.path);
    let (accounts, policies) =
        (counted(accounts, "account", "accounts"), counted(policies, "policy", "policies"));
    let group = &config.group;
    out.line(format!("{GOOD}ok{GOOD:#}  {path}: group {group}, {accounts}, {policies}"))?;
    if let Some(online) = &online {
        out.line("")?;
        finding::print(online, out)?;
    }
    let Some(Cases { table, cases, got }) = &cases else { return Ok(verdict(0, failed)) };
    out.line("")?;
    let wrong = cases::print(table, cases, got, out)?;
    out.line("")?;
    let all = counted(cases.len(), "case", "cases");
    out.line(match wrong {
        0 => format!("{GOOD}ok{GOOD:#}  {all}, each decided as expected"),
        n => format!("{BAD}wrong{BAD:#}  {n} of {all} decided otherwise than expected"),
    })?;
    Ok(verdict(wrong, failed))
}

/// A table of cases, and what came of each.
struct Cases<'a> {
    table: &'a Path,
    cases: Vec<Case>,
    got: Vec<Got>,
}

impl<'a> Cases<'a> {
    fn judge(file: &Path, table: &'a Path, now: Time) -> Result<Self, Fault> {
        let cases = config::cases::load(table).map_err(|error| told(&error, "the table"))?;
        let names = Supposed::of(&cases).map_err(|why| {
            Fault::new(Kind::Io, format!("cannot ask this host for users and groups: {why}"))
        })?;
        let config = config::load_with(file, &names).map_err(|error| told(&error, "the file"))?;
        // Deadlines are whole seconds: so the spans come out as they were written.
        let got = cases::run(&config, &cases, &names, now.floor_second())?;
        Ok(Self { table, cases, got })
    }
}

/// A configuration that loads but decides otherwise than its table says, or that AWS does not bear
/// out.
const fn verdict(wrong: usize, failed: bool) -> u8 {
    if wrong == 0 && !failed { exit::OK } else { WRONG }
}

/// The configuration, or its problems as this command tells them: the table's hint names this very
/// command.
///
/// # Errors
/// As [`check`]'s.
pub(super) fn load(file: &Path) -> Result<Config, Fault> {
    config::load(file).map_err(|error| told(&error, "the file"))
}

fn told(error: &ConfigError, what: &str) -> Fault {
    match error {
        ConfigError::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => {
            let hint = format!("name {what}, or write it first");
            Fault::new(Kind::FileAbsent, error.to_string()).hint(hint)
        }
        ConfigError::Read { .. } => {
            Fault::from(error).hint("it must be readable for you; or name another file")
        }
        ConfigError::TooLarge { .. } | ConfigError::NotText { .. } | ConfigError::Wrong(_) => {
            Fault::from(error).hint(format!("correct {what}, then check again"))
        }
    }
}

fn counted(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}
