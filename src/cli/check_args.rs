//! `grantd check` and `grantd doctor` as they are typed.

use std::path::PathBuf;

use clap::Args;

use super::args::DEFAULT_CONFIG;
use super::examples;

/// `grantd check`.
#[derive(Debug, Args)]
#[command(after_help = examples::CHECK)]
pub struct CheckArgs {
    /// The configuration
    #[arg(value_name = "FILE", default_value = DEFAULT_CONFIG)]
    pub file: PathBuf,
    /// Ask AWS too: credentials, clock, aliases, keys, quotas; with the credentials of this process
    #[arg(long)]
    pub online: bool,
    /// Hold the policies against this table of requests and expected decisions
    #[arg(long, value_name = "TABLE")]
    pub cases: Option<PathBuf>,
}

/// `grantd doctor`.
#[derive(Debug, Args)]
#[command(after_help = examples::DOCTOR)]
pub struct DoctorArgs {
    /// The configuration
    #[arg(long, value_name = "FILE", default_value = DEFAULT_CONFIG)]
    pub config: PathBuf,
    /// Have the daemon prove the way out anew on every key that a policy names; for administrators
    #[arg(long)]
    pub probe: bool,
    /// Where the ledger is kept
    #[arg(long, value_name = "DIR", env = "STATE_DIRECTORY", default_value = "/var/lib/grantd")]
    pub state_dir: PathBuf,
}
