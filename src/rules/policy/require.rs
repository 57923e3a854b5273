//! What a policy wants a request to say.

use super::Ask;
use crate::config::Policy;
use crate::fault::{Fault, Kind};
use crate::terms::Constraints;

/// Characters of a reason: it is for people, and every listing of the history carries it.
pub const REASON_MAX: usize = 1_000;

/// What to do where a reason is wanted, by the command line and by the API.
pub const ADD_REASON: &str = "add --reason \"…\"; in a request of the API, the field \"reason\"";

pub(super) fn met(policy: &Policy, by: &str, ask: &Ask<'_>) -> Result<(), Fault> {
    let reason = ask.reason.unwrap_or_default();
    sayable(reason)?;
    if policy.require_reason && reason.trim().is_empty() {
        let text = format!("{by} requires a reason");
        return Err(Fault::new(Kind::Requirement, text).hint(ADD_REASON));
    }
    let lacks = |pair: &&crate::config::ContextPattern| match ask.constraints {
        Constraints::None => true,
        Constraints::Subset(pairs) | Constraints::Equals(pairs) => !pair.matches(pairs),
    };
    match policy.require_context.iter().find(lacks) {
        None => Ok(()),
        Some(pair) => {
            let text = format!("{by} requires a grant bound to the encryption context {pair}");
            let hint = format!("add --context {}=… with a value that fits", pair.key);
            Err(Fault::new(Kind::Requirement, text).hint(hint))
        }
    }
}

/// Whether a reason is one line of a length that every listing can carry, whatever it is given for.
///
/// # Errors
/// `BadArgument`.
pub fn sayable(reason: &str) -> Result<(), Fault> {
    if reason.chars().count() > REASON_MAX || reason.chars().any(char::is_control) {
        let text =
            format!("the reason is above {REASON_MAX} characters, or has control characters");
        return Err(Fault::new(Kind::BadArgument, text).hint("say it in a line"));
    }
    Ok(())
}
