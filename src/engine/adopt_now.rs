//! What people do about grants of others: take one up by hand, let go on what is held, and have the
//! keys looked at now.

use std::rc::Rc;
use std::sync::Arc;

use serde_json::json;

use super::Caller;
use super::context::{Context, is_current, ledger_fault};
use super::desk::{hear_the_time, open_for_creates, probes};
use super::extend::{self, extend};
use super::freeze::{asker, governs, plain};
use super::keep;
use super::look::list;
use super::refusals::refused;
use super::resolve::{Resolved, named, resolve};
use crate::config::Config;
use crate::fault::{Fault, Kind};
use crate::ids::{KeyArn, Principal, Ref};
use crate::kms::{Listed, Scope};
use crate::ledger::{AdoptedGrant, Adopting, Ledger, Urgency};
use crate::rules::foreign::{Fit, Seen, by_hand};
use crate::rules::life::Class;
use crate::rules::policy::{self, REASON_MAX, Terms, Until};
use crate::rules::time::{Now, SECOND};
use crate::terms::Operation;
use crate::wire::{AdoptGrant, AdoptionHold, ExtendLease, LeaseExtended, Page, Resume, Searching};

/// Put one grant of somebody else under a deadline. KMS cannot give it one, so grantd makes its own
/// with the same terms, and ends the original once that is there.
///
/// The original is recorded first, as a lease that ends a second after the deadline; then the lease
/// is shortened by that second, as a person may shorten any. A crash in between, or a KMS that
/// refuses the other grant, leaves the original under its deadline.
pub(crate) async fn adopt_now(
    cx: &Rc<Context>,
    caller: &Caller,
    request: AdoptGrant,
) -> Result<LeaseExtended, Fault> {
    let asked = json!({ "key": request.key, "grant-id": request.grant_id });
    governs(cx, caller, "adopt grants", asked.clone())?;
    let adopted = take_up(cx, caller, &request).await;
    if let Err(fault) = &adopted {
        refused(cx, caller, fault, "adopt", asked);
    }
    let grant = adopted?;
    tracing::info!(lease = %grant.reference, key = %grant.key_arn, grant = %grant.grant_id,
        uid = caller.uid, deadline = %grant.deadline, "adopted by hand");
    let until = Some(grant.deadline.plus(-SECOND));
    let shorter = ExtendLease {
        ttl: None,
        until,
        reason: request.reason,
        token: false,
        beyond_policy: false,
    };
    let asked = extend::Asked { caller, request: &shorter };
    extend(cx, asked, grant.reference.as_str(), None).await.map_err(|fault| {
        let (lease, at) = (&grant.reference, grant.deadline);
        let text = format!(
            "{}; the grant is adopted all the same: it is lease {lease}, and is revoked at {at}",
            fault.text
        );
        Fault { text, ..fault }.about(grant.reference.clone())
    })
}

/// Record it as a lease.
async fn take_up(
    cx: &Rc<Context>,
    caller: &Caller,
    request: &AdoptGrant,
) -> Result<AdoptedGrant, Fault> {
    hear_the_time(cx).await;
    let config = open_for_creates(cx)?;
    let until = Until::parse(request.ttl.as_deref(), request.until)?;
    let key = resolve(cx, &config, &request.key, None).await?;
    let began = cx.time.now();
    let listed = find(cx, &key, request).await?;
    let aliases = &key.aliases;
    let seen = Seen { aliases, aws_managed: key.facts.manager == "AWS" };
    if key.lane.ways.revoke_role.is_none() {
        let text = format!(
            "account {} has no `revoke-role-arn`, and grants of others end in no other way",
            key.lane.account
        );
        return Err(Fault::new(Kind::NoWayOut, text));
    }
    let fit = by_hand(&config, &key.lane, seen, &listed, began.latest).map_err(|why| {
        let text = format!("grant {} is left alone: {}", listed.id, why.join("; "));
        Fault::new(Kind::HandsOff, text)
    })?;
    let terms = allowed(cx, &config, caller, request, (&key, &listed, until))?;
    if probes(cx, &key.lane) {
        cx.prove(&key.lane, &key.facts.arn).await?;
    }
    // The proof took its time: what is asked for by a span is counted from now.
    let terms = match request.until {
        Some(_) => terms,
        None => allowed(cx, &config, caller, request, (&key, &listed, until))?,
    };
    record(cx, &config, caller, request, (fit, key, listed, terms, began)).await
}

