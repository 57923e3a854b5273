//! `grantd accept-alias`: an alias is meant to point where it points.

use clap::Args;

use super::examples;
use super::out::{Out, Stop};
use super::source::Daemon;
use super::words::clean;
use crate::fault::{Fault, Kind};
use crate::ids::{AccountId, Region};
use crate::wire::AcceptAlias;

/// `grantd accept-alias`.
#[derive(Debug, Args)]
#[command(after_help = examples::ACCEPT_ALIAS)]
pub struct AcceptAliasArgs {
    /// The alias, such as alias/app
    #[arg(value_name = "ALIAS")]
    pub alias: String,
    /// Only in this account
    #[arg(long, value_name = "ID")]
    pub account: Option<String>,
    /// Only in this Region
    #[arg(long)]
    pub region: Option<String>,
    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

/// Accept it.
///
/// # Errors
/// What cannot be right as it was typed; the daemon's fault.
pub(super) async fn accept_alias(
    args: &AcceptAliasArgs,
    daemon: &dyn Daemon,
    out: &mut Out,
) -> Result<u8, Stop> {
    let bad = |error: crate::ids::BadId| Fault::new(Kind::BadArgument, error.to_string());
    let request = AcceptAlias {
        alias: args.alias.clone(),
        account: args.account.clone().map(AccountId::parse).transpose().map_err(bad)?,
        region: args.region.clone().map(Region::parse).transpose().map_err(bad)?,
        reason: args.reason.clone(),
    };
    let accepted = daemon.accept_alias(&request).await?;
    if out.json {
        out.document(&accepted)?;
        return Ok(0);
    }
    for moved in &accepted.items {
        out.line(format!(
            "{} {}: {} names {} from now on, and no more {}",
            moved.account,
            moved.region,
            clean(&moved.alias),
            moved.is,
            moved.was
        ))?;
    }
    Ok(0)
}
