//! Grants of others under the policies' deadlines (DESIGN 9): taken up where a policy enforces and
//! is not held, told of where it reports or is; and let pass to their ends by the brake.
//!
//! What is taken up is a lease like any other, and ends whatever the configuration says later. So a
//! policy that begins to enforce is held first: nothing is recorded, and its list is in the log. A
//! crash at any point leaves a hold, or a lease, and never an end without one.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use super::context::Context;
use super::lane::{Op, Sent};
use super::look::Pages;
use crate::config::{Config, Foreign};
use crate::fault::chain;
use crate::ids::{KeyArn, Principal, Ref};
use crate::kms::{Alias, Lane, Listed, Scope};
use crate::ledger::{AdoptedGrant, Adopting, Ledger, Passage, Row, Urgency};
use crate::rules::foreign::{Adoption, Seen, Verdict, judge};
use crate::rules::life::{Class, Origin, State};
use crate::rules::pace::Part;
use crate::rules::policy::{alias_names, named_keys};
use crate::rules::time::{Now, SECOND};

/// Of what a hold keeps, so many grants are written to the log; `grantd scan` shows all.
const LISTED: i64 = 100;
/// The pause before the ledger is asked again whether an end may pass.
const AGAIN: i64 = SECOND;

/// What the last passes saw and did not take up.
#[derive(Default)]
pub(crate) struct Unadopted {
    /// How many, by lane and policy: because the policy reports, or is held.
    counts: RefCell<BTreeMap<(i64, String), i64>>,
    /// Holds whose list is in the log.
    told: RefCell<BTreeSet<(i64, String)>>,
}

impl Unadopted {
    /// How many wait for a policy.
    pub(crate) fn of(&self, policy: &str) -> i64 {
        self.counts.borrow().iter().filter(|((_, name), _)| name == policy).map(|(_, n)| n).sum()
    }

    /// How many grants of others the policies would end.
    pub(crate) fn all(&self) -> i64 {
        self.counts.borrow().values().sum()
    }
}

/// Note which policies enforce; what has just begun to is held. True where the ledger has it.
pub(crate) async fn enforce(cx: &Context, config: &Config) -> bool {
    let enforcing = config.policies.iter().filter(|p| p.adopt.foreign == Foreign::Enforce);
    let names: BTreeSet<String> = enforcing.map(|policy| policy.name.clone()).collect();
    let now = cx.time.now();
    match cx.ledger.run(Urgency::Work, move |books| books.enforce(&names, now)).await {
        Ok(held) => {
            for policy in held {
                tracing::warn!(
                    policy,
                    "it enforces from now on, and is held: what it would end is \
                    listed, and ended after `grantd resume --policy {policy}`"
                );
            }
            true
        }
        Err(error) => {
            tracing::error!("cannot note which policies enforce: {}", chain(&error));
            false
        }
    }
}

/// One pass over the policies' keys, where any policy adopts or reports, with the aliases that the
/// search before it has read. False where it broke off.
pub(crate) async fn pass(
    cx: &Rc<Context>,
    config: &Arc<Config>,
    lane: &Arc<Lane>,
    aliases: &[Alias],
    began: Now,
) -> bool {
    if !enforce(cx, config).await {
        return false;
    }
    let mut pass = Pass { cx, config, lane, began, waiting: BTreeMap::new(), told: Vec::new() };
    let off = config.policies.iter().all(|policy| policy.adopt.foreign == Foreign::Off);
    let keys = if off { Vec::new() } else { named_keys(config, lane, aliases) };
    for key in keys {
        match pass.key(&key, aliases).await {
            Ok(()) => {}
            Err(Class::NotFound | Class::Denied | Class::Invalid) => {
                tracing::warn!(%key, "a policy's key cannot be listed: nothing is adopted there");
            }
            Err(_) => return false,
        }
    }
    pass.end();
    true
}

struct Pass<'a> {
    cx: &'a Rc<Context>,
    config: &'a Arc<Config>,
    lane: &'a Arc<Lane>,
    began: Now,
    waiting: BTreeMap<String, i64>,
    told: Vec<String>,
}