async fn find(cx: &Rc<Context>, key: &Resolved, request: &AdoptGrant) -> Result<Listed, Fault> {
    let (arn, id) = (&key.facts.arn, &request.grant_id);
    let found = match list(cx, &key.lane, Scope::One(arn, id)).await {
        Ok(found) => found,
        // The documentation lets KMS refuse an id that it does not know.
        Err(Class::NotFound) => Vec::new(),
        Err(class) => {
            let text = format!("the grants of {arn} cannot be listed ({class:?})");
            return Err(Fault::new(Kind::KmsSilent, text).hint("`grantd status` says what waits"));
        }
    };
    found
        .into_iter()
        .find(|listed| listed.id == *id)
        .ok_or_else(|| Fault::new(Kind::GrantUnknown, format!("key {arn} has no grant {id}")))
}

/// What the policies say to it.
fn allowed(
    cx: &Context,
    config: &Arc<Config>,
    caller: &Caller,
    request: &AdoptGrant,
    (key, listed, until): (&Resolved, &Listed, Until),
) -> Result<Terms, Fault> {
    let grantee = Principal::parse(listed.grantee.as_str())
        .map_err(|bad| Fault::new(Kind::HandsOff, bad.to_string()))?;
    let operations: Result<Vec<Operation>, _> =
        listed.operations.iter().map(|op| op.parse::<Operation>()).collect();
    let operations = operations.map_err(|_| {
        let text = format!(
            "grant {} gives {}, not all of which grantd knows",
            listed.id,
            listed.operations.join(", ")
        );
        Fault::new(Kind::HandsOff, text)
    })?;
    let ask = policy::Ask {
        caller,
        key: &key.facts,
        aliases: &key.aliases,
        grantee: &grantee,
        operations: &operations,
        until,
        reason: request.reason.as_deref(),
        constraints: &listed.constraints,
        now: cx.time.now().latest,
    };
    policy::adopt(config, &ask)
}

async fn record(
    cx: &Rc<Context>,
    config: &Config,
    caller: &Caller,
    request: &AdoptGrant,
    (fit, key, listed, terms, began): (Fit, Resolved, Listed, Terms, Now),
) -> Result<AdoptedGrant, Fault> {
    let bad = |bad: crate::ids::BadId| Fault::new(Kind::HandsOff, bad.to_string());
    let grant = AdoptedGrant {
        fit,
        reference: Ref::random(cx.rng.as_ref()),
        lane: key.lane,
        key_arn: key.facts.arn,
        grant_id: listed.id,
        name: listed.name,
        grantee: Principal::parse(listed.grantee).map_err(bad)?,
        operations: terms.operations,
        constraints: listed.constraints,
        issuer: listed.issuing_account,
        created: listed.created,
        began,
        policy: terms.policy,
        deadline: terms.deadline.plus(SECOND),
        latest: terms.latest.max(terms.deadline.plus(SECOND)),
        lead: terms.lead,
        settle: config.settle,
        notes: vec!["asked for by hand".to_owned()],
        by: Some((asker(caller), request.reason.clone())),
    };
    let (new, now) = (grant.clone(), cx.time.now());
    let job = move |books: &mut Ledger| {
        let adopting = books.adopt(&new, now)?;
        let known = books.open_lease_of(new.key_arn.as_str(), &new.grant_id)?;
        Ok((adopting, known))
    };
    match cx.ledger.run(Urgency::Work, job).await.map_err(ledger_fault)? {
        (Adopting::Taken(row), _) => {
            cx.take_in(vec![*row]);
            Ok(grant)
        }
        (Adopting::Known | Adopting::Held, Some(lease)) => {
            let text = format!("grant {} is lease {lease} already", grant.grant_id);
            let hint = format!("`grantd extend {lease}` gives it another deadline");
            Err(Fault::new(Kind::HandsOff, text).hint(hint).about(lease))
        }
        (Adopting::Known | Adopting::Held, None) => {
            let text = format!("grant {} has just been ended", grant.grant_id);
            Err(Fault::new(Kind::GrantUnknown, text))
        }
    }
}

