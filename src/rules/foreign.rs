//! What a listed grant is, and whether a policy may put it under a deadline (DESIGN 9).
//!
//! Adoptable is an allow-list: what a person's tool made for a person's role on a customer managed
//! key, and nothing else. Ending a grant that a service lives on does harm that shows only when the
//! service next asks KMS, and services do not make theirs again (kms-facts 6); so whatever is not
//! understood is left alone, and the reasons are told.

mod signs;
mod unfit;

use std::fmt;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::config::{Config, Foreign, Policy};
use crate::ids::{GrantId, KeyArn};
use crate::kms::{Lane, Listed};
use crate::rules::convention::{self, Wish};
use crate::rules::found::{self, Found, Given};
use crate::rules::name::{Name, PREFIX};
use crate::rules::policy::{
    SERVICE_ROLE, adopts_for, is_grantee, lists_grantee, lists_key, show_span,
};
use crate::rules::time::Time;

/// Which kind of grant it is; in the order in which signs outweigh each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// On a key that AWS manages for a service.
    AwsManagedKey,
    /// KMS shows `AWS Internal` in place of a principal.
    Internal,
    /// An AWS service made it, or gets it.
    ServiceMade,
    /// For, or by, a role that is linked to an AWS service.
    ServiceLinked,
    /// grantd made it: here, or on another host of the group.
    Ours,
    /// It bears our group's Name, and something does not fit.
    Unproven,
    /// It names our role as retiring principal, and nothing explains it.
    Rogue,
    /// It bears another group's Name: other hosts answer for it.
    OtherGroup,
    /// Its grantee shows as a unique id: gone, or made a minute ago (kms-facts 2).
    GhostPrincipal,
    /// For a role, user or session, with no sign of a service.
    PersonMade,
    /// None of these.
    Unknown,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AwsManagedKey => "aws-managed-key",
            Self::Internal => "internal",
            Self::ServiceMade => "service-made",
            Self::ServiceLinked => "service-linked",
            Self::Ours => "ours",
            Self::Unproven => "unproven",
            Self::Rogue => "rogue",
            Self::OtherGroup => "other-group",
            Self::GhostPrincipal => "ghost-principal",
            Self::PersonMade => "person-made",
            Self::Unknown => "unknown",
        })
    }
}

impl Serialize for Kind {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// What is to become of a listed grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict<'c> {
    /// It is ended at the deadline of its Name.
    Ours {
        /// What its Name says.
        name: Name,
        /// Whether a policy of today would give it.
        given: Given<'c>,
    },
    /// A policy puts it under a deadline: in `report` that is only told.
    Adoptable(Adoption<'c>),
    /// It is left alone.
    HandsOff {
        /// What it is.
        kind: Kind,
        /// Why, for people: each thing that speaks against touching it.
        reasons: Vec<String>,
    },
}

/// The proof that a grant may be adopted, by a policy or by hand: only this module makes one, and
/// the ledger adopts nothing without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fit(());

impl Fit {
    /// For tests of what comes after.
    #[cfg(test)]
    pub(crate) const fn supposed() -> Self {
        Self(())
    }
}

/// How a grant of somebody else comes under a deadline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adoption<'c> {
    /// That it may be.
    pub fit: Fit,
    /// The first policy that names its key and grantee: it alone decides.
    pub policy: &'c Policy,
    /// When it is to end: UTC, a whole second; in the past where it should have ended by now.
    pub deadline: Time,
    /// Whence that deadline, for people.
    pub notes: Vec<String>,
}

impl Verdict<'_> {
    /// What the grant is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Ours { .. } => Kind::Ours,
            Self::Adoptable(_) => Kind::PersonMade,
            Self::HandsOff { kind, .. } => *kind,
        }
    }
}

/// The key of a listed grant, as far as KMS shows it.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// Its aliases, with their `alias/`.
    pub aliases: &'a [String],
    /// Whether AWS manages it (`KeyManager`).
    pub aws_managed: bool,
}

