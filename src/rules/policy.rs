//! Whether a lease may be made, and on which terms. Pure: the config, the question and the time
//! decide.
//!
//! The first policy whose keys, grantees and callers all match decides, in the order of the file;
//! what it then lacks (an operation, enough time, a reason) is a refusal, and no later policy is
//! asked. None means no.

mod adopt;
mod extend;
mod fit;
mod keys;
mod read;
mod require;
mod span;
mod times;

use crate::config::{Config, GranteePattern, Policy, lists};
use crate::fault::{Fault, Kind};
use crate::ids::{KeyArn, Principal};
use crate::kms::KeyFacts;
use crate::rules::access::{self, Caller};
use crate::rules::time::Time;
use crate::terms::{Constraints, LiveMax, Operation};

pub use adopt::adopt;
pub use extend::{Extended, Extension, Override, extend, shorten};
pub use fit::{CONTEXT_PAIRS_MAX, CONTEXT_VALUE_MAX, unfit};
pub use keys::{alias_names, named_keys};
pub use read::{Until, expand_grantee, is_grantee, parse_operations, parse_ttl};
pub use require::{ADD_REASON, REASON_MAX, sayable};
pub use span::{BadSpan, parse_span, show_span};
pub use times::new_deadline;
use times::times;

/// Entries of a list that a refusal quotes; `grantd check` and the file show the rest.
const QUOTED: usize = 4;
/// Policies that a refusal names as nearest.
const NEAREST: usize = 3;
/// Where the console and AWS's wizards put the roles that services run as on a customer's behalf:
/// unlike service-linked ones they are the customer's own, and may be a person's grantee.
pub const SERVICE_ROLE: &str = ":role/service-role/";
/// Root is in no group of a policy: who has just installed grantd meets this first. Only where the
/// caller is all that is missed: as another user they would be refused again.
const AS_YOURSELF: &str = "ask as the user you are, such as `sudo -u alice grantd create …`: root \
                           too gets only what a policy's callers allow";

/// The question.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// Who asks; his name is for the words of a refusal.
    pub caller: &'a Caller,
    /// The key, as DescribeKey told it.
    pub key: &'a KeyFacts,
    /// The key's aliases, with their `alias/`.
    pub aliases: &'a [String],
    /// Who is to get access, expanded.
    pub grantee: &'a Principal,
    /// To do what.
    pub operations: &'a [Operation],
    /// Until when.
    pub until: Until,
    /// Why, in the asker's words.
    pub reason: Option<&'a str>,
    /// Under which encryption context.
    pub constraints: &'a Constraints,
    /// The present.
    pub now: Time,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Decision {
    /// Yes, on these terms.
    Grant(Terms),
    /// No.
    Refuse(Refusal),
}

impl Decision {
    /// As a result, for those who need no more than the fault.
    ///
    /// # Errors
    /// The refusal's fault.
    pub fn terms(self) -> Result<Terms, Fault> {
        match self {
            Self::Grant(terms) => Ok(terms),
            Self::Refuse(refusal) => Err(refusal.fault),
        }
    }
}

/// What is allowed: all that the engine needs, so that it never asks the policy again.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Terms {
    /// The policy that allowed it.
    pub policy: String,
    /// Where that policy stands: `/etc/grantd/grantd.toml:31:1`.
    pub place: String,
    /// When the lease ends: UTC, a whole second.
    pub deadline: Time,
    /// The latest deadline that it may ever have: now and the policy's maximum.
    pub latest: Time,
    /// How long before the deadline the end is sent, in ms.
    pub lead: i64,
    /// Sorted, each once.
    pub operations: Vec<Operation>,
    /// How many leases may live at once, this one with them: the ledger counts.
    pub max_live: LiveMax,
}

/// What is refused, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// For the asker.
    pub fault: Fault,
    /// The policy that decided, where one matched.
    pub policy: Option<String>,
    /// What each policy missed, the nearest first; empty when one matched.
    pub misses: Vec<Miss>,
}

impl From<Fault> for Refusal {
    /// Where no policy was asked.
    fn from(fault: Fault) -> Self {
        Self { fault, policy: None, misses: Vec::new() }
    }
}

/// A policy that did not match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Miss {
    /// Its name.
    pub policy: String,
    /// Where it stands.
    pub place: String,
    /// What did not match: at least one thing.
    pub missed: Vec<Missed>,
}

/// One thing that a policy missed, with what it lists instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missed {
    /// The key is not among these.
    Key(Vec<String>),
    /// The grantee is not among these.
    Grantee(Vec<String>),
    /// The caller is not among these.
    Caller(Vec<String>),
}

