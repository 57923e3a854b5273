//! `[[account]]`: whose credentials, in which Regions, at which pace.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::{Range, RangeInclusive};

use super::diagnostics::Problem;
use super::schema::RATES;
use super::top::Read;
use super::walk::{At, Table, Walk};
use super::{Account, Rates};
use crate::ids::{AccountId, Principal, Region};
use crate::kms::Ways;

/// The most that a rate may be: above it lies a typing error, not a quota.
const RATE_MAX: i64 = 1_000;
/// More hosts than this share no account's quota in any sense.
const HOSTS_MAX: u32 = 100;
/// What AWS gives an account by default, per second (kms-facts 5).
const QUOTAS: [(&str, i64); 3] = [("create", 50), ("end", 50), ("list", 100)];
/// STS takes 2 to 1,224 of `[\w+=,.@:/-]` (botocore sts shape `externalIdType`).
const EXTERNAL_ID: RangeInclusive<usize> = 2..=1_224;
/// STS takes 2 to 64 of `[\w+=,.@-]` (botocore sts shape `roleSessionNameType`).
const SESSION_NAME: RangeInclusive<usize> = 2..=64;

/// Read one account.
pub(super) fn read(walk: &mut Walk<'_>, table: &Table<'_, '_>) -> Read<Account> {
    let id_text = table.required_text(walk, "id");
    let id = id_text.as_ref().and_then(|text| parse_id(walk, text));
    let role = principal(walk, table, "role-arn", id.as_ref());
    let retiring = principal(walk, table, "retiring-principal", id.as_ref());
    let retiring_principal = retiring_principal(walk, table, role.as_ref(), retiring);
    let ways = ways(walk, table, id.as_ref(), retiring_principal.as_ref());
    let external_id = external_id(walk, table);
    let regions = regions(walk, table);
    let endpoint = table.text(walk, "endpoint-url").and_then(|url| endpoint(walk, &url));
    let aws = endpoint.as_deref().is_none_or(|url| !is_loopback(url));
    let rates = rates(walk, table, aws);
    let hosts = hosts(walk, table, rates);
    let probe = table.flag(walk, "probe").is_none_or(|flag| flag.value);
    let place = walk.place(&table.span);
    let name = id_text.map(|text| At { value: text.value.to_owned(), span: text.span });
    let value = id.and_then(|id| {
        Some(Account {
            id,
            place,
            role_arn: role.map(|at| at.value),
            external_id,
            retiring_principal: retiring_principal?,
            ways,
            regions,
            endpoint,
            rates,
            hosts,
            probe,
        })
    });
    Read { value, name }
}

/// Whether its requests go to AWS, or at least away from this host.
pub(super) fn reaches_aws(account: &Account) -> bool {
    account.endpoint.as_deref().is_none_or(|url| !is_loopback(url))
}

fn parse_id(walk: &mut Walk<'_>, text: &At<&str>) -> Option<AccountId> {
    match AccountId::parse(text.value) {
        Ok(id) => Some(id),
        Err(bad) => {
            walk.problem(Problem::at(text.span.clone(), bad.to_string()));
            None
        }
    }
}

/// A role or user of this account, by its ARN.
fn principal(
    walk: &mut Walk<'_>,
    table: &Table<'_, '_>,
    key: &str,
    id: Option<&AccountId>,
) -> Option<At<Principal>> {
    let text = table.text(walk, key)?;
    let role_only = key != "retiring-principal";
    let shape = match role_only {
        true => "a role's ARN (arn:aws:iam::ACCOUNT:role/NAME)",
        false => "a role's or user's ARN (arn:aws:iam::ACCOUNT:role/NAME)",
    };
    let parts: Vec<_> = text.value.splitn(6, ':').collect();
    let fits = |resource: &str| {
        let (kind, name) = resource.split_once('/').unwrap_or_default();
        !name.is_empty() && (kind == "role" || (kind == "user" && !role_only))
    };
    let owner = match parts.as_slice() {
        ["arn", partition, "iam", "", account, resource]
            if partition.starts_with("aws") && fits(resource) =>
        {
            *account
        }
        _ => {
            let problem = Problem::at(text.span, format!("{:?} is not {shape}", text.value));
            walk.problem(match text.value.contains(":assumed-role/") {
                true => problem.help("this is a session: write the ARN of its role"),
                false => problem,
            });
            return None;
        }
    };
    if let Some(id) = id.filter(|id| id.as_str() != owner) {
        let message = format!("`{key}` is of account {owner}, but this is account {id}");
        let help = "a lane is one account's: its credentials issue the grants, and its principal retires them";
        walk.problem(Problem::at(text.span, message).help(help));
        return None;
    }
    match Principal::parse(text.value) {
        Ok(value) => Some(At { value, span: text.span }),
        Err(bad) => {
            walk.problem(Problem::at(text.span, bad.to_string()));
            None
        }
    }
}

