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

/// Whether all that `scope` names fits; `keys` are those that its alias named when it was frozen.
#[must_use]
pub fn fits(scope: &Scope, keys: &[KeyArn], subject: &Subject<'_>) -> bool {
    let Scope { key, grantee, policy, account, caller } = scope;
    key.as_ref().is_none_or(|key| keys.contains(subject.key_arn) || is_key(key, subject))
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

/// As a listing takes it: the ARN, its last piece, or what stands behind the account. And who he
/// is, however it is written: names of roles and users are unique in an account whatever their path
/// (IAM User Guide, "IAM identifiers"), and who holds a session of a role has the role.
fn is_grantee(named: &str, grantee: &Principal) -> bool {
    let text = grantee.as_str();
    let (account, behind) = split(text);
    let (named_account, rest) = split(named);
    if named == text || named == grantee.short() || rest == behind && named_account.is_none() {
        return true;
    }
    let here = named_account.is_none() || named_account == account;
    let of_role = behind.strip_prefix("assumed-role/").and_then(|role| role.split_once('/'));
    let (kind, name) = match of_role {
        Some((role, _)) => ("role", role),
        None => (first_piece(behind), grantee.short()),
    };
    let same = here && first_piece(rest) == kind && rest.rsplit('/').next() == Some(name);
    (same && matches!(kind, "role" | "user")) || (kind == "role" && named == name)
}

/// The account of an ARN, and what stands behind it; what is no ARN is all behind.
fn split(text: &str) -> (Option<&str>, &str) {
    let mut pieces = text.splitn(6, ':');
    match (pieces.next(), pieces.nth(3), pieces.next()) {
        (Some("arn"), Some(account), Some(behind)) => (Some(account), behind),
        _ => (None, text),
    }
}

fn first_piece(text: &str) -> &str {
    text.split_once('/').map_or("", |(first, _)| first)
}

#[cfg(test)]
mod tests;
