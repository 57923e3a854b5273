//! `grantd extend` as it is typed.

use std::path::PathBuf;

use clap::Args;

use super::args::reference;
use super::examples;

/// A deadline that a command asks for, and why.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("deadline").required(true).args(["ttl", "until"]))]
pub struct DeadlineArgs {
    /// How long from now, such as 2h or 90m
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    pub ttl: Option<String>,
    /// Until when, with its zone: 2026-11-23T18:00:00Z, or 2026-11-23T19:00[Europe/Paris]
    #[arg(long, value_name = "INSTANT", allow_hyphen_values = true)]
    pub until: Option<String>,
    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

/// `grantd extend`.
#[derive(Debug, Args)]
#[command(after_help = examples::EXTEND)]
pub struct ExtendArgs {
    /// The ref of the lease, or a unique beginning of it
    #[arg(value_name = "REF", value_parser = reference)]
    pub reference: String,
    /// Until when, and why.
    #[command(flatten)]
    pub deadline: DeadlineArgs,
    /// As an administrator: beyond max-ttl from the first creation, for at most max-ttl from now
    #[arg(long)]
    pub beyond_policy: bool,
    /// Makes a repeat return what came of the first, instead of extending twice
    #[arg(long, value_name = "TEXT")]
    pub idempotency_key: Option<String>,
    /// Print the new grant's token, which gives access before the grant has propagated
    #[arg(long, conflicts_with = "token_file")]
    pub print_token: bool,
    /// Write the new grant's token to this new file, readable by you alone
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}
