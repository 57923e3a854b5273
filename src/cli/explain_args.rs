//! `grantd explain` as it is typed: a line of `create` as it is, and what is supposed around it.

use std::path::PathBuf;

use clap::Args;

use super::args::DEFAULT_CONFIG;
use super::create_args::CreateArgs;

/// `grantd explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// What would be asked for.
    #[command(flatten)]
    pub request: CreateArgs,
    /// As this user of this host: name or uid [default: you]
    #[arg(long = "as", value_name = "USER", help_heading = "What is supposed")]
    pub user: Option<String>,
    /// The configuration
    #[arg(long, value_name = "FILE", default_value = DEFAULT_CONFIG)]
    #[arg(help_heading = "What is supposed")]
    pub config: PathBuf,
    /// Ask AWS about the key too, with the credentials of this process
    #[arg(long, conflicts_with_all = ["alias", "key_spec", "key_usage", "key_state"])]
    #[arg(help_heading = "What is supposed")]
    pub online: bool,
    /// The key.
    #[command(flatten)]
    pub key: SupposedKey,
}

/// What is known of the key, where AWS is not asked.
#[derive(Debug, Args)]
#[command(next_help_heading = "What is supposed")]
pub struct SupposedKey {
    /// An alias of the key, where --key is its ARN or id; may be repeated
    #[arg(long, value_name = "ALIAS")]
    pub alias: Vec<String>,
    /// The key's spec, such as RSA_2048 [default: SYMMETRIC_DEFAULT]
    #[arg(long, value_name = "SPEC")]
    pub key_spec: Option<String>,
    /// The key's usage, such as SIGN_VERIFY [default: what its spec is mostly made for]
    #[arg(long, value_name = "USAGE")]
    pub key_usage: Option<String>,
    /// The key's state, such as Disabled [default: Enabled]
    #[arg(long, value_name = "STATE")]
    pub key_state: Option<String>,
}