/// Judge one entry of a listing on `lane`, first seen at `first` (KMS shows a CreationDate; an
/// emulator may not).
#[must_use]
pub fn judge<'c>(
    config: &'c Config,
    lane: &Lane,
    key: Seen<'_>,
    listed: &Listed,
    first: Time,
) -> Verdict<'c> {
    let signs = signs::signs(listed, key.aws_managed);
    // Whoever writes our Name may also write what a lease of ours may have: that hides nothing.
    let may_be_ours = signs.iter().all(|sign| sign.by_asker);
    match found::judge(config, lane, key.aliases, listed, first) {
        Found::Ours { name, given } if may_be_ours => return Verdict::Ours { name, given },
        Found::Unproven(why) if may_be_ours => return hands_off(Kind::Unproven, why),
        Found::Rogue(why) if may_be_ours => return hands_off(Kind::Rogue, why),
        Found::Ours { .. } | Found::Rogue(_) | Found::Unproven(_) | Found::Foreign => {}
    }
    match signs.first().map(|sign| sign.kind) {
        Some(kind) => {
            Verdict::HandsOff { kind, reasons: signs.into_iter().map(|sign| sign.why).collect() }
        }
        None => foreign(config, lane, key, listed, first),
    }
}

/// Whether this grant may be put under a deadline by hand: whatever speaks against it for a policy
/// does, but what the policies themselves say.
///
/// # Errors
/// Each thing that does.
pub fn by_hand(
    config: &Config,
    lane: &Lane,
    key: Seen<'_>,
    listed: &Listed,
    now: Time,
) -> Result<Fit, Vec<String>> {
    let signs = signs::signs(listed, key.aws_managed);
    if !signs.is_empty() {
        return Err(signs.into_iter().map(|sign| sign.why).collect());
    }
    if let Found::Ours { name, .. } = found::judge(config, lane, key.aliases, listed, now) {
        return Err(vec![format!("grantd made it: it is lease {}", name.reference())]);
    }
    if listed.name.starts_with(PREFIX) {
        return Err(vec![format!("its Name {:?} is for grantd's own grants", listed.name)]);
    }
    if is_ghost(&listed.grantee) {
        let shown = format!("its grantee shows as {}: gone, or made a minute ago", listed.grantee);
        return Err(vec![shown]);
    }
    match unfit::reasons(config, lane, listed) {
        why if why.is_empty() => Ok(Fit(())),
        why => Err(why),
    }
}

fn hands_off<'c>(kind: Kind, why: String) -> Verdict<'c> {
    Verdict::HandsOff { kind, reasons: vec![why] }
}

/// Without a sign of a service, and not ours.
fn foreign<'c>(
    config: &'c Config,
    lane: &Lane,
    key: Seen<'_>,
    listed: &Listed,
    first: Time,
) -> Verdict<'c> {
    if listed.name.starts_with(PREFIX) {
        let why = format!("its Name {:?} is for the hosts of another group to end", listed.name);
        return hands_off(Kind::OtherGroup, why);
    }
    let grantee = listed.grantee.as_str();
    if is_ghost(grantee) {
        let why = format!("its grantee shows as {grantee}: gone, or made a minute ago");
        return hands_off(Kind::GhostPrincipal, why);
    }
    let kind = if is_grantee(grantee) { Kind::PersonMade } else { Kind::Unknown };
    let mut reasons = unfit::reasons(config, lane, listed);
    match adoption(config, key, listed, first) {
        Ok(adoption) if reasons.is_empty() => Verdict::Adoptable(adoption),
        Ok(_) => Verdict::HandsOff { kind, reasons },
        Err(why) => {
            reasons.extend(why);
            Verdict::HandsOff { kind, reasons }
        }
    }
}

/// The policy, and the deadline it would get; or why none has a say.
fn adoption<'c>(
    config: &'c Config,
    key: Seen<'_>,
    listed: &Listed,
    first: Time,
) -> Result<Adoption<'c>, Vec<String>> {
    // What was meant to state a deadline is never unnamed: its default might be long before.
    let wish = convention::read(&listed.name).transpose();
    match (decider(config, key, listed), wish) {
        (Ok(policy), Ok(wish)) => {
            let (deadline, note) =
                deadline(policy, wish, listed, first).map_err(|why| vec![why])?;
            Ok(Adoption {
                fit: Fit(()),
                policy,
                deadline: deadline.floor_second(),
                notes: vec![note],
            })
        }
        (policy, wish) => {
            let bad = wish.err().map(|bad| bad.to_string());
            Err(bad.into_iter().chain(policy.err()).collect())
        }
    }
}