fn retiring_principal(
    walk: &mut Walk<'_>,
    table: &Table<'_, '_>,
    role: Option<&At<Principal>>,
    given: Option<At<Principal>>,
) -> Option<Principal> {
    match (role, given) {
        (Some(role), Some(given)) if role.value != given.value => {
            let problem = Problem::at(
                given.span,
                "`retiring-principal` is another principal than `role-arn`: grantd could not retire its own grants",
            );
            let problem = problem.other(role.span.clone(), "the role that is assumed");
            walk.problem(problem.help("leave it out: with `role-arn` it is that role"));
            None
        }
        (Some(role), _) => Some(role.value.clone()),
        (None, Some(given)) => Some(given.value),
        (None, None) => {
            if table.get("role-arn").is_none() && table.get("retiring-principal").is_none() {
                let problem = Problem::at(
                    table.span.clone(),
                    "[[account]] has neither `role-arn` nor `retiring-principal`",
                );
                walk.problem(problem.help(
                    "name the role to assume, or, with the ambient credentials, the role or user that they are",
                ).derived());
            }
            None
        }
    }
}

fn external_id(walk: &mut Walk<'_>, table: &Table<'_, '_>) -> Option<String> {
    let text = table.text(walk, "external-id")?;
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@:/-".contains(&b);
    if !EXTERNAL_ID.contains(&text.value.len()) || !text.value.bytes().all(legal) {
        let help = "2 to 1224 letters, digits and _+=,.@:/-";
        walk.problem(Problem::at(text.span, "STS would refuse this `external-id`").help(help));
        return None;
    }
    needs_role(walk, table, "external-id", text.span);
    Some(text.value.to_owned())
}

/// `key` says how a role is assumed, so there must be one.
fn needs_role(walk: &mut Walk<'_>, table: &Table<'_, '_>, key: &str, span: Range<usize>) {
    if table.get("role-arn").is_none() && table.get("revoke-role-arn").is_none() {
        let problem = Problem::at(span, format!("`{key}` without `role-arn`"));
        walk.problem(problem.help("it is used when a role is assumed: add `role-arn`"));
    }
}

/// How the credentials are had.
fn ways(
    walk: &mut Walk<'_>,
    table: &Table<'_, '_>,
    id: Option<&AccountId>,
    own: Option<&Principal>,
) -> Ways {
    let revoke_role = principal(walk, table, "revoke-role-arn", id).and_then(|role| {
        if own != Some(&role.value) {
            return Some(role.value);
        }
        let message = "`revoke-role-arn` is grantd's own role, which may only retire";
        let help = "name a second role that may kms:RevokeGrant: that permission covers every \
                    grant of a key, so it is assumed only where retiring is denied";
        walk.problem(Problem::at(role.span, message).help(help));
        None
    });
    Ways {
        profile: profile(walk, table),
        session_name: session_name(walk, table),
        revoke_role,
        proxy: table.text(walk, "proxy").and_then(|url| proxy(walk, &url)),
    }
}

/// What goes through it is encrypted from end to end, so the way to the proxy itself need not be.
/// It asks for no password: that would stand in the file, the ledger and the log.
fn proxy(walk: &mut Walk<'_>, url: &At<&str>) -> Option<String> {
    let problem = |message: &str| Problem::at(url.span.clone(), message);
    let help = "write http, a host and a port, such as http://proxy.example.com:3128";
    match split_url(url.value) {
        Some(("http", _)) => Some(url.value.trim_end_matches('/').to_owned()),
        Some(_) => {
            walk.problem(problem("the way to a `proxy` is plain http").help(help));
            None
        }
        None if url.value.contains('@') => {
            let help = "let the proxy admit this host by its address: a password would stand in \
                        this file, the ledger and the log";
            walk.problem(problem("a `proxy` takes no user and password").help(help));
            None
        }
        None => {
            walk.problem(problem("`proxy` is no URL of a proxy").help(help));
            None
        }
    }
}

fn profile(walk: &mut Walk<'_>, table: &Table<'_, '_>) -> Option<String> {
    let text = table.text(walk, "profile")?;
    if text.value.is_empty() || text.value.chars().any(|c| c.is_control() || c == ']') {
        let help = "write the name as it stands in ~/.aws/config, without the word `profile`";
        walk.problem(Problem::at(text.span, "`profile` is no name of a profile").help(help));
        return None;
    }
    Some(text.value.to_owned())
}

fn session_name(walk: &mut Walk<'_>, table: &Table<'_, '_>) -> Option<String> {
    let text = table.text(walk, "session-name")?;
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b);
    if !SESSION_NAME.contains(&text.value.len()) || !text.value.bytes().all(legal) {
        let help = "2 to 64 letters, digits and _+=,.@-";
        walk.problem(Problem::at(text.span, "STS would refuse this `session-name`").help(help));
        return None;
    }
    needs_role(walk, table, "session-name", text.span);
    Some(text.value.to_owned())
}

