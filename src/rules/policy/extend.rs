//! Whether a lease may last longer than it was first to.
//!
//! Today's policy decides: the one that allowed the lease, as it stands in the file now. Whom it
//! would refuse today, it refuses an extension. Its maximum counts from the lease's first creation.
//!
//! An administrator stands in for the owner and may exceed `max-extensions`; where he says
//! `--beyond-policy`, with a reason, also that maximum. What no policy gives, he does not get
//! either, and no grant ever lives longer than `max-ttl`: else a host that knows nothing but its
//! Name could not believe it (`rules::found`).

use serde::Serialize;

use super::{
    ADD_REASON, Ask, key_can, key_is_ours, lists_grantee, lists_key, operations, sayable, show_span,
};
use crate::config::{Config, Policy, lists};
use crate::fault::{Fault, Kind};
use crate::rules::access::Caller;
use crate::rules::time::Time;

/// The question.
#[derive(Debug, Clone, Copy)]
pub struct Extension<'a> {
    /// The lease's terms, and who asks now; its `until` is not looked at.
    pub ask: Ask<'a>,
    /// The policy that allowed the lease.
    pub policy: Option<&'a str>,
    /// The deadline that it is to have.
    pub deadline: Time,
    /// When the lease was first made.
    pub started_at: Time,
    /// The latest deadline that it may have, as it was fixed then.
    pub latest: Time,
    /// How often it was made later.
    pub extensions: u32,
    /// Whether the caller asked for the lease himself.
    pub owner: bool,
    /// Whether the caller is an administrator.
    pub admin: bool,
    /// Whether he says that he wants to go beyond the maximum.
    pub beyond: bool,
}

/// What an administrator alone may do; each stands in the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Override {
    /// The lease is another's, or he could not ask for it under its policy.
    Caller,
    /// It was made later `max-extensions` times.
    MaxExtensions,
    /// The deadline lies beyond `max-ttl` from the first creation.
    MaxTtl,
}

/// Yes, and on whose word.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Extended {
    /// The latest deadline that the lease may have from now on.
    pub latest: Time,
    /// What only an administrator could do of it.
    pub overrides: Vec<Override>,
}

/// Decide.
///
/// # Errors
/// The refusal, with what would have been allowed.
pub fn extend(config: &Config, asked: &Extension<'_>) -> Result<Extended, Fault> {
    let ask = &asked.ask;
    key_is_ours(config, ask.key)?;
    sayable(ask.reason.unwrap_or_default())?;
    if asked.beyond && !asked.admin {
        let text = "only an administrator may go --beyond-policy";
        return Err(Fault::new(Kind::NoPolicy, text)
            .hint("leave it out, or ask one whom `[access] admin` lists"));
    }
    let policy = todays(config, asked)?;
    let by = format!("policy {} ({})", policy.name, config.place(policy));
    operations(policy, &by, ask)?;
    key_can(ask, ask.operations)?;
    let mut overrides = Vec::new();
    match (asked.owner && lists(&policy.callers, ask.caller), asked.admin) {
        (true, _) => {}
        (false, true) => overrides.push(Override::Caller),
        (false, false) => {
            let Caller { uid, name, .. } = ask.caller;
            let text = format!("the callers of {by} no longer list {name} (uid {uid})");
            return Err(Fault::new(Kind::NoPolicy, text));
        }
    }
    if asked.extensions >= policy.max_extensions {
        if !asked.admin {
            let (had, most) = (asked.extensions, policy.max_extensions);
            let text = format!("the lease was extended {had} times; {by} allows {most}");
            return Err(Fault::new(Kind::MaxExtensions, text));
        }
        overrides.push(Override::MaxExtensions);
    }
    long_enough(policy, &by, asked)?;
    let latest = latest(policy, &by, asked, &mut overrides)?;
    Ok(Extended { latest, overrides })
}

