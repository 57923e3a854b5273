//! From the words of a request to its values, with a fault that says what would have been right.

use crate::fault::{Fault, Kind};
use crate::ids::{AccountId, KeyArn, Principal};
use crate::rules::policy::parse_span;
use crate::rules::time::{BadInstant, Time};
use crate::terms::Operation;

/// What can be a grantee, for people.
const GRANTEES: &str =
    "write role/NAME or user/NAME for the key's account, or the ARN of a role, user or session";

/// Until when a lease is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// As long as the policy gives by default.
    Default,
    /// This long, in ms.
    Ttl(i64),
    /// Until this instant.
    At(Time),
}

impl Until {
    /// From the request's two fields, of which at most one may be given.
    ///
    /// # Errors
    /// `Usage` when both are given, `BadArgument` when the span is none.
    pub fn parse(ttl: Option<&str>, until: Option<Time>) -> Result<Self, Fault> {
        match (ttl, until) {
            (None, None) => Ok(Self::Default),
            (None, Some(at)) => Ok(Self::At(at)),
            (Some(ttl), None) => parse_ttl(ttl).map(Self::Ttl),
            (Some(_), Some(_)) => {
                Err(Fault::new(Kind::Usage, "--ttl and --until exclude each other")
                    .hint("give one of them"))
            }
        }
    }
}

/// Read `--ttl` into ms.
///
/// # Errors
/// `BadArgument` with the reason and the grammar.
pub fn parse_ttl(text: &str) -> Result<i64, Fault> {
    parse_span(text).map_err(|bad| {
        let fault = Fault::new(Kind::BadArgument, format!("--ttl {text:?}: {bad}"));
        match Time::parse(text) {
            Ok(_) | Err(BadInstant::NoDay | BadInstant::NoTime | BadInstant::NoZone) => {
                fault.hint("when it ends says --until, such as --until 2026-11-23T18:00:00Z")
            }
            Err(_) => fault.hint(bad.help()),
        }
    })
}

/// Read operation names and the groups `read` and `write`; sorted, each once.
///
/// # Errors
/// `BadArgument` for an unknown one (with the name that was probably meant), and for none at all.
pub fn parse_operations(texts: &[String]) -> Result<Vec<Operation>, Fault> {
    let mut all = Vec::new();
    for text in texts {
        let named = Operation::named(text).ok_or_else(|| {
            Fault::new(Kind::BadArgument, format!("{text:?} is no grant operation"))
                .hint(Operation::advice(text))
        })?;
        all.extend_from_slice(named);
    }
    if all.is_empty() {
        return Err(Fault::new(Kind::BadArgument, "no operation is asked for")
            .hint("name what the grantee is to do, such as --operations Decrypt"));
    }
    all.sort_unstable();
    all.dedup();
    Ok(all)
}

/// The principal that `text` means for a grant on `key`: `role/NAME` and `user/NAME` are in the
/// key's account.
///
/// # Errors
/// `BadArgument` when no grant can be given to it.
pub fn expand_grantee(text: &str, key: &KeyArn) -> Result<Principal, Fault> {
    let refuse = |why: &str| {
        let text = format!("--grantee {text:?} {why}");
        Err(Fault::new(Kind::BadArgument, text).hint(GRANTEES))
    };
    let arn = match text.strip_prefix("role/").or_else(|| text.strip_prefix("user/")) {
        Some("") => return refuse("has no name"),
        Some(_) => format!("arn:{}:iam::{}:{text}", key.partition(), key.account()),
        None => text.to_owned(),
    };
    if text.contains(['*', '?']) {
        return refuse("is a pattern: a grant has one grantee");
    }
    let fits = is_grantee(&arn);
    match Principal::parse(arn) {
        Ok(principal) if principal.is_unique_id() => {
            refuse("is a unique id: KMS takes the ARN that it stands for")
        }
        Ok(principal) if fits => match principal.as_str().split(':').nth(1) {
            Some(partition) if partition == key.partition() => Ok(principal),
            _ => refuse(&format!("is not in partition {}, as the key is", key.partition())),
        },
        Ok(_) | Err(_) if text.ends_with(".amazonaws.com") => {
            refuse("is an AWS service: grantd gives access to people and programs only")
        }
        Ok(_) | Err(_) => refuse("is no principal that a grant can be given to"),
    }
}

/// Whether `arn` has the form of a principal that can get a grant: account root, role, user,
/// session or federated user (kms-facts 1).
#[must_use]
pub fn is_grantee(arn: &str) -> bool {
    let parts: Vec<_> = arn.splitn(6, ':').collect();
    let ["arn", partition, service, "", account, resource] = parts.as_slice() else {
        return false;
    };
    let (kind, name) = resource.split_once('/').unwrap_or((resource, ""));
    let whole = !name.is_empty() && !name.starts_with('/') && !name.ends_with('/');
    let fits = match (*service, kind) {
        ("iam", "root") => *resource == "root",
        ("iam", "role" | "user") | ("sts", "federated-user") => whole,
        ("sts", "assumed-role") => whole && name.matches('/').count() == 1,
        _ => false,
    };
    let known = partition.starts_with("aws") && AccountId::parse(*account).is_ok();
    fits && known && Principal::parse(arn).is_ok()
}

#[cfg(test)]
mod tests;
