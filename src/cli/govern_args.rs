//! The flags of the commands that are for administrators alone.

use clap::Args;

use super::examples;

/// `grantd freeze`.
#[derive(Debug, Args)]
#[command(after_help = examples::FREEZE)]
#[command(group = clap::ArgGroup::new("scope").multiple(true))]
pub struct FreezeArgs {
    /// On this key, however it is asked for: ARN, key id or alias
    #[arg(long, visible_alias = "key-id", group = "scope")]
    pub key: Option<String>,
    /// For this grantee: ARN, or as create takes it; * and ? are patterns as in the policies, such
    /// as 'role/team-*'
    #[arg(long, visible_alias = "grantee-principal", group = "scope")]
    pub grantee: Option<String>,
    /// Under this policy
    #[arg(long, group = "scope")]
    pub policy: Option<String>,
    /// In this account
    #[arg(long, value_name = "ID", group = "scope")]
    pub account: Option<String>,
    /// By this user of this host: name or uid
    #[arg(long, value_name = "USER", group = "scope")]
    pub caller: Option<String>,
    /// Everything
    #[arg(long, group = "scope")]
    #[arg(conflicts_with_all = ["key", "grantee", "policy", "account", "caller"])]
    pub all: bool,
    /// Why; those who are refused are told
    #[arg(long, value_name = "TEXT", required_unless_present = "list")]
    pub reason: Option<String>,
    /// Then end the open leases that fit, as `grantd revoke` does
    #[arg(long, requires = "scope")]
    pub revoke: bool,
    /// Do not ask before --revoke; needed where there is no terminal. To freeze asks nothing
    #[arg(short, long, conflicts_with = "list")]
    pub yes: bool,
    /// Show what is frozen
    #[arg(long, conflicts_with_all = ["scope", "reason"])]
    pub list: bool,
}

/// `grantd unfreeze`.
#[derive(Debug, Args)]
#[command(after_help = examples::UNFREEZE)]
pub struct UnfreezeArgs {
    /// The numbers of the freezes, as `grantd freeze --list` shows them
    #[arg(value_name = "FREEZE", required_unless_present = "all", conflicts_with = "all")]
    #[arg(value_parser = clap::value_parser!(i64).range(1..))]
    pub ids: Vec<i64>,
    /// All that stand
    #[arg(long)]
    pub all: bool,
    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

/// `grantd reload`.
#[derive(Debug, Args)]
#[command(after_help = examples::RELOAD)]
pub struct ReloadArgs {
    /// Show what would change, and change nothing
    #[arg(long)]
    pub dry_run: bool,
}