/// Decide.
pub fn decide(config: &Config, ask: &Ask<'_>) -> Decision {
    if let Err(fault) = key_is_ours(config, ask.key) {
        return refuse(fault);
    }
    if config.is_own(ask.grantee.as_str()) {
        let text =
            format!("{} is grantd's own role: nobody gets access through the daemon", ask.grantee);
        return refuse(Fault::new(Kind::NoPolicy, text).hint("name another role"));
    }
    let mut misses = Vec::new();
    for policy in &config.policies {
        let missed = missed(config, policy, ask);
        if missed.is_empty() {
            return match terms(config, policy, ask) {
                Ok(terms) => Decision::Grant(terms),
                Err(fault) => {
                    let policy = Some(policy.name.clone());
                    Decision::Refuse(Refusal { policy, ..Refusal::from(fault) })
                }
            };
        }
        misses.push(Miss { policy: policy.name.clone(), place: config.place(policy), missed });
    }
    misses.sort_by_key(|miss| miss.missed.len());
    // What others may have is told to who may know, and shown beside the fault by `explain`.
    let told = if access::sees_all(Some(config), ask.caller) { misses.as_slice() } else { &[] };
    let fault = no_policy(ask, told);
    Decision::Refuse(Refusal { misses, ..Refusal::from(fault) })
}

fn refuse(fault: Fault) -> Decision {
    Decision::Refuse(fault.into())
}

/// Whether `policy` lists this key, which has these aliases.
#[must_use]
pub fn lists_key(policy: &Policy, key: &KeyArn, aliases: &[String]) -> bool {
    policy.keys.iter().any(|pattern| pattern.matches(key, aliases))
}

/// Whether `policy` lists this grantee for a grant on `key`. grantd's own roles are never listed.
#[must_use]
pub fn lists_grantee(config: &Config, policy: &Policy, grantee: &str, key: &KeyArn) -> bool {
    let listed = policy.grantees.iter().any(|pattern| pattern.matches(grantee, key));
    listed && !config.is_own(grantee)
}

/// Whether `policy` lists this grantee as one whose grants, made by others, may come under its
/// deadlines. Roles that a service asked for ([`SERVICE_ROLE`]) have to be written out: no pattern
/// takes them in.
#[must_use]
pub fn adopts_for(config: &Config, policy: &Policy, grantee: &str, key: &KeyArn) -> bool {
    let literal = |p: &GranteePattern| p.is_literal() && p.matches(grantee, key);
    let written = || policy.grantees.iter().any(literal);
    lists_grantee(config, policy, grantee, key) && (!grantee.contains(SERVICE_ROLE) || written())
}

fn missed(config: &Config, policy: &Policy, ask: &Ask<'_>) -> Vec<Missed> {
    let mut missed = Vec::new();
    let key = &ask.key.arn;
    if !lists_key(policy, key, ask.aliases) {
        missed.push(Missed::Key(texts(&policy.keys)));
    }
    if !lists_grantee(config, policy, ask.grantee.as_str(), key) {
        missed.push(Missed::Grantee(texts(&policy.grantees)));
    }
    if !lists(&policy.callers, ask.caller) {
        missed.push(Missed::Caller(texts(&policy.callers)));
    }
    missed
}

fn texts<T: ToString>(all: &[T]) -> Vec<String> {
    all.iter().map(ToString::to_string).collect()
}

/// What holds under any policy: the key is customer managed and of an account and Region that the
/// config names.
fn key_is_ours(config: &Config, key: &KeyFacts) -> Result<(), Fault> {
    let arn = &key.arn;
    if key.manager == "AWS" {
        let text = format!("{arn} is an AWS managed key: its grants belong to AWS services");
        return Err(Fault::new(Kind::NoPolicy, text).hint("use a customer managed key"));
    }
    if config.account_of(arn).is_none() {
        let lanes: Vec<_> = config
            .lanes()
            .map(|(account, lane)| format!("{}/{}", account.id, lane.region))
            .collect();
        let text = format!(
            "{arn} is in account {}, Region {}, which this configuration does not serve",
            arn.account(),
            arn.region()
        );
        let hint = format!("it serves {}", quoted(&lanes));
        return Err(Fault::new(Kind::KeyNotFound, text).hint(hint));
    }
    Ok(())
}

/// The terms under the policy that decides, or what it misses.
fn terms(config: &Config, policy: &Policy, ask: &Ask<'_>) -> Result<Terms, Fault> {
    let place = config.place(policy);
    let by = format!("policy {} ({place})", policy.name);
    let operations = operations(policy, &by, ask)?;
    key_can(ask, &operations)?;
    // What cannot be right at all comes before what the policy wants besides: who mends the latter
    // first should not meet the former after it.
    let (deadline, latest) = times(policy, &by, ask)?;
    require::met(policy, &by, ask)?;
    Ok(Terms {
        policy: policy.name.clone(),
        place,
        deadline,
        latest,
        lead: policy.lead,
        operations,
        max_live: policy.max_live,
    })
}

