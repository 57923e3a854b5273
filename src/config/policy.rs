//! `[[policy]]`: which keys, to whom, for what, asked by whom, for how long.

use super::callers::{CallerPattern, NO_ID, OVERFLOW};
use super::daemon::Read;
use super::diagnostics::Problem;
use super::pattern::{Glob, GranteePattern, GranteeScope, KeyPattern, KeyScope, has_glob};
use super::walk::{At, Table, Walk, nearest};
use super::{Account, DEFAULT_TTL, Policy, TTL_MAX, TTL_MIN};
use crate::ids::{AccountId, Principal};
use crate::rules::policy::show_span;
use crate::terms::Operation;

/// Characters of a policy's name: it stands in tables and in the ledger.
const NAME_MAX: usize = 64;

/// Read one policy.
pub(super) fn read(
    walk: &mut Walk<'_>,
    table: &Table<'_, '_>,
    accounts: &[Account],
) -> Read<Policy> {
    let name = table.required_text(walk, "name").map(|text| name(walk, text));
    let keys = each(walk, table, "keys", |walk, text| key(walk, text, accounts));
    let grantees = each(walk, table, "grantees", |walk, text| grantee(walk, text, accounts));
    let callers = each(walk, table, "callers", caller);
    let redelegate = table.flag(walk, "allow-redelegation");
    let allow_redelegation = redelegate.is_some_and(|flag| flag.value);
    let operations = operations(walk, table, allow_redelegation);
    let (default_ttl, max_ttl, lead) = times(walk, table);
    let require_reason = require(walk, table);
    let value = name.clone().map(|name| Policy {
        name: name.value,
        place: walk.place(&table.span),
        keys,
        grantees,
        operations,
        callers,
        default_ttl,
        max_ttl,
        lead,
        require_reason,
        allow_redelegation,
    });
    Read { value, name }
}

/// Each entry of a list, checked by `read`; what is wrong is reported and left out.
fn each<T>(
    walk: &mut Walk<'_>,
    table: &Table<'_, '_>,
    key: &str,
    read: impl Fn(&mut Walk<'_>, &At<&str>) -> Result<T, Problem>,
) -> Vec<T> {
    let mut all = Vec::new();
    for text in table.required_texts(walk, key) {
        match read(walk, &text) {
            Ok(value) => all.push(value),
            Err(problem) => walk.problem(problem),
        }
    }
    all
}

fn name(walk: &mut Walk<'_>, text: At<&str>) -> At<String> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    let fits = (1..=NAME_MAX).contains(&text.value.len()) && text.value.bytes().all(legal);
    if !fits {
        let message = format!("{:?} is no name for a policy", text.value);
        let help = format!("1 to {NAME_MAX} letters, digits and ._-");
        walk.problem(Problem::at(text.span.clone(), message).help(help));
    }
    At { value: text.value.to_owned(), span: text.span }
}

fn glob(text: &At<&str>, part: &str, slash: bool) -> Result<Glob, Problem> {
    Glob::new(part, slash).map_err(|why| {
        Problem::at(text.span.clone(), format!("{:?} is no pattern: {why}", text.value))
    })
}

fn configured(accounts: &[Account]) -> String {
    let ids: Vec<_> = accounts.iter().map(|a| a.id.as_str()).collect();
    ids.join(", ")
}

fn key(_: &mut Walk<'_>, text: &At<&str>, accounts: &[Account]) -> Result<KeyPattern, Problem> {
    let problem = |message: String| Problem::at(text.span.clone(), message);
    let help = "write an alias (alias/NAME), or an ARN (arn:aws:kms:REGION:ACCOUNT:key/ID); * and ? are patterns";
    let (scope, rest) = match text.value.strip_prefix("arn:") {
        None => (None, text.value),
        Some(arn) => {
            let parts: Vec<_> = arn.splitn(5, ':').collect();
            let [partition, "kms", region, account, rest] = parts.as_slice() else {
                return Err(problem(format!("{:?} is no ARN of a KMS key", text.value)).help(help));
            };
            (Some(key_scope(text, partition, region, account, accounts)?), *rest)
        }
    };
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
    partition: &str,
    region: &str,
    account: &str,
    accounts: &[Account],
) -> Result<KeyScope, Problem> {
    let problem = |message: String| Problem::at(text.span.clone(), message);
    if has_glob(partition) || has_glob(account) {
        let why = "a pattern may not stand for an account or a partition";
        return Err(problem(why.to_owned()).help("write both out, and one entry for each account"));
    }
    let id = AccountId::parse(account).map_err(|bad| problem(bad.to_string()))?;
    let region_glob = glob(text, region, false)?;
    let Some(owner) = accounts.iter().find(|a| a.id == id) else {
        let message = format!("the key is of account {id}, which no [[account]] names");
        let help = match accounts.is_empty() {
            true => "add the account".to_owned(),
            false => format!("this file has {}", configured(accounts)),
        };
        return Err(problem(message).help(help).derived());
    };
    if !owner.regions.iter().any(|r| region_glob.matches(r.as_str())) {
        let regions: Vec<_> = owner.regions.iter().map(|r| r.as_str()).collect();
        let message = format!("the Region {region:?} is not among those of account {id}");
        return Err(problem(message).help(format!("it has {}", regions.join(", "))).derived());
    }
    Ok(KeyScope { partition: partition.to_owned(), region: region_glob, account: id })
}

fn grantee(
    _: &mut Walk<'_>,
    text: &At<&str>,
    accounts: &[Account],
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
        if !accounts.is_empty() && !accounts.iter().any(|a| a.id.as_str() == *account) {
            let why = format!(
                "a pattern never matches another account's principals, and no [[account]] is {account}"
            );
            let help = "write each of them out in full";
            return Err(problem(why).help(help).derived());
        }
        return Ok(pattern);
    }
    literal_arn(text, service, resource, accounts)?;
    Ok(pattern)
}