fn regions(walk: &mut Walk<'_>, table: &Table<'_, '_>) -> Vec<Region> {
    let mut seen: BTreeMap<&str, Range<usize>> = BTreeMap::new();
    let mut regions = Vec::new();
    for text in table.required_texts(walk, "regions") {
        if let Some(first) = seen.get(text.value) {
            let message = format!("the Region {:?} is there already", text.value);
            walk.problem(Problem::at(text.span, message).other(first.clone(), "first here"));
            continue;
        }
        seen.insert(text.value, text.span.clone());
        match Region::parse(text.value) {
            Ok(region) => regions.push(region),
            Err(bad) => walk.problem(Problem::at(text.span, bad.to_string())),
        }
    }
    regions
}

/// `http` is for this host alone: over a network it would show grant tokens to whoever listens.
fn endpoint(walk: &mut Walk<'_>, url: &At<&str>) -> Option<String> {
    let problem = |message: &str| Problem::at(url.span.clone(), message);
    let Some((scheme, authority)) = split_url(url.value) else {
        let help = "write a scheme, a host and perhaps a port, such as http://127.0.0.1:4567";
        walk.problem(problem("`endpoint-url` is no URL").help(help));
        return None;
    };
    match scheme {
        "https" => Some(url.value.to_owned()),
        "http" if loopback_host(authority) => Some(url.value.to_owned()),
        "http" => {
            let help = "use https, or an endpoint on 127.0.0.1, [::1] or localhost";
            walk.problem(
                problem("http to another host would send grant tokens in the clear").help(help),
            );
            None
        }
        _ => {
            walk.problem(problem("`endpoint-url` is neither https nor http"));
            None
        }
    }
}

/// Scheme and authority of `scheme://authority[/]`; a path, a query or a user is no endpoint of
/// ours.
fn split_url(url: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"-.:[]_".contains(&b);
    let (host, port) = host_port(authority);
    let port_fits = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|p| p > 0));
    (authority.bytes().all(legal) && !host.is_empty() && port_fits).then_some((scheme, authority))
}

fn host_port(authority: &str) -> (&str, Option<&str>) {
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, after) = rest.split_once(']').unwrap_or(("", ""));
        return (host, after.strip_prefix(':').or((!after.is_empty()).then_some("")));
    }
    match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    }
}

fn loopback_host(authority: &str) -> bool {
    let (host, _) = host_port(authority);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Whether an endpoint is on this host: an emulator or the sandbox, never AWS.
#[must_use]
pub fn is_loopback(url: &str) -> bool {
    split_url(url).is_some_and(|(_, authority)| loopback_host(authority))
}

fn rates(walk: &mut Walk<'_>, table: &Table<'_, '_>, aws: bool) -> Rates {
    let mut rates = Rates::default();
    let Some(table) = table.get("rates").and_then(|v| Table::of(walk, v, &RATES)) else {
        return rates;
    };
    for (key, quota) in QUOTAS {
        let Some(given) = table.number(walk, key) else {
            continue;
        };
        let Some(rate) =
            u32::try_from(given.value).ok().filter(|_| (1..=RATE_MAX).contains(&given.value))
        else {
            let message = format!("`{key}` may not be {} per second", given.value);
            let help = format!("from 1 to {RATE_MAX}; AWS gives an account {quota} by default");
            walk.problem(Problem::at(given.span, message).help(help));
            continue;
        };
        if aws && given.value > quota {
            let message =
                format!("`{key}` is {rate} per second, above AWS's default quota of {quota}");
            let help = "right only where Service Quotas gives this account more";
            walk.warn(Problem::at(given.span, message).help(help));
        }
        match key {
            "create" => rates.create = rate,
            "end" => rates.end = rate,
            _ => rates.list = rate,
        }
    }
    rates
}

/// How many hosts share the rates. Each sends at least one request per second of each kind, so more
/// hosts than that would be above the rate together.
fn hosts(walk: &mut Walk<'_>, table: &Table<'_, '_>, rates: Rates) -> u32 {
    let Some(given) = table.count(walk, "hosts", (1, HOSTS_MAX)) else { return 1 };
    let Rates { create, end, list } = rates;
    let pairs = [("create", create), ("end", end), ("list", list)];
    if let Some((kind, rate)) = pairs.into_iter().find(|(_, rate)| *rate < given.value) {
        let hosts = given.value;
        let message = format!("{hosts} hosts cannot share {rate} {kind} requests per second");
        let help = format!("each sends one at least: raise `rates`, or have {rate} hosts or fewer");
        walk.problem(Problem::at(given.span, message).help(help));
    }
    given.value
}