impl Pass<'_> {
    async fn key(&mut self, key: &KeyArn, aliases: &[Alias]) -> Result<(), Class> {
        let Self { cx, config, lane, began, .. } = *self;
        cx.place(lane, Op::List, Part::Due).await;
        let facts = cx.kms.describe(lane, key.as_str()).await;
        cx.heard(lane, Op::List, Some(key), Sent::default(), &facts);
        let facts = facts.outcome.done()?;
        let names = alias_names(aliases, key);
        let seen = Seen { aliases: &names, aws_managed: facts.manager == "AWS" };
        let (mut pages, mut grants) = (Pages::new(cx, lane, Scope::Key(key), Some(key)), 0);
        while let Some(page) = pages.next().await? {
            grants += page.len();
            let adoptable = page.iter().filter_map(|listed| {
                match judge(config, lane, seen, listed, began.latest) {
                    Verdict::Adoptable(adoption) => {
                        adopted(cx, config, lane, listed, &adoption, began)
                    }
                    Verdict::Ours { .. } | Verdict::HandsOff { .. } => None,
                }
            });
            let adoptable: Vec<AdoptedGrant> = adoptable.collect();
            if !adoptable.is_empty() {
                self.take(adoptable).await?;
            }
        }
        cx.counted(key, grants, began.latest);
        Ok(())
    }

    /// Take up what the ledger lets; count the others.
    async fn take(&mut self, page: Vec<AdoptedGrant>) -> Result<(), Class> {
        let (cx, now) = (self.cx, self.cx.time.now());
        let jobs = page.clone();
        let job = move |books: &mut Ledger| {
            jobs.iter().map(|grant| books.adopt(grant, now)).collect::<Result<Vec<_>, _>>()
        };
        let done = cx.ledger.run(Urgency::Work, job).await.map_err(|error| {
            tracing::error!("cannot record what was adopted: {}", chain(&error));
            Class::Unavailable
        })?;
        for (grant, became) in page.into_iter().zip(done) {
            match became {
                Adopting::Taken(row) => {
                    tracing::info!(lease = %grant.reference, key = %grant.key_arn,
                        grant = %grant.grant_id, name = grant.name, deadline = %grant.deadline,
                        policy = grant.policy, "adopted: {}", grant.notes.join("; "));
                    cx.take_in(vec![*row]);
                }
                Adopting::Known => {}
                Adopting::Held => self.waits(&grant),
            }
        }
        Ok(())
    }

    /// It is not taken up: counted, and where a hold has just begun, told.
    fn waits(&mut self, grant: &AdoptedGrant) {
        let n = self.waiting.entry(grant.policy.clone()).or_default();
        *n += 1;
        let place = (self.lane.id, grant.policy.clone());
        let told = self.cx.unadopted.told.borrow().contains(&place);
        let policy = self.config.policy(&grant.policy);
        let enforces = policy.is_some_and(|policy| policy.adopt.foreign == Foreign::Enforce);
        if enforces && !told && *n <= LISTED {
            tracing::warn!(policy = grant.policy, key = %grant.key_arn, grant = %grant.grant_id,
                grantee = %grant.grantee, name = grant.name, deadline = %grant.deadline,
                "held: it would be ended then: {}", grant.notes.join("; "));
            if *n == 1 {
                self.told.push(grant.policy.clone());
            }
        }
    }

    fn end(self) {
        let Self { cx, lane, waiting, told, .. } = self;
        for policy in told {
            let grants = waiting.get(&policy).copied().unwrap_or_default();
            tracing::warn!(
                policy,
                grants,
                "held: `grantd scan` shows what it would end, and \
                `grantd resume --policy {policy}` lets it"
            );
            cx.unadopted.told.borrow_mut().insert((lane.id, policy));
        }
        let mut counts = cx.unadopted.counts.borrow_mut();
        counts.retain(|(of, _), _| *of != lane.id);
        counts.extend(waiting.into_iter().map(|(policy, n)| ((lane.id, policy), n)));
        // Held once more, it is told once more.
        let held = |(of, policy): &(i64, String)| {
            *of != lane.id || counts.contains_key(&(*of, policy.clone()))
        };
        cx.unadopted.told.borrow_mut().retain(held);
    }
}

/// What the ledger is to have of it.
fn adopted(
    cx: &Context,
    config: &Config,
    lane: &Arc<Lane>,
    listed: &Listed,
    adoption: &Adoption<'_>,
    began: Now,
) -> Option<AdoptedGrant> {
    let policy = adoption.policy;
    let from = listed.created.unwrap_or(began.latest);
    Some(AdoptedGrant {
        fit: adoption.fit,
        reference: Ref::random(cx.rng.as_ref()),
        lane: Arc::clone(lane),
        key_arn: KeyArn::parse(listed.key_arn.as_str()).ok()?,
        grant_id: listed.id.clone(),
        name: listed.name.clone(),
        grantee: Principal::parse(listed.grantee.as_str()).ok()?,
        operations: listed.operations.iter().filter_map(|op| op.parse().ok()).collect(),
        constraints: listed.constraints.clone(),
        issuer: listed.issuing_account.clone(),
        created: listed.created,
        began,
        policy: policy.name.clone(),
        deadline: adoption.deadline,
        latest: from.plus(policy.max_ttl).floor_second(),
        lead: policy.lead,
        settle: config.settle,
        notes: adoption.notes.clone(),
        by: None,
    })
}

/// Whether the scheduler's end of this row waits for the brake's word.
pub(crate) fn needs_passage(row: &Row) -> bool {
    row.facts().origin == Origin::Adopted && matches!(row.life().state, State::Active { .. })
}

/// Ask the brake of an adopted grant's key. `Err`: it may not be ended now, and this is the row.
/// Unlike an end of ours, it waits for the disk: without a record nothing of others is ended.
pub(crate) async fn passage(cx: &Rc<Context>, row: Row) -> Result<Row, Row> {
    let (id, now, config) = (row.id(), cx.time.now(), cx.config());
    let job = move |books: &mut Ledger| {
        let brake = |policy: Option<&str>| {
            let policy =
                config.as_deref().zip(policy).and_then(|(config, name)| config.policy(name));
            policy.map(|policy| policy.adopt.brake).unwrap_or_default()
        };
        books.let_end(id, brake, now)
    };
    match cx.ledger.run(Urgency::End, job).await {
        Ok(Passage::Free) => Ok(row),
        Ok(Passage::Held(row)) => Err(*row),
        Ok(Passage::Braked(row, ended)) => {
            let key = row.key_arn();
            tracing::error!(%key, ended, "the brake: no more adopted grants of this key are ended \
                until `grantd resume --key {key}`");
            Err(*row)
        }
        Err(error) => {
            tracing::error!("cannot ask whether an adopted grant may be ended: {}", chain(&error));
            cx.rest(AGAIN).await;
            Err(row)
        }
    }
}