/// Let go on what is held.
pub(crate) async fn resume(
    cx: &Rc<Context>,
    caller: &Caller,
    request: Resume,
) -> Result<Page<AdoptionHold>, Fault> {
    let Resume { policies, keys, all, reason } = request;
    let asked = json!({ "policies": policies, "keys": keys, "all": all });
    governs(cx, caller, "resume what is held", asked)?;
    plain("reason", reason.as_deref().unwrap_or_default(), REASON_MAX)?;
    if all != (policies.is_empty() && keys.is_empty()) {
        let text = "a resume names what is held, or everything by `all`, and not both";
        let hint = "such as --policy readers, --key alias/app, or --all";
        return Err(Fault::new(Kind::BadArgument, text).hint(hint));
    }
    let now = cx.time.now();
    let read = cx.ledger.run(Urgency::Work, move |books| books.holds(now.latest)).await;
    let held = read.map_err(ledger_fault)?;
    let mut chosen = if all { held.clone() } else { Vec::new() };
    let none = |what: String| Fault::new(Kind::HoldUnknown, format!("{what} is not held"));
    for name in &policies {
        let of = |hold: &&AdoptionHold| hold.policy.as_ref() == Some(name);
        let hold = held.iter().find(of).ok_or_else(|| none(format!("policy {name:?}")))?;
        chosen.push(hold.clone());
    }
    for text in &keys {
        let arns = match KeyArn::parse(text.as_str()) {
            Ok(arn) => vec![arn],
            Err(_) => named(cx, text).await?,
        };
        let of = |hold: &&AdoptionHold| hold.key_arn.as_ref().is_some_and(|key| arns.contains(key));
        let hold = held.iter().find(of).ok_or_else(|| none(format!("key {text}")))?;
        chosen.push(hold.clone());
    }
    for hold in &mut chosen {
        if let Some(policy) = &hold.policy {
            hold.grants = cx.unadopted.of(policy);
        }
    }
    let (by, of, now) = (asker(caller), chosen.clone(), cx.time.now());
    let job = move |books: &mut Ledger| books.resume(&of, &by, reason.as_deref(), now);
    cx.ledger.run(Urgency::Work, job).await.map_err(ledger_fault)?;
    for AdoptionHold { policy, key_arn, grants, .. } in &chosen {
        let key = key_arn.as_ref().map(KeyArn::as_str);
        tracing::warn!(uid = caller.uid, policy, key, grants, "resumed");
    }
    keep::load(cx).await;
    cx.search_soon();
    Ok(Page { items: chosen, next: None })
}

/// Look at all keys now, and not only when the next search is due.
pub(crate) fn search_now(cx: &Context, caller: &Caller) -> Result<Searching, Fault> {
    governs(cx, caller, "have the keys searched", json!({}))?;
    if cx.stopping.get() {
        return Err(Fault::new(Kind::Stopping, "grantd is stopping"));
    }
    let lanes = cx.config().map_or(0, |config| {
        let lanes = cx.lanes.borrow();
        lanes.values().filter(|state| is_current(&config, &state.lane)).count()
    });
    cx.search_soon();
    Ok(Searching { lanes: u32::try_from(lanes).unwrap_or(u32::MAX) })
}
