//! What a listed grant is to grantd: ours, a rogue, unproven, or foreign (DESIGN 8).
//!
//! Anybody who may create grants on a key can write a Name. So a Name may end the grant that bears
//! it, at the deadline that it states, and nothing else: a forged Name shortens only the forger's
//! own grant. Whether a policy of today would give such a grant decides only whether grantd raises
//! an alarm. It never decides whether the grant ends: a policy that was narrowed at noon and a
//! ledger that was lost at one o'clock must leave no grant behind.
//!
//! Emulators leave fields out (moto: CreationDate and IssuingAccount). On AWS a missing field fails
//! the proof. Behind an endpoint on this host the check of that field is waived.

use crate::config::{Config, Policy};
use crate::ids::{GrantId, Group, KeyArn, Principal};
use crate::kms::{Lane, Listed};
use crate::rules::convention;
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
/// A principal that was made just now shows as its unique id for about a minute (kms-facts 2). One
/// that still does after this long was deleted, or made again.
pub const DECAY: i64 = 5 * MINUTE;

/// The verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found<'c> {
    /// Its Name is proven: it ends at the deadline of its Name.
    Ours {
        /// What its Name says.
        name: Name,
        /// Whether a policy of today would give it.
        given: Given<'c>,
    },
    /// It names our role as the retiring principal, on a key that we serve, and no Name of this
    /// group or of `other-groups` explains it. Stolen credentials make such grants. It has no
    /// deadline, so grantd leaves it alone and raises an alarm.
    Rogue(String),
    /// It bears our group's Name, and our role is not its retiring principal: hands off, and tell.
    Unproven(String),
    /// It does not claim to be ours.
    Foreign,
}

/// What is wrong with a grant whose Name is proven. It ends at the deadline of its Name all the
/// same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alarm {
    /// Its ref is a known lease's, and it gives something else.
    Impostor,
    /// Nobody but this host makes grants of the group, and this ledger, which is older than the
    /// grant, does not know its ref.
    Stray,
}

/// What the policies of today say about a grant of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Given<'c> {
    /// This one would give it.
    Policy(&'c Policy),
    /// It is grantd's own probe.
    Probe,
    /// None would give it, for this reason. One of yesterday may have given it.
    Refused(String),
}

impl<'c> Given<'c> {
    /// The policy that would give it.
    #[must_use]
    pub const fn policy(&self) -> Option<&'c Policy> {
        match self {
            Self::Policy(policy) => Some(policy),
            Self::Probe | Self::Refused(_) => None,
        }
    }
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
    if is_strangers(config, lane, &listed.key_arn) {
        return Found::Foreign;
    }
    let retired_by_us = listed.retiring_principal == lane.retiring_principal.as_str();
    if !claims(config, &listed.name) {
        return match retired_by_us && !explained(config, &listed.name) {
            true => Found::Rogue(format!("its Name {:?} is none of grantd's", listed.name)),
            false => Found::Foreign,
        };
    }
    match prove(lane, listed) {
        Ok((name, key)) => {
            let given = given(config, aliases, listed, &key, (&name, now), lane);
            Found::Ours { name, given }
        }
        Err(why) if retired_by_us => Found::Rogue(why),
        Err(why) => Found::Unproven(why),
    }
}

