//! `grantd extend`: another deadline for a lease, later or earlier.

use super::create::{headline, idempotency_key, until};
use super::extend_args::ExtendArgs;
use super::out::{Out, Stop, WARN};
use super::source::Daemon;
use super::token::{self, TokenFile};
use super::words::{span, utc};
use crate::fault::{Fault, Kind};
use crate::wire::{ExtendLease, Gap, LeaseExtended};

/// Ask for the deadline.
///
/// # Errors
/// What cannot be right as it was typed; the daemon's fault, or what keeps the token from being
/// written down.
pub(super) async fn extend(
    args: &ExtendArgs,
    daemon: &dyn Daemon,
    out: &mut Out,
) -> Result<u8, Stop> {
    let key = args.idempotency_key.as_deref();
    key.map(idempotency_key).transpose()?;
    let deadline = &args.deadline;
    if args.beyond_policy && deadline.reason.is_none() {
        let fault = Fault::new(Kind::Usage, "--beyond-policy requires a reason");
        return Err(fault.hint("add --reason \"…\": it stands in the history").into());
    }
    let request = ExtendLease {
        ttl: deadline.ttl.clone(),
        until: deadline.until.as_deref().map(until).transpose()?,
        reason: deadline.reason.clone(),
        beyond_policy: args.beyond_policy,
        token: args.print_token || args.token_file.is_some(),
    };
    let file = args.token_file.as_deref().map(TokenFile::new).transpose()?;
    let mut made = match daemon.extend(&args.reference, &request, key).await {
        Ok(made) => made,
        Err(fault) => {
            file.into_iter().for_each(TokenFile::drop_empty);
            return Err(fault.into());
        }
    };
    let kept = token::put(&mut made.token, file, &made.lease.reference)?;
    if out.json {
        out.document(&made)?;
        return Ok(0);
    }
    let line = headline(&made.lease, out);
    out.line(line)?;
    if made.repeated {
        out.line("nothing new was made: it ends then already")?;
        return Ok(0);
    }
    warn(out, &made)?;
    token::tell(out, made.token.as_deref(), kept.as_deref(), request.token)?;
    Ok(0)
}

/// What the change of grants may cost, in plain words.
pub(super) fn warn(out: &mut Out, made: &LeaseExtended) -> Result<(), Stop> {
    let Some(Gap { from, until }) = made.gap else { return Ok(()) };
    out.line(format!(
        "{WARN}access may be refused{WARN:#} between {} and {} ({}), without the new grant's \
         token: the old grant's end may show before the new grant does",
        utc(from),
        utc(until),
        span(until.since(from)),
    ))?;
    Ok(())
}
