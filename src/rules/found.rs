//! Whether a grant in a listing is provably ours (DESIGN 8).
//!
//! Anybody who may create grants on a key can write a Name, so a Name alone proves nothing: the
//! other fields must say the same, and only those that its writer cannot choose freely count. What
//! is not proven is counted and alarmed, and never touched.
//!
//! Emulators leave fields out (moto: CreationDate and IssuingAccount). On AWS a missing field fails
//! the proof; behind an endpoint on this host it is passed over, and the deadline is then bound by
//! the present instead of the CreationDate.

use crate::config::{Config, Policy};
use crate::ids::{GrantId, Group, KeyArn};
use crate::kms::{Lane, Listed};
use crate::rules::life::Origin;
use crate::rules::name::{BadName, Name, PREFIX};
use crate::rules::policy::{lists_grantee, lists_key, show_span};
use crate::rules::time::{HOUR, MINUTE, Now, Time};
use crate::terms::Operation;

/// How far the host's clock, which made the deadline, may be ahead of AWS's, which made the
/// CreationDate: beyond 5 min KMS would not have taken the request's signature (kms-facts 11).
pub const SKEW: i64 = 5 * MINUTE;
/// The longest life of a probe. The engine asks for less.
pub const PROBE_TTL_MAX: i64 = HOUR;

/// The verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found<'c> {
    /// grantd made it, here or on another host of the group: it may be claimed, and ended at its
    /// deadline.
    Ours {
        /// What its Name says.
        name: Name,
        /// The policy that it came from; `None` for a probe.
        policy: Option<&'c Policy>,
    },
    /// It bears our group's Name, and something does not fit: hands off, and tell.
    Unproven(Unfit),
    /// It does not claim to be ours.
    Foreign,
}

/// What does not fit, in words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// What grantd writes, KMS does not show.
    #[error("{0}")]
    Proof(String),
    /// None of today's policies would give it. (One of yesterday's may have: a row says so, or
    /// nothing does.)
    #[error("{0}")]
    Policy(String),
}

/// Judge one entry of a listing on `lane`; `aliases` are those of its key, with their `alias/`.
#[must_use]
pub fn judge<'c>(
    config: &'c Config,
    lane: &Lane,
    aliases: &[String],
    listed: &Listed,
    now: Time,
) -> Found<'c> {
    if !claims(config, &listed.name) || is_strangers(config, lane, &listed.key_arn) {
        return Found::Foreign;
    }
    match prove(config, lane, aliases, listed, now) {
        Ok((name, policy)) => Found::Ours { name, policy },
        Err(why) => Found::Unproven(why),
    }
}

/// A grant that is provably ours and past its deadline: proof enough to end it without a row of the
/// ledger. Only [`overdue`] makes one.
#[derive(Debug, Clone)]
pub struct Overdue {
    lane: Lane,
    key_arn: KeyArn,
    id: GrantId,
    name: Name,
    grantee: String,
}

impl Overdue {
    /// Whose credentials end it, and where.
    #[must_use]
    pub const fn lane(&self) -> &Lane {
        &self.lane
    }

    /// Its key.
    #[must_use]
    pub const fn key_arn(&self) -> &KeyArn {
        &self.key_arn
    }

    /// KMS's id of it.
    #[must_use]
    pub const fn id(&self) -> &GrantId {
        &self.id
    }

    /// What its Name says.
    #[must_use]
    pub const fn name(&self) -> &Name {
        &self.name
    }

    /// Who has access by it.
    #[must_use]
    pub fn grantee(&self) -> &str {
        &self.grantee
    }
}

/// The proof that a listed grant is ours and should have ended by now, if it is and should.
#[must_use]
pub fn overdue(
    config: &Config,
    lane: &Lane,
    aliases: &[String],
    listed: &Listed,
    now: Now,
) -> Option<Overdue> {
    let Found::Ours { name, .. } = judge(config, lane, aliases, listed, now.least) else {
        return None;
    };
    let key_arn = KeyArn::parse(listed.key_arn.as_str()).ok()?;
    (Origin::Found.due_at(name.deadline(), 0) <= now.least).then(|| Overdue {
        lane: lane.clone(),
        key_arn,
        id: listed.id.clone(),
        name,
        grantee: listed.grantee.clone(),
    })
}

