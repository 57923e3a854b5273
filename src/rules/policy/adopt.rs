//! What the policies say to a person who puts somebody else's grant under a deadline.

use super::{Ask, Terms, key_is_ours, lists_grantee, lists_key, terms};
use crate::config::Config;
use crate::fault::{Fault, Kind};

/// The terms of the first policy that names key and grantee, whoever asks: access is not given but
/// bounded. What that policy does not give (an operation, a longer time), it does not put in order.
///
/// # Errors
/// The refusal, with what would have been allowed.
pub fn adopt(config: &Config, ask: &Ask<'_>) -> Result<Terms, Fault> {
    key_is_ours(config, ask.key)?;
    let (key, grantee) = (&ask.key.arn, ask.grantee.as_str());
    let names = |policy: &&crate::config::Policy| {
        lists_key(policy, key, ask.aliases) && lists_grantee(config, policy, grantee, key)
    };
    let Some(policy) = config.policies.iter().find(names) else {
        let text = format!("no policy names {key} for {grantee}");
        return Err(Fault::new(Kind::NoPolicy, text)
            .hint("write one that does: what no policy names is left alone"));
    };
    terms(config, policy, ask)
}