fn literal_arn(
    text: &At<&str>,
    service: &str,
    resource: &str,
    accounts: &[Account],
) -> Result<(), Problem> {
    let problem = |message: String| Problem::at(text.span.clone(), message);
    let (kind, name) = resource.split_once('/').unwrap_or((resource, ""));
    let fits = match (service, kind) {
        ("iam", "root") => name.is_empty() && resource == "root",
        ("iam", "role" | "user") => !name.is_empty(),
        ("sts", "assumed-role") => name.split('/').filter(|part| !part.is_empty()).count() == 2,
        ("sts", "federated-user") => !name.is_empty(),
        _ => false,
    };
    if !fits || Principal::parse(text.value).is_err() {
        let help =
            "KMS gives grants to roles, users, sessions and accounts, not to groups or services";
        return Err(problem(format!("{:?} can be no grantee", text.value)).help(help));
    }
    own_role(text, text.value, accounts)
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

fn caller(walk: &mut Walk<'_>, text: &At<&str>) -> Result<CallerPattern, Problem> {
    let problem = |message: String| Problem::at(text.span.clone(), message);
    let (kind, name) = text.value.split_once(':').unwrap_or((text.value, ""));
    let is_user = match kind {
        "user" => true,
        "group" => false,
        _ => {
            let help = "write user:NAME, user:UID, group:NAME or group:GID";
            return Err(
                problem(format!("{:?} is neither a user nor a group", text.value)).help(help)
            );
        }
    };
    if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c.is_control() || c == ':') {
        return Err(problem(format!("{:?} is no {kind} name", text.value)));
    }
    if name.contains('*') {
        let help = "list the users and groups one by one";
        return Err(problem("callers are no patterns".to_owned()).help(help));
    }
    let found = match name.bytes().all(|b| b.is_ascii_digit()) {
        true => match name.parse() {
            Ok(id) => Ok(Some(id)),
            Err(_) => return Err(problem(format!("{name} is too large for an id"))),
        },
        false if is_user => walk.names.user(name),
        false => walk.names.group(name),
    };
    let id = match found {
        Ok(Some(id)) => Some(id),
        Ok(None) => {
            let warning =
                problem(format!("there is no {kind} {name:?} on this host: it matches nobody"));
            walk.warn(warning.help("create it and reload, or correct the name"));
            None
        }
        Err(why) => {
            let warning = problem(format!(
                "the {kind} {name:?} cannot be looked up ({why}): it matches nobody"
            ));
            walk.warn(warning.help("reload when the user database answers"));
            None
        }
    };
    if id.is_some_and(|id| id == OVERFLOW || id == NO_ID) {
        let why = format!("{kind} {name} is what the kernel shows for everybody it cannot name");
        return Err(problem(why).help("list a user or group of its own"));
    }
    let name = name.to_owned();
    Ok(match is_user {
        true => CallerPattern::User { name, uid: id },
        false => CallerPattern::Group { name, gid: id },
    })
}