/// Whether a principal of this entry shows as a unique id, and may yet show as itself: it is too
/// early for a verdict then.
#[must_use]
pub fn is_too_early(listed: &Listed, now: Time) -> bool {
    let decayed = |who: &str| Principal::parse(who).is_ok_and(|who| who.is_unique_id());
    let young = listed.created.is_some_and(|created| now.since(created) < DECAY);
    young && (decayed(&listed.grantee) || decayed(&listed.retiring_principal))
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
    let Found::Ours { name, given: _ } = judge(config, lane, aliases, listed, now.least) else {
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

/// Whether the Name says that it is our group's, by its present or a former name.
fn claims(config: &Config, name: &str) -> bool {
    std::iter::once(&config.group).chain(&config.former_groups).any(|group| bears(name, group))
}

/// Whether something but this group explains a grant that names our role as retiring principal:
/// another group whose hosts run as the same role, or somebody who gives their own grant a deadline
/// by `ttl:` or `until:` and lets grantd end it.
fn explained(config: &Config, name: &str) -> bool {
    config.other_groups.iter().any(|group| bears(name, group))
        || matches!(convention::read(name), Some(Ok(_)))
}

fn bears(name: &str, group: &Group) -> bool {
    let rest = name.strip_prefix(PREFIX).and_then(|name| name.strip_prefix(group.as_str()));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether the key is of an account whose keys this lane does not serve. Whoever owns a key may
/// name our role on it, as often as they like: that must cost us no alarm. On keys of our own
/// account it takes CreateGrant there.
#[must_use]
pub fn is_strangers(config: &Config, lane: &Lane, key_arn: &str) -> bool {
    KeyArn::parse(key_arn).is_ok_and(|key| {
        let maker = || config.account_of(&key).map(|account| &account.id);
        key.account() != lane.account.as_str() && maker() != Some(&lane.account)
    })
}

/// The Name and the key, where every field that the writer of a Name cannot choose freely agrees
/// with it.
fn prove(lane: &Lane, listed: &Listed) -> Result<(Name, KeyArn), String> {
    let name = Name::parse(&listed.name)
        .map_err(|why: BadName| format!("the Name {:?} is no Name of ours: {why}", listed.name))?;
    let own = lane.retiring_principal.as_str();
    if listed.retiring_principal != own {
        let theirs = listed.retiring_principal.as_str();
        let theirs = if theirs.is_empty() { "missing" } else { theirs };
        return Err(format!("its retiring principal is {theirs}, not {own}"));
    }
    issuer(lane, &listed.issuing_account)?;
    // grantd gives access to no service. Whoever made such a grant, ending it may break a service.
    if let Some(source) = &listed.source_arn {
        return Err(format!("it is bound to the source {source}, which only services do"));
    }
    let grantee = Principal::parse(listed.grantee.as_str()).ok();
    if !grantee.is_some_and(|who| who.is_unique_id() || who.as_str().starts_with("arn:")) {
        return Err(format!("its grantee {:?} is no role or user", listed.grantee));
    }
    let key = KeyArn::parse(listed.key_arn.as_str()).map_err(|bad| bad.to_string())?;
    if key.region() != lane.region.as_str() {
        return Err(format!("its key is of Region {}, not {}", key.region(), lane.region));
    }
    match listed.created {
        // CreateGrant is never sent at or after the deadline, so such a Name was not written by
        // grantd.
        Some(created) if name.deadline() < created.plus(-SKEW) => {
            let life = show_span(created.since(name.deadline()));
            Err(format!("its deadline is {life} before its creation"))
        }
        None if !lane.is_local() => Err("its creation date is not shown".to_owned()),
        Some(_) | None => Ok((name, key)),
    }
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
fn issuer(lane: &Lane, issuer: &str) -> Result<(), String> {
    let account = lane.account.as_str();
    if issuer.is_empty() {
        return match lane.is_local() {
            true => Ok(()),
            false => Err("its issuing account is not shown".to_owned()),
        };
    }
    match account_in(issuer) == account {
        true => Ok(()),
        false => Err(format!("it was issued by {issuer}, not by account {account}")),
    }
}

/// What the policies of today say about it: the one with the longest maximum, if there are several.
fn given<'c>(
    config: &'c Config,
    aliases: &[String],
    listed: &Listed,
    key: &KeyArn,
    (name, now): (&Name, Time),
    lane: &Lane,
) -> Given<'c> {
    let judged = match listed.grantee == lane.retiring_principal.as_str() {
        true => probe(listed).map(|()| (Given::Probe, PROBE_TTL_MAX)),
        false => origin(config, aliases, listed, key)
            .map(|policy| (Given::Policy(policy), policy.max_ttl)),
    };
    // An emulator may show no date: the present bounds the deadline then.
    let from = listed.created.unwrap_or(now);
    let judged = judged.and_then(|(given, max_ttl)| {
        if name.deadline() <= from.plus(max_ttl).plus(SKEW) {
            return Ok(given);
        }
        let (life, max) = (show_span(name.deadline().since(from)), show_span(max_ttl));
        Err(format!("its deadline is {life} after its creation, above the maximum of {max}"))
    });
    judged.unwrap_or_else(Given::Refused)
}

fn probe(listed: &Listed) -> Result<(), String> {
    match listed.operations.as_slice() {
        [only] if only == Operation::DescribeKey.as_str() => Ok(()),
        more => Err(format!(
            "its grantee is grantd's own role, for {} and not as a probe for DescribeKey alone",
            more.join(", ")
        )),
    }
}

fn origin<'c>(
    config: &'c Config,
    aliases: &[String],
    listed: &Listed,
    key: &KeyArn,
) -> Result<&'c Policy, String> {
    let on_key = || config.policies.iter().filter(|policy| lists_key(policy, key, aliases));
    if on_key().next().is_none() {
        return Err(format!("no policy names its key {key}"));
    }
    let lists = |policy: &&Policy| lists_grantee(config, policy, &listed.grantee, key);
    on_key()
        .filter(lists)
        .max_by_key(|policy| policy.max_ttl)
        .ok_or_else(|| format!("no policy for its key names its grantee {:?}", listed.grantee))
}

#[cfg(test)]
mod tests;
