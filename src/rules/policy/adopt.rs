//! What the policies say to a person who puts somebody else's grant under a deadline.

use super::{Ask, SERVICE_ROLE, Terms, adopts_for, key_is_ours, lists_grantee, lists_key, terms};
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
    let on_key = || config.policies.iter().filter(|p| lists_key(p, key, ask.aliases));
    let Some(policy) = on_key().find(|policy| adopts_for(config, policy, grantee, key)) else {
        let text = format!("no policy names {key} for {grantee}");
        let by_pattern = on_key().any(|policy| lists_grantee(config, policy, grantee, key));
        let hint = match by_pattern {
            false => "write one that does: what no policy names is left alone".to_owned(),
            true => format!(
                "write the grantee out: no pattern takes in {} here",
                SERVICE_ROLE.trim_start_matches(':')
            ),
        };
        return Err(Fault::new(Kind::NoPolicy, text).hint(hint));
    };
    terms(config, policy, ask)
}
