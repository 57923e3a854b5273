//! The entries of `keys` and `grantees`: what may stand there, and what each could never match.

use super::Account;
use super::diagnostics::Problem;
use super::pattern::{Glob, GranteePattern, GranteeScope, KeyPattern, KeyScope, has_glob};
use super::walk::At;
use crate::ids::{AccountId, Principal};
use crate::rules::policy::is_grantee;

fn glob(text: &At<&str>, part: &str, slash: bool) -> Result<Glob, Problem> {
    Glob::new(part, slash).map_err(|why| {
        Problem::at(text.span.clone(), format!("{:?} is no pattern: {why}", text.value))
    })
}

fn configured(accounts: &[Account]) -> String {
    let ids: Vec<_> = accounts.iter().map(|a| a.id.as_str()).collect();
    ids.join(", ")
}

/// One entry of `keys`; with `via`, of another account's.
pub(super) fn key(
    text: &At<&str>,
    accounts: &[Account],
    via: Option<&Account>,
) -> Result<KeyPattern, Problem> {
    let problem = |message: String| Problem::at(text.span.clone(), message);
    let help = "write an alias (alias/NAME), or an ARN (arn:aws:kms:REGION:ACCOUNT:key/ID); * and ? are patterns";
    let (scope, rest) = match text.value.strip_prefix("arn:") {
        None => (None, text.value),
        Some(arn) => {
            let parts: Vec<_> = arn.splitn(5, ':').collect();
            let [partition, "kms", region, account, rest] = parts.as_slice() else {
                return Err(problem(format!("{:?} is no ARN of a KMS key", text.value)).help(help));
            };
            let scope = key_scope(text, (partition, region, account), accounts, via)?;
            (Some(scope), *rest)
        }
    };
    if via.is_some() && rest.starts_with("alias/") {
        let why = "an alias of another account cannot be looked up";
        let help = "with `via`, write the ARN of each key: arn:aws:kms:REGION:ACCOUNT:key/ID";
        return Err(problem(why.to_owned()).help(help));
    }
    let (part, by_alias) = match (rest.strip_prefix("key/"), rest.starts_with("alias/")) {
        (_, true) => (rest, true),
        (Some(id), false) if scope.is_some() => (id, false),
        (Some(_) | None, false) => {
            return Err(problem(format!(
                "{:?} is neither an alias nor the ARN of a key",
                text.value
            ))
            .help(help));
        }
    };
    if part.is_empty() || part == "alias/" {
        return Err(problem(format!("{:?} names no key", text.value)).help(help));
    }
    if part.starts_with("alias/aws/") {
        let why = "alias/aws/… are AWS managed keys: their grants belong to AWS services";
        return Err(problem(why.to_owned()).help("name a customer managed key"));
    }
    Ok(KeyPattern { text: text.value.to_owned(), scope, glob: glob(text, part, false)?, by_alias })
}

fn key_scope(
    text: &At<&str>,
    (partition, region, account): (&str, &str, &str),
    accounts: &[Account],
    via: Option<&Account>,
) -> Result<KeyScope, Problem> {
    let problem = |message: String| Problem::at(text.span.clone(), message);
    if has_glob(partition) || has_glob(account) {
        let why = "a pattern may not stand for an account or a partition";
        return Err(problem(why.to_owned()).help("write both out, and one entry for each account"));
    }
    let id = AccountId::parse(account).map_err(|bad| problem(bad.to_string()))?;
    let region_glob = glob(text, region, false)?;
    let owner = accounts.iter().find(|a| a.id == id);
    let maker = match (owner, via) {
        (Some(_), Some(via)) if via.id != id => {
            let why = format!("account {id} has an [[account]] of its own");
            let help = "its keys need no `via`: give them a policy without it";
            return Err(problem(why).help(help));
        }
        (Some(_), Some(_)) => {
            let why = format!("the key is of account {id} itself");
            return Err(problem(why).help("leave `via` out: it is for other accounts' keys"));
        }
        (Some(owner), None) => owner,
        (None, Some(via)) => via,
        (None, None) => {
            let message = format!("the key is of account {id}, which no [[account]] names");
            let help = match accounts.is_empty() {
                true => "add the account".to_owned(),
                false => format!(
                    "this file has {}; `via` names the one whose credentials may use another's keys",
                    configured(accounts)
                ),
            };
            return Err(problem(message).help(help).derived());
        }
    };
    if !maker.regions.iter().any(|r| region_glob.matches(r.as_str())) {
        let regions: Vec<_> = maker.regions.iter().map(|r| r.as_str()).collect();
        let message = format!("the Region {region:?} is not among those of account {}", maker.id);
        return Err(problem(message).help(format!("it has {}", regions.join(", "))).derived());
    }
    Ok(KeyScope { partition: partition.to_owned(), region: region_glob, account: id })
}

