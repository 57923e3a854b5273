//! Which keys the policies mean.

use super::lists_key;
use crate::config::Config;
use crate::ids::KeyArn;
use crate::kms::{Alias, Lane};

/// The keys of this lane that a policy names, sorted: of those with an alias every one that a
/// pattern takes in, and those that are written out. `aliases` are the lane's. (A pattern of key
/// ids may take in more: KMS lists no key here that has no alias.)
#[must_use]
pub fn named_keys(config: &Config, lane: &Lane, aliases: &[Alias]) -> Vec<KeyArn> {
    let named = |key: &KeyArn| {
        let names = alias_names(aliases, key);
        config.policies.iter().any(|policy| lists_key(policy, key, &names))
    };
    let mut keys: Vec<KeyArn> =
        aliases.iter().filter_map(|alias| lane.target(alias)).filter(named).collect();
    let patterns = config.policies.iter().flat_map(|policy| &policy.keys);
    let literal = patterns.filter_map(|pattern| KeyArn::parse(pattern.to_string()).ok());
    keys.extend(literal.filter(|key| {
        let maker = config.account_of(key).map(|account| &account.id);
        key.region() == lane.region.as_str() && maker == Some(&lane.account)
    }));
    keys.sort();
    keys.dedup();
    keys
}

/// The names of a key of the lane's own account, with their `alias/`. KMS shows nobody another
/// account's.
#[must_use]
pub fn alias_names(aliases: &[Alias], key: &KeyArn) -> Vec<String> {
    let of_key = |alias: &&Alias| alias.key_id.as_deref() == Some(key.key_id());
    aliases.iter().filter(of_key).map(|alias| alias.name.clone()).collect()
}
