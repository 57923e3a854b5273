//! From what was asked for to a deadline, and whether it lies where it may.

use super::{Ask, Until, show_span};
use crate::config::{Policy, TTL_MIN};
use crate::fault::{Fault, Kind};
use crate::rules::time::Time;

/// `(deadline, latest)`.
pub(super) fn times(policy: &Policy, by: &str, ask: &Ask<'_>) -> Result<(Time, Time), Fault> {
    let now = ask.now;
    let latest = now.plus(policy.max_ttl);
    let (asked, deadline) = asked(ask.until, policy.default_ttl, now)?;
    if deadline > latest {
        let max = show_span(policy.max_ttl);
        let text = format!("{asked} is above {max}, the maximum of {by}");
        return Err(Fault::new(Kind::TtlAboveMax, text).hint(format!("ask for {max} or less")));
    }
    let length = match ask.until {
        Until::At(at) => at.floor_second().since(now.floor_second()),
        Until::Default | Until::Ttl(_) => deadline.since(now),
    };
    let deadline = deadline.floor_second();
    ahead(&asked, deadline, (policy.lead, by), now)?;
    if length < policy.min_ttl {
        let min = show_span(policy.min_ttl);
        let text = format!("{asked} is below {min}, the minimum of {by}");
        return Err(Fault::new(Kind::TtlBelowMin, text).hint(format!("ask for {min} or more")));
    }
    Ok((deadline, latest))
}

/// The deadline that a lease with this lead is to have from now on. A span counts from now.
///
/// # Errors
/// `Usage` where neither a span nor an instant is given; `BadArgument`, `DeadlinePast`.
pub fn new_deadline(until: Until, lead: i64, now: Time) -> Result<Time, Fault> {
    if until == Until::Default {
        let fault = Fault::new(Kind::Usage, "neither --ttl nor --until is given");
        return Err(fault.hint("say until when the lease is to last, such as --ttl 2h from now"));
    }
    let (asked, deadline) = asked(until, 0, now)?;
    let deadline = deadline.floor_second();
    ahead(&asked, deadline, (lead, "the lease"), now)?;
    Ok(deadline)
}

/// What was asked for, in words, and as an instant.
fn asked(until: Until, default_ttl: i64, now: Time) -> Result<(String, Time), Fault> {
    Ok(match until {
        Until::Default => {
            (format!("the default of {}", show_span(default_ttl)), now.plus(default_ttl))
        }
        Until::Ttl(ttl) if ttl < TTL_MIN => {
            let text = format!("--ttl {} is below {}", show_span(ttl), show_span(TTL_MIN));
            return Err(Fault::new(Kind::BadArgument, text).hint("ask for some time, such as 2h"));
        }
        Until::Ttl(ttl) => (format!("--ttl {}", show_span(ttl)), now.plus(ttl)),
        Until::At(at) => {
            let away = at.floor_second().since(now.floor_second());
            let away = match away > 0 {
                true => format!("--until {at} ({} away)", show_span(away)),
                false => format!("--until {at}"),
            };
            (away, at.floor_second())
        }
    })
}

/// Whether the end would not have to be sent at once.
fn ahead(asked: &str, deadline: Time, (lead, by): (i64, &str), now: Time) -> Result<(), Fault> {
    if deadline <= now {
        let text = format!("{asked} is past: it is {now}");
        return Err(Fault::new(Kind::DeadlinePast, text));
    }
    if deadline.plus(-lead) <= now {
        let lead = show_span(lead);
        let text =
            format!("{asked} is within {lead}, the lead of {by}: the end would be sent at once");
        return Err(Fault::new(Kind::DeadlinePast, text).hint(format!("ask for more than {lead}")));
    }
    Ok(())
}