/// Whether the Name says that it is our group's, by its present or a former name. Another group's
/// is foreign: other hosts answer for it.
fn claims(config: &Config, name: &str) -> bool {
    let groups = std::iter::once(&config.group).chain(&config.former_groups);
    let rest = |group: &Group| name.strip_prefix(PREFIX)?.strip_prefix(group.as_str());
    groups.filter_map(rest).any(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether the key is of an account whose keys this lane does not serve. Whoever owns a key may
/// name our role on it, as often as he likes: that must cost us no alarm. On keys of our own
/// account it takes CreateGrant there.
#[must_use]
pub fn is_strangers(config: &Config, lane: &Lane, key_arn: &str) -> bool {
    KeyArn::parse(key_arn).is_ok_and(|key| {
        let maker = || config.account_of(&key).map(|account| &account.id);
        key.account() != lane.account.as_str() && maker() != Some(&lane.account)
    })
}

fn prove<'c>(
    config: &'c Config,
    lane: &Lane,
    aliases: &[String],
    listed: &Listed,
    now: Time,
) -> Result<(Name, Option<&'c Policy>), Unfit> {
    let name = Name::parse(&listed.name).map_err(|why: BadName| {
        Unfit::Proof(format!("the Name {:?} is no Name of ours: {why}", listed.name))
    })?;
    let local = lane.is_local();
    let own = lane.retiring_principal.as_str();
    if listed.retiring_principal != own {
        let theirs = listed.retiring_principal.as_str();
        let theirs = if theirs.is_empty() { "missing" } else { theirs };
        return Err(Unfit::Proof(format!("its retiring principal is {theirs}, not {own}")));
    }
    issuer(lane, &listed.issuing_account, local).map_err(Unfit::Proof)?;
    let key = KeyArn::parse(listed.key_arn.as_str());
    let key = key.map_err(|bad| Unfit::Proof(bad.to_string()))?;
    if key.region() != lane.region.as_str() {
        let text = format!("its key is of Region {}, not {}", key.region(), lane.region);
        return Err(Unfit::Proof(text));
    }
    let (policy, max_ttl) = origin(config, aliases, listed, &key, own).map_err(Unfit::Policy)?;
    bounded(listed.created, name.deadline(), max_ttl, now, local).map_err(Unfit::Policy)?;
    Ok((name, policy))
}

/// The account that an issuer names, or the issuer as it stands.
pub(super) fn account_in(issuer: &str) -> &str {
    let parts: Vec<_> = issuer.split(':').collect();
    match parts.as_slice() {
        ["arn", _, "iam", "", id, "root"] => id,
        _ => issuer,
    }
}

/// KMS writes the root of the account (`arn:aws:iam::111122223333:root`); a service that issued a
/// grant stands there by its own name (kms-facts 2).
fn issuer(lane: &Lane, issuer: &str, local: bool) -> Result<(), String> {
    let account = lane.account.as_str();
    if issuer.is_empty() {
        return match local {
            true => Ok(()),
            false => Err("its issuing account is not shown".to_owned()),
        };
    }
    match account_in(issuer) == account {
        true => Ok(()),
        false => Err(format!("it was issued by {issuer}, not by account {account}")),
    }
}

/// The policy that could have made it, with the longest maximum if there are several; or the lane's
/// own probe.
fn origin<'c>(
    config: &'c Config,
    aliases: &[String],
    listed: &Listed,
    key: &KeyArn,
    own: &str,
) -> Result<(Option<&'c Policy>, i64), String> {
    if listed.grantee == own {
        return match listed.operations.as_slice() {
            [only] if only == Operation::DescribeKey.as_str() => Ok((None, PROBE_TTL_MAX)),
            more => Err(format!(
                "its grantee is grantd's own role, for {} and not as a probe for DescribeKey alone",
                more.join(", ")
            )),
        };
    }
    let on_key = || config.policies.iter().filter(|policy| lists_key(policy, key, aliases));
    if on_key().next().is_none() {
        return Err(format!("no policy names its key {key}"));
    }
    let lists = |policy: &&Policy| lists_grantee(config, policy, &listed.grantee, key);
    match on_key().filter(lists).max_by_key(|policy| policy.max_ttl) {
        Some(policy) => Ok((Some(policy), policy.max_ttl)),
        None => Err(format!("no policy for its key names its grantee {:?}", listed.grantee)),
    }
}

fn bounded(
    created: Option<Time>,
    deadline: Time,
    max_ttl: i64,
    now: Time,
    local: bool,
) -> Result<(), String> {
    let from = match created {
        Some(created) => created,
        None if local => now,
        None => return Err("its creation date is not shown".to_owned()),
    };
    if deadline > from.plus(max_ttl).plus(SKEW) {
        let (life, max) = (show_span(deadline.since(from)), show_span(max_ttl));
        return Err(format!(
            "its deadline is {life} after its creation, above the maximum of {max}"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