/// The first policy that names the key and the grantee, if it adopts.
fn decider<'c>(config: &'c Config, key: Seen<'_>, listed: &Listed) -> Result<&'c Policy, String> {
    let arn = KeyArn::parse(listed.key_arn.as_str())
        .map_err(|_| format!("its key {:?} is shown by no whole ARN", listed.key_arn))?;
    let on_key = || config.policies.iter().filter(|policy| lists_key(policy, &arn, key.aliases));
    if on_key().next().is_none() {
        return Err("no policy names its key".to_owned());
    }
    let lists = |policy: &&Policy| lists_grantee(config, policy, &listed.grantee, &arn);
    let names = |policy: &&Policy| adopts_for(config, policy, &listed.grantee, &arn);
    match on_key().find(names) {
        None if on_key().any(|policy| lists(&policy)) => Err(format!(
            "its grantee is a role under {}, and the policies for its key name it by a pattern \
             only: write it out",
            SERVICE_ROLE.trim_start_matches(':')
        )),
        None => Err("no policy for its key names its grantee".to_owned()),
        Some(policy) if policy.adopt.foreign == Foreign::Off => {
            Err(format!("policy {} adopts nothing: its `adopt` is off", policy.name))
        }
        Some(policy) => Ok(policy),
    }
}

/// When it is to end, and whence that comes.
fn deadline(
    policy: &Policy,
    wish: Option<Wish>,
    listed: &Listed,
    first: Time,
) -> Result<(Time, String), String> {
    let (from, whence) = match listed.created {
        Some(created) => (created, "its creation"),
        None => (first, "first sight (no creation date is shown)"),
    };
    let (wished, note) = match wish {
        Some(Wish::Ttl(ttl)) => {
            (from.plus(ttl), format!("{} after {whence}, as its Name says", show_span(ttl)))
        }
        Some(Wish::Until(at)) => (at, "as its Name says".to_owned()),
        None if policy.adopt.unnamed => {
            let note = format!(
                "{} after {whence}, the default of policy {}",
                show_span(policy.default_ttl),
                policy.name
            );
            let (due, grace) = (from.plus(policy.default_ttl), policy.adopt.grace);
            let graceful = first.plus(grace);
            if due >= graceful {
                return Ok((due, note));
            }
            // All that a policy meets on its first day would end in one second.
            let spread = graceful.plus(spread(&listed.id, grace));
            let note = format!("{note}, but not before its grace of {}", show_span(grace));
            return Ok((spread, note));
        }
        None => {
            return Err(format!(
                "its Name states no deadline, and policy {} has no `adopt-unnamed`",
                policy.name
            ));
        }
    };
    let latest = from.plus(policy.max_ttl);
    if wished <= latest {
        return Ok((wished, note));
    }
    let max = show_span(policy.max_ttl);
    let capped =
        format!("{max} after {whence}, the maximum of policy {}: its Name says more", policy.name);
    Ok((latest, capped))
}

/// A span below `width`, always the same for a grant: so many grants come apart, and every host of
/// the group, and every look, comes to the same instant.
fn spread(id: &GrantId, width: i64) -> i64 {
    let hash = Sha256::digest(id.as_str());
    let drawn = hash.iter().take(8).fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    i64::try_from(drawn % u64::try_from(width).unwrap_or(0).max(1)).unwrap_or(0)
}

/// A unique id, alone or with a session's name, in place of an ARN.
fn is_ghost(principal: &str) -> bool {
    let id = principal.split(':').next().unwrap_or_default();
    let letters = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit();
    id.len() >= 16 && id.starts_with('A') && id.bytes().all(letters)
}

#[cfg(test)]
mod tests;
