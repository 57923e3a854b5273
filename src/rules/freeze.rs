//! Whether a freeze fits a lease that is asked for, and whether it could fit any. Pure.

pub mod grantee;

use crate::config::{Config, Policy};
use crate::fault::{Fault, Kind};
use crate::ids::{AccountId, KeyArn, Principal};
use crate::wire::Scope;

/// Names that a hint lists: more would hide the one that was meant.
const LISTED: usize = 6;

/// A lease that is asked for, as far as a freeze looks at it.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The key.
    pub key_arn: &'a KeyArn,
    /// As the asker wrote it.
    pub key: &'a str,
    /// The aliases that the key had when it was looked up.
    pub aliases: &'a [String],
    /// Who is to get access.
    pub grantee: &'a Principal,
    /// The policy that allows it.
    pub policy: Option<&'a str>,
    /// The account whose credentials make it.
    pub account: &'a AccountId,
    /// Who asks.
    pub caller: Option<u32>,
}

/// Whether all that `scope` names fits; `keys` are those that its alias named when it was frozen.
#[must_use]
pub fn fits(scope: &Scope, keys: &[KeyArn], subject: &Subject<'_>) -> bool {
    let Scope { key, grantee, policy, account, caller } = scope;
    key.as_ref().is_none_or(|key| keys.contains(subject.key_arn) || is_key(key, subject))
        && grantee.as_ref().is_none_or(|grantee| grantee::names(grantee, subject.grantee))
        && policy.as_ref().is_none_or(|policy| subject.policy == Some(policy))
        && account.as_ref().is_none_or(|account| {
            account == subject.account || account.as_str() == subject.key_arn.account()
        })
        && caller.is_none_or(|caller| subject.caller == Some(caller))
}

/// The key itself, however it was asked for: who is frozen out by an alias does not get in by the
/// ARN.
fn is_key(named: &str, subject: &Subject<'_>) -> bool {
    let Subject { key_arn, key, aliases, .. } = subject;
    let alias = |name: &str| aliases.iter().any(|alias| alias == name);
    if named == *key || named == key_arn.as_str() || named == key_arn.key_id() {
        return true;
    }
    match named.split_once(":alias/") {
        Some((place, name)) => {
            let own = key_arn.as_str().split_once(":key/").map(|(place, _)| place);
            own == Some(place) && alias(&format!("alias/{name}"))
        }
        None => alias(named),
    }
}

/// Whether a lease that this configuration allows could fit `scope`; without one, whether what it
/// says is readable. Where none could, whoever freezes would believe in vain that it stops.
///
/// # Errors
/// [`Kind::BadArgument`], with what would be right.
pub fn could_fit(config: Option<&Config>, scope: &Scope) -> Result<(), Fault> {
    let refuse = |text: String, hint: String| {
        let text = format!("{text}, so this would freeze nothing");
        Err(Fault::new(Kind::BadArgument, text).hint(hint))
    };
    if let Some(named) = &scope.grantee
        && let Err(grantee::Unreadable { why, hint }) = grantee::readable(named)
    {
        return refuse(format!("--grantee {named:?} {why}"), hint);
    }
    let Some(config) = config else { return Ok(()) };
    let mut policies: Vec<&Policy> = config.policies.iter().collect();
    if let Some(name) = &scope.policy {
        policies.retain(|policy| policy.name == *name);
        if policies.is_empty() {
            let hint = format!(
                "its policies are {}",
                listed(config.policies.iter().map(|p| p.name.clone()))
            );
            return refuse(format!("the configuration has no policy {name:?}"), hint);
        }
    }
    if let Some(account) = &scope.account {
        let of = |policy: &&Policy| {
            policy.via.as_ref() == Some(account) || config.key_accounts(policy).contains(&account)
        };
        policies.retain(of);
        if policies.is_empty() {
            let hint = format!(
                "its accounts are {}",
                listed(config.accounts.iter().map(|a| a.id.to_string()))
            );
            return refuse(format!("no policy has keys of account {account}"), hint);
        }
    }
    let Some(named) = &scope.grantee else { return Ok(()) };
    if policies.iter().any(|policy| grantee::within(config, policy, named)) {
        return Ok(());
    }
    let role = grantee::role_of_session(named)
        .filter(|role| policies.iter().any(|policy| grantee::within(config, policy, role)));
    let hint = match role {
        Some(role) => format!("name the role, {role}: that is all of its sessions"),
        None => {
            let all = policies.iter().flat_map(|policy| &policy.grantees);
            format!("their grantees are {}", listed(all.map(ToString::to_string)))
        }
    };
    let which =
        if policies.len() < config.policies.len() { "none of these policies" } else { "no policy" };
    refuse(format!("{which} gives access to {named:?}"), hint)
}

/// Some of them, with commas, each once.
fn listed(all: impl Iterator<Item = String>) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut more = 0;
    for one in all {
        match texts.contains(&one) {
            true => {}
            false if texts.len() < LISTED => texts.push(one),
            false => more += 1,
        }
    }
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", texts.join(", "))
}

#[cfg(test)]
mod tests;