/// One entry of `grantees`, for these keys.
pub(super) fn grantee(
    text: &At<&str>,
    accounts: &[Account],
    keys: &[KeyPattern],
) -> Result<GranteePattern, Problem> {
    let problem = |message: String| Problem::at(text.span.clone(), message);
    let Some(arn) = text.value.strip_prefix("arn:") else {
        return short_grantee(text, accounts);
    };
    let parts: Vec<_> = arn.splitn(5, ':').collect();
    let [partition, service @ ("iam" | "sts"), "", account, resource] = parts.as_slice() else {
        let help = "write arn:aws:iam::ACCOUNT:role/NAME, or role/NAME for the key's account";
        return Err(problem(format!("{:?} is no ARN of a principal", text.value)).help(help));
    };
    let pattern = GranteePattern {
        text: text.value.to_owned(),
        scope: Some(GranteeScope {
            head: format!("arn:{partition}:{service}::{account}:"),
            account: (*account).to_owned(),
        }),
        glob: glob(text, resource, true)?,
    };
    if has_glob(partition) || has_glob(account) {
        let why = "a pattern may not stand for an account or a partition";
        return Err(problem(why.to_owned()).help("write both out, and one entry for each account"));
    }
    AccountId::parse(*account).map_err(|bad| problem(bad.to_string()))?;
    if !pattern.is_literal() {
        let iam = *service == "iam";
        if !iam || !(resource.starts_with("role/") || resource.starts_with("user/")) {
            let why =
                "a pattern may only stand for roles or users, never for a session or account root";
            return Err(problem(why.to_owned()).help("write role/… or user/… of service iam"));
        }
        let of_key = keys.iter().filter_map(KeyPattern::account).any(|id| id.as_str() == *account);
        let known = of_key || accounts.iter().any(|a| a.id.as_str() == *account);
        if !accounts.is_empty() && !known {
            let why = format!(
                "a pattern never matches another account's principals, and no [[account]] is {account}"
            );
            let help = "write each of them out in full";
            return Err(problem(why).help(help).derived());
        }
        return Ok(pattern);
    }
    if !is_grantee(text.value) {
        let help =
            "KMS gives grants to roles, users, sessions and accounts, not to groups or services";
        return Err(problem(format!("{:?} can be no grantee", text.value)).help(help));
    }
    own_role(text, text.value, accounts)?;
    Ok(pattern)
}

/// grantd's own role holds the way out: as a grantee it would be a way in.
fn own_role(text: &At<&str>, arn: &str, accounts: &[Account]) -> Result<(), Problem> {
    match accounts.iter().find(|a| a.retiring_principal.as_str() == arn) {
        Some(account) => {
            let why = format!("this is grantd's own role in account {}", account.id);
            let help = "name another role: nobody gets access through the daemon";
            Err(Problem::at(text.span.clone(), why).help(help))
        }
        None => Ok(()),
    }
}

fn short_grantee(text: &At<&str>, accounts: &[Account]) -> Result<GranteePattern, Problem> {
    let problem = |message: String| Problem::at(text.span.clone(), message);
    let (kind, name) = text.value.split_once('/').unwrap_or((text.value, ""));
    if !matches!(kind, "role" | "user") || name.is_empty() {
        let help = "write role/NAME or user/NAME for the key's account, or a whole ARN";
        return Err(problem(format!("{:?} is no principal", text.value)).help(help));
    }
    let pattern = GranteePattern {
        text: text.value.to_owned(),
        scope: None,
        glob: glob(text, text.value, true)?,
    };
    if pattern.is_literal() && Principal::parse(text.value).is_err() {
        let help = "IAM names have letters, digits and +=,.@_-";
        return Err(problem(format!("{:?} is no principal", text.value)).help(help));
    }
    if pattern.is_literal() {
        for account in accounts {
            let owner = account.retiring_principal.as_str();
            if owner.rsplit(':').next() == Some(text.value) {
                own_role(text, owner, accounts)?;
            }
        }
    }
    Ok(pattern)
}
