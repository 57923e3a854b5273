//! `grantd check`: the daemon's own loader, with its problems for people.

use serde_json::json;

use super::args::CheckArgs;
use super::out::{GOOD, Out, Stop};
use super::words::clean;
use crate::config::{self, ConfigError};
use crate::fault::Fault;

/// Load the configuration and say what the daemon would make of it.
///
/// # Errors
/// [`Kind::Config`](crate::fault::Kind::Config) with every problem at its place.
pub(super) fn check(args: &CheckArgs, out: &mut Out) -> Result<u8, Stop> {
    let config = config::load(&args.file).map_err(|error| {
        // The table's hint names this very command.
        Fault::from(&error).hint(match error {
            ConfigError::Read { .. } => "name the file: grantd check FILE",
            ConfigError::TooLarge { .. } | ConfigError::NotText { .. } | ConfigError::Wrong(_) => {
                "correct the file, then check again"
            }
        })
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
        out.note(&lines.join("\n"))?;
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
