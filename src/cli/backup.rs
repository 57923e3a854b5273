//! `grantd backup`: a copy of the ledger that can be put back.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::examples;
use super::out::{BAD, GOOD, Out, Stop};
use super::words::clean;
use crate::fault::{Fault, exit};
use crate::ledger::Ledger;

/// `grantd backup`.
#[derive(Debug, Args)]
#[command(after_help = examples::BACKUP)]
pub struct BackupArgs {
    /// The new file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Where the ledger is kept
    #[arg(long, value_name = "DIR", env = "STATE_DIRECTORY", default_value = "/var/lib/grantd")]
    pub state_dir: PathBuf,
}

/// Back up, and tell what.
///
/// # Errors
/// Why there is no backup; when stdout takes no more.
pub(super) fn backup(args: &BackupArgs, out: &mut Out) -> Result<u8, Stop> {
    let done = Ledger::back_up(&args.state_dir, &args.file).map_err(Fault::from)?;
    let file = args.file.display().to_string();
    if out.json {
        out.document(&json!({
            "file": file, "bytes": done.bytes, "open-grants": done.open, "history-rows": done.rows,
            "head": done.head.hex(), "broken": done.broken,
        }))?;
    } else {
        let (file, kib) = (clean(&file), done.bytes.div_ceil(1024));
        out.line(format!(
            "{GOOD}ok{GOOD:#}  {file}: {kib} KiB, {} grants open, history of {} rows up to {}",
            done.open,
            done.rows,
            done.head.hex()
        ))?;
        if let Some(broken) = &done.broken {
            let broken = clean(&broken.to_string());
            out.line(format!(
                "{BAD}failure{BAD:#}  in the ledger too, {broken} (docs/recovery.md)"
            ))?;
        }
    }
    Ok(if done.broken.is_some() { exit::CORRUPT } else { exit::OK })
}
