//! `grantd revoke`: each ref in turn; one that fails does not keep the others from ending.

use super::args::RevokeArgs;
use super::out::{Out, STRONG, Stop};
use super::source::Daemon;
use super::words::utc_ms;
use crate::fault::{Fault, Kind};
use crate::wire::{Lease, RevokeLease};

/// End each lease. The exit code is that of the first fault.
///
/// # Errors
/// When stdout takes no more.
pub(super) async fn revoke(
    args: &RevokeArgs,
    daemon: &dyn Daemon,
    out: &mut Out,
) -> Result<u8, Stop> {
    let request = RevokeLease { reason: args.reason.clone() };
    let mut ended = Vec::new();
    let mut first: Option<Fault> = None;
    for reference in &args.references {
        match daemon.revoke(reference, &request).await {
            Ok(lease) if out.json => ended.push(lease),
            Ok(lease) => out.line(outcome(&lease))?,
            // The daemon is not there: asking it again for each of the others would only repeat
            // that.
            Err(fault) if matches!(fault.kind, Kind::DaemonDown | Kind::SocketDenied) => {
                return Err(fault.into());
            }
            Err(fault) => {
                out.trouble(&fault)?;
                first.get_or_insert(fault);
            }
        }
    }
    if out.json {
        out.document(&ended)?;
    }
    Ok(first.map_or(0, |fault| fault.kind.exit()))
}

/// What became of it. KMS's yes may still be on its way: the daemon goes on until it has it.
pub(super) fn outcome(lease: &Lease) -> String {
    let accepted = lease.grants.iter().filter_map(|grant| grant.accepted_at).max();
    match (lease.state.as_str(), accepted) {
        ("closed", _) => {
            format!("{STRONG}{}{STRONG:#}  closed: nothing of it is left at KMS", lease.reference)
        }
        ("ended", Some(at)) => format!(
            "{STRONG}{}{STRONG:#}  ended: KMS accepted at {}; access is usually over within \
             seconds, at times after 5 min",
            lease.reference,
            utc_ms(at)
        ),
        (state, _) => format!(
            "{STRONG}{}{STRONG:#}  {state}: recorded, KMS has not accepted the end yet; grantd \
             goes on trying",
            lease.reference
        ),
    }
}
