//! Whether a freeze fits a lease that is asked for. Pure.

use crate::ids::{AccountId, KeyArn, Principal};
use crate::wire::Scope;

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

/// Whether all that `scope` names fits.
#[must_use]
pub fn fits(scope: &Scope, subject: &Subject<'_>) -> bool {
    let Scope { key, grantee, policy, account, caller } = scope;
    key.as_ref().is_none_or(|key| is_key(key, subject))
        && grantee.as_ref().is_none_or(|grantee| is_grantee(grantee, subject.grantee))
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

/// As a listing takes it: the ARN, its last piece, or what stands behind the account.
fn is_grantee(named: &str, grantee: &Principal) -> bool {
    let behind = grantee.as_str().splitn(6, ':').nth(5);
    named == grantee.as_str() || named == grantee.short() || behind == Some(named)
}

#[cfg(test)]
mod tests;