fn operations(policy: &Policy, by: &str, ask: &Ask<'_>) -> Result<Vec<Operation>, Fault> {
    let mut operations = ask.operations.to_vec();
    operations.sort_unstable();
    operations.dedup();
    if operations.is_empty() {
        return Err(Fault::new(Kind::BadArgument, "no operation is asked for")
            .hint("name what the grantee is to do, such as --operations Decrypt"));
    }
    let lacking: Vec<_> =
        operations.iter().copied().filter(|op| !policy.operations.contains(op)).collect();
    if lacking.is_empty() {
        return Ok(operations);
    }
    let text = format!("{by} does not allow {}", join(&lacking));
    let fault = Fault::new(Kind::NoPolicy, text);
    Err(if lacking.iter().any(|op| op.redelegates()) {
        fault.hint("CreateGrant and RetireGrant outlive the lease: only `allow-redelegation` in the policy gives them")
    } else {
        fault.hint(format!("it allows {}", join(&policy.operations)))
    })
}

/// What KMS would refuse anyway, said before anything is recorded.
fn key_can(ask: &Ask<'_>, operations: &[Operation]) -> Result<(), Fault> {
    let key = ask.key;
    if let Some((lacking, can)) = fit::unfit(key, operations) {
        let text = format!("a {} key for {} cannot do {}", key.spec, key.usage, join(&lacking));
        let hint = format!("it can do {}", join(&can));
        return Err(Fault::new(Kind::OperationUnfit, text).hint(hint));
    }
    // CreateGrant works in the other states (kms-facts 1).
    let unusable =
        ["Disabled", "PendingDeletion", "PendingReplicaDeletion", "PendingImport", "Creating"];
    if unusable.contains(&key.state.as_str()) {
        let text = format!("{} is in state {}: KMS makes no grant on it", key.arn, key.state);
        return Err(Fault::new(Kind::KeyState, text));
    }
    match fit::unfit_context(key, ask.constraints) {
        Some(why) => Err(Fault::new(Kind::BadArgument, why)
            .hint("KMS takes up to 8 pairs of 384 characters, on symmetric keys")),
        None => Ok(()),
    }
}

fn no_policy(ask: &Ask<'_>, misses: &[Miss]) -> Fault {
    let Caller { uid, name, .. } = ask.caller;
    let (grantee, key) = (ask.grantee, &ask.key.arn);
    let who =
        if *name == uid.to_string() { format!("uid {uid}") } else { format!("{name} (uid {uid})") };
    let mut text = format!("no policy lets {who} give {grantee} access to {key}");
    for miss in misses.iter().filter(|m| m.missed.len() == 1).take(NEAREST) {
        let (what, lists) = match miss.missed.first() {
            Some(Missed::Key(lists)) => ("keys", lists),
            Some(Missed::Grantee(lists)) => ("grantees", lists),
            Some(Missed::Caller(lists)) => ("callers", lists),
            None => continue,
        };
        let (name, place, lists) = (&miss.policy, &miss.place, quoted(lists));
        text.push_str(&format!("; {name} ({place}) would, but its {what} are {lists}"));
    }
    let fault = Fault::new(Kind::NoPolicy, text);
    let only_caller = |miss: &Miss| matches!(miss.missed.as_slice(), [Missed::Caller(_)]);
    match role_of(grantee.as_str()) {
        _ if *uid == 0 && misses.iter().any(only_caller) => fault.hint(AS_YOURSELF),
        Some(role) => fault.hint(format!(
            "this is one session of a role, and policies name the role as a rule: ask for --grantee {role} \
             (with its path, where it has one)"
        )),
        None if *uid == 0 => fault
            .hint("no policy lists this key and this grantee together, whoever asks: `grantd explain` \
             shows what each lists"),
        None => fault,
    }
}

/// The role that a session is of, as a request names it. A session does not show its role's path.
fn role_of(grantee: &str) -> Option<String> {
    let (account, session) = grantee.split_once(":assumed-role/")?;
    let (role, _) = session.split_once('/')?;
    let account = account.replacen(":sts:", ":iam:", 1);
    Some(format!("{account}:role/{role}"))
}

fn quoted(all: &[String]) -> String {
    let mut text = all.iter().take(QUOTED).cloned().collect::<Vec<_>>().join(", ");
    if all.len() > QUOTED {
        text.push_str(&format!(" and {} more", all.len() - QUOTED));
    }
    text
}

fn join(operations: &[Operation]) -> String {
    let names: Vec<_> = operations.iter().map(|op| op.as_str()).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests;