fn operations(walk: &mut Walk<'_>, table: &Table<'_, '_>, redelegate: bool) -> Vec<Operation> {
    let mut all = each(walk, table, "operations", |_, text| {
        let problem = |message: String| Problem::at(text.span.clone(), message);
        let operation: Operation = text.value.parse().map_err(|_| unknown_operation(text))?;
        if operation.redelegates() && !redelegate {
            let why = format!(
                "a grant with {operation} can outlive its lease: who holds it can pass access on"
            );
            return Err(problem(why)
                .help("leave it out, or say `allow-redelegation = true` in this policy"));
        }
        Ok(operation)
    });
    all.sort_unstable();
    all.dedup();
    all
}

fn unknown_operation(text: &At<&str>) -> Problem {
    let name = text.value.strip_prefix("kms:").unwrap_or(text.value);
    let problem = Problem::at(text.span.clone(), format!("{:?} is no grant operation", text.value));
    if matches!(name, "read" | "write") {
        let message = format!("the operation group {name:?} is not supported by this version");
        return Problem::at(text.span.clone(), message).help("list the operations one by one");
    }
    if name.eq_ignore_ascii_case("ReEncrypt") {
        return problem.help("KMS splits it: ReEncryptFrom and ReEncryptTo");
    }
    let all = || Operation::ALL.iter().map(|op| op.as_str());
    let same = all().find(|known| known.eq_ignore_ascii_case(name));
    match same.or_else(|| nearest(name, all())) {
        Some(near) => problem.help(format!("did you mean {near:?}?")),
        None => problem.help(format!("KMS knows {}", all().collect::<Vec<_>>().join(", "))),
    }
}

/// `default-ttl`, `max-ttl` and `lead`, and how they fit each other.
fn times(walk: &mut Walk<'_>, table: &Table<'_, '_>) -> (i64, i64, i64) {
    if table.get("max-ttl").is_none() {
        table.missing(walk, "max-ttl");
    }
    let max = table.duration(walk, "max-ttl");
    let max = max.and_then(|max| bounded(walk, "max-ttl", max));
    let default = table.duration(walk, "default-ttl");
    let default = default.and_then(|ttl| bounded(walk, "default-ttl", ttl));
    let lead = table.duration(walk, "lead");
    let max_ttl = max.as_ref().map_or(TTL_MAX, |at| at.value);
    if let (Some(default), Some(max)) = (&default, &max)
        && default.value > max.value
    {
        let message = format!("`default-ttl` is {}, above the maximum", show_span(default.value));
        let problem = Problem::at(default.span.clone(), message);
        walk.problem(problem.other(max.span.clone(), "the maximum of this policy"));
    }
    let default_ttl = default.as_ref().map_or(DEFAULT_TTL.min(max_ttl), |at| at.value);
    if let Some(lead) = &lead
        && lead.value >= default_ttl
    {
        let message = format!(
            "`lead` is {}, and a lease of {} would end before it began",
            show_span(lead.value),
            show_span(default_ttl)
        );
        let problem = Problem::at(lead.span.clone(), message);
        walk.problem(problem.help(
            "make it less than `default-ttl`: the end is sent that much before the deadline",
        ));
    }
    (default_ttl, max_ttl, lead.map_or(0, |at| at.value))
}

fn bounded(walk: &mut Walk<'_>, key: &str, ttl: At<i64>) -> Option<At<i64>> {
    if (TTL_MIN..=TTL_MAX).contains(&ttl.value) {
        return Some(ttl);
    }
    let message = format!("`{key}` is {}", show_span(ttl.value));
    let help = format!("from {} to {}", show_span(TTL_MIN), show_span(TTL_MAX));
    walk.problem(Problem::at(ttl.span, message).help(help));
    None
}

fn require(walk: &mut Walk<'_>, table: &Table<'_, '_>) -> bool {
    let mut reason = false;
    for text in table.texts(walk, "require").unwrap_or_default() {
        match text.value {
            "reason" => reason = true,
            "encryption-context" => {
                let message =
                    "`require = [\"encryption-context\"]` is not supported by this version";
                walk.problem(Problem::at(text.span, message).help("leave it out until then"));
            }
            other => {
                let message = format!("{other:?} is nothing that can be required");
                walk.problem(Problem::at(text.span, message).help("it takes \"reason\""));
            }
        }
    }
    reason
}
