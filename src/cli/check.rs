//! `grantd check`: the daemon's own loader, with its problems for people.

use std::io;

use serde_json::json;

use super::args::{CheckArgs, DEFAULT_CONFIG};
use super::out::{GOOD, Out, Stop, WARN};
use super::words::clean;
use crate::config::{self, ConfigError};
use crate::fault::{Fault, Kind};

/// Load the configuration and say what the daemon would make of it.
///
/// # Errors
/// [`Kind::Config`] with every problem at its place; [`Kind::FileAbsent`] without the file.
pub(super) fn check(args: &CheckArgs, out: &mut Out) -> Result<u8, Stop> {
    let config = config::load(&args.file).map_err(|error| {
        // The table's hint names this very command.
        match &error {
            ConfigError::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                let hint = format!("name the file, or write {DEFAULT_CONFIG} first");
                Fault::new(Kind::FileAbsent, error.to_string()).hint(hint)
            }
            ConfigError::Read { .. } => {
                Fault::from(&error).hint("it must be readable for you; or name another file")
            }
            ConfigError::TooLarge { .. } | ConfigError::NotText { .. } | ConfigError::Wrong(_) => {
                Fault::from(&error).hint("correct the file, then check again")
            }
        }
    })?;
    let (accounts, policies) = (config.accounts.len(), config.policies.len());
    if out.json {
        let warnings: Vec<String> = config.warnings.lines().collect();
        out.document(&json!({
            "path": config.path, "group": config.group, "accounts": accounts, "policies": policies,
            "warnings": warnings,
        }))?;
        return Ok(0);
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
    Ok(0)
}

fn counted(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}