/// Whether a lease may end sooner: who may end it at once may, and no policy is asked. `owner`:
/// whether the caller asked for it himself.
///
/// # Errors
/// `BadArgument` for a reason that is none.
pub fn shorten(reason: Option<&str>, owner: bool, latest: Time) -> Result<Extended, Fault> {
    sayable(reason.unwrap_or_default())?;
    let overrides = if owner { Vec::new() } else { vec![Override::Caller] };
    Ok(Extended { latest, overrides })
}

/// The policy that allowed the lease, if it still gives what the lease gives.
fn todays<'c>(config: &'c Config, asked: &Extension<'_>) -> Result<&'c Policy, Fault> {
    let ask = &asked.ask;
    let Some(name) = asked.policy else {
        let text = "no policy is known to have allowed the lease";
        return Err(Fault::new(Kind::NoPolicy, text).hint("create a new lease"));
    };
    let refuse = |what: String| {
        let hint = "create a new lease under a policy of today, or have the policy changed";
        Err(Fault::new(Kind::NoPolicy, what).hint(hint))
    };
    let Some(policy) = config.policy(name) else {
        return refuse(format!(
            "policy {name}, which allowed the lease, is no longer in {}",
            config.path
        ));
    };
    let by = format!("policy {name} ({})", config.place(policy));
    let key = &ask.key.arn;
    if !lists_key(policy, key, ask.aliases) {
        return refuse(format!("the keys of {by} no longer list {key}"));
    }
    if !lists_grantee(config, policy, ask.grantee.as_str(), key) {
        return refuse(format!("the grantees of {by} no longer list {}", ask.grantee));
    }
    Ok(policy)
}

/// An extension is a grant of its own, so the minimum holds for it, counted from now: nobody
/// creeps on by seconds. An earlier deadline has none: who may end at once may end soon.
fn long_enough(policy: &Policy, by: &str, asked: &Extension<'_>) -> Result<(), Fault> {
    let length = asked.deadline.since(asked.ask.now.floor_second());
    if length >= policy.min_ttl {
        return Ok(());
    }
    let (length, min) = (show_span(length), show_span(policy.min_ttl));
    let text = format!("{} is {length} from now, below {min}, the minimum of {by}", asked.deadline);
    Err(Fault::new(Kind::TtlBelowMin, text).hint(format!("ask for {min} from now, or more")))
}

fn latest(
    policy: &Policy,
    by: &str,
    asked: &Extension<'_>,
    overrides: &mut Vec<Override>,
) -> Result<Time, Fault> {
    let max = show_span(policy.max_ttl);
    // Fixed at birth; a maximum that was lowered since counts from then, too.
    let latest = asked.latest.min(asked.started_at.plus(policy.max_ttl)).floor_second();
    if asked.deadline <= latest {
        return Ok(asked.latest);
    }
    if !asked.beyond {
        let text = format!(
            "{} is above {max} from the first creation at {}, the maximum of {by}",
            asked.deadline, asked.started_at
        );
        let fault = Fault::new(Kind::TtlAboveMax, text);
        return Err(match asked.admin {
            true => fault
                .hint(format!("ask for {latest} or earlier, or add --beyond-policy and a reason")),
            false => fault.hint(format!("ask for {latest} or earlier")),
        });
    }
    if asked.ask.reason.unwrap_or_default().trim().is_empty() {
        let text = "--beyond-policy requires a reason";
        return Err(Fault::new(Kind::Requirement, text).hint(ADD_REASON));
    }
    if asked.deadline > asked.ask.now.plus(policy.max_ttl) {
        let text = format!("{} is more than {max} away, the maximum of {by}", asked.deadline);
        return Err(Fault::new(Kind::TtlAboveMax, text).hint(format!(
            "no grant lives longer than {max}: ask for that, and extend again in time"
        )));
    }
    overrides.push(Override::MaxTtl);
    Ok(asked.latest.max(asked.deadline))
}
