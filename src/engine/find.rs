//! Finding our own live grants without a row, by their Names: after the ledger was lost, or left
//! behind by another host of the group. They end at the deadline that their Name carries.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use serde_json::json;

use super::context::{Context, is_current};
use super::lane::{Op, Search, Sent};
use super::look::Pages;
use super::survey::{Ours, Survey, is_gone, names_of, tell, unknown};
use super::{adopt, drift, pins};
use crate::config::Config;
use crate::ids::{GrantId, KeyArn, Principal, Ref};
use crate::kms::{Alias, Lane, Listed, Scope};
use crate::ledger::{FoundGrant, Ledger, LedgerError, Row, Sighting, Urgency, Warrant};
use crate::rules::clocks::Doubt;
use crate::rules::found::overdue;
use crate::rules::life::{Class, Via};
use crate::rules::pace::Part;
use crate::rules::policy::named_keys;
use crate::rules::time::{MINUTE, Now, SECOND, Time};

/// Pause before a search that broke off is begun again.
const AGAIN: i64 = 2 * SECOND;
/// While a grant of before the start may still come to light, searches come this often; afterwards,
/// for what another host made and left behind, as often as the config says.
const EVERY_YOUNG: i64 = MINUTE;

/// Search the lane with this id, again and again, beside everything else, for as long as the
/// configuration names it. One search is not enough: a grant may take its time to be listed, and a
/// stray create to arrive.
pub(crate) async fn search(cx: Rc<Context>, lane: i64) {
    let mut first: Option<Time> = None;
    while !cx.stopping.get() {
        // Both may have been replaced since the last time.
        let state = cx.lanes.borrow().get(&lane).map(|state| Arc::clone(&state.lane));
        let (Some(config), Some(lane)) = (cx.config(), state) else { return };
        if !is_current(&config, &lane) {
            cx.lane(&lane, |state| state.search = Search::None);
            return;
        }
        let asked = cx.searches();
        let began = cx.time.judge();
        // Without a known present nothing can be judged; the keeper is asking AWS for one.
        let known = began.doubt != Some(Doubt::Unconfirmed);
        let mut pause = AGAIN;
        if known && pass(&cx, &config, &lane, began.now).await {
            let first = *first.get_or_insert(began.now.latest);
            let young = began.now.least.since(first) < config.settle;
            let soon = if young { EVERY_YOUNG.min(config.settle) } else { config.reconcile };
            pause = soon.min(config.reconcile);
        }
        cx.rest_from_search(pause, asked).await;
    }
}

/// One search, and what the policies make of the grants of others. False where it broke off, and is
/// to be begun again soon.
async fn pass(cx: &Rc<Context>, config: &Arc<Config>, lane: &Arc<Lane>, began: Now) -> bool {
    match searched(cx, config, lane, began).await {
        Some(aliases) => adopt::pass(cx, config, lane, &aliases, began).await,
        None => false,
    }
}

/// One search for what is ours; the lane's aliases as it read them, where it came to its end.
async fn searched(
    cx: &Rc<Context>,
    config: &Arc<Config>,
    lane: &Arc<Lane>,
    began: Now,
) -> Option<Vec<Alias>> {
    let surveyed = async {
        let aliases = aliases(cx, config, lane).await?;
        let survey = survey(cx, config, lane, &aliases, began).await?;
        Ok((aliases, survey))
    };
    match surveyed.await {
        Ok((aliases, mut survey)) => {
            let seen = std::mem::take(&mut survey.seen);
            if !tell_of(cx, lane, survey, began).await {
                return None;
            }
            // Askers need not wait for what only tells.
            cx.lane(lane, |state| state.search = Search::Done);
            drift::look_into(cx, config, lane, &seen, began).await;
            Some(aliases)
        }
        // What this role may not list does not come to light by waiting for it.
        Err(Class::Denied | Class::Invalid) => {
            cx.lane(lane, |state| state.search = Search::Done);
            None
        }
        Err(_) => None,
    }
}

/// Look at everything that names our role as retiring principal, or, where that cannot be listed
/// (to its end: somebody may flood it with grants on his own keys), at all of the policies' keys.
/// What is ours is taken up page by page: a listing that breaks off hides nothing that it showed.
async fn survey(
    cx: &Rc<Context>,
    config: &Arc<Config>,
    lane: &Arc<Lane>,
    aliases: &[Alias],
    began: Now,
) -> Result<Survey, Class> {
    let listings = Listings { cx, config, lane, began, aliases };
    let mut survey = Survey::default();
    match listings.take(Scope::Retirable, None, &mut survey).await {
        Ok(()) => return Ok(survey),
        // An endpoint without ListRetirableGrants, or a role that may not use it.
        Err(Class::Invalid | Class::Denied) => {}
        Err(class) => return Err(class),
    }
    let mut survey = Survey::default();
    survey.found.incomplete = true;
    for key in named_keys(config, lane, aliases) {
        match listings.take(Scope::Key(&key), Some(&key), &mut survey).await {
            Ok(()) => {}
            Err(Class::NotFound | Class::Denied) => {
                tracing::warn!(%key, "a policy's key cannot be listed: not searched");
            }
            Err(class) => return Err(class),
        }
    }
    Ok(survey)
}

/// What the listings of one search have in common.
struct Listings<'a> {
    cx: &'a Rc<Context>,
    config: &'a Arc<Config>,
    lane: &'a Arc<Lane>,
    began: Now,
    aliases: &'a [Alias],
}

impl Listings<'_> {
    async fn take(
        &self,
        scope: Scope<'_>,
        waits: Option<&KeyArn>,
        survey: &mut Survey,
    ) -> Result<(), Class> {
        let Self { cx, config, lane, began, aliases } = *self;
        let mut pages = Pages::new(cx, lane, scope, waits);
        let mut recorded = true;
        while let Some(page) = pages.next().await? {
            let ours = survey.take(config, lane, aliases, page, began.latest);
            let with = |ours: Ours| Some((found_grant(config, lane, &ours, began)?, ours));
            let grants = ours.into_iter().filter_map(with).collect();
            for unread in claim(cx, lane, (grants, &mut *survey)).await {
                recorded = false;
                self.end_unrecorded(&unread).await;
            }
        }
        // What could not be recorded is sought again soon.
        if recorded { Ok(()) } else { Err(Class::Unavailable) }
    }

    /// The ledger takes nothing, and what is overdue must not wait for it: the Name is proof
    /// enough. The next search shows whether it worked, and the log is all that knows of it.
    async fn end_unrecorded(&self, entry: &Listed) {
        let Self { cx, config, lane, aliases, .. } = *self;
        let names = names_of(lane, aliases, entry);
        let Some(proof) = overdue(config, lane, &names, entry, cx.time.now()) else { return };
        cx.place(lane, Op::End, Part::Found).await;
        if cx.stopping.get() {
            return;
        }
        let answer = cx.kms.end(&Warrant::of_overdue(&proof), Via::Retire, None).await;
        cx.heard(lane, Op::End, Some(proof.key_arn()), Sent::default(), &answer);
        tracing::error!(lease = %proof.name().reference(), key = %proof.key_arn(),
            grant = %proof.id(), "a grant of ours without a record is overdue, and is ended without \
            one: {}", answer.detail.as_deref().unwrap_or("done"));
    }
}

/// The aliases of the lane that are to be believed.
async fn aliases(
    cx: &Rc<Context>,
    config: &Arc<Config>,
    lane: &Arc<Lane>,
) -> Result<Vec<Alias>, Class> {
    cx.place(lane, Op::List, Part::Due).await;
    let answer = cx.kms.aliases(lane, None).await;
    cx.heard(lane, Op::List, None, Sent::default(), &answer);
    pins::believed(cx, config, lane, answer.outcome.done()?).await.map_err(|error| {
        tracing::error!("cannot tell which aliases moved: {}", crate::fault::chain(&error));
        Class::Unavailable
    })
}

/// What the ledger made of a grant of ours.
struct Met {
    sighting: Sighting,
    /// The grants of its lease, where it was taken up: with what it may have joined.
    lease: Vec<Row>,
    /// The lease that no policy of today would give.
    refused: Option<Ref>,
    /// Since when its grantee shows as a unique id.
    ghost: Option<Time>,
}

/// Take up what is provably ours, a page at once. The entries that could not be recorded.
async fn claim(
    cx: &Rc<Context>,
    lane: &Arc<Lane>,
    (grants, survey): (Vec<(FoundGrant, Ours)>, &mut Survey),
) -> Vec<Listed> {
    let (entries, grants): (Vec<_>, Vec<_>) =
        grants.into_iter().map(|(found, ours)| (ours.entry, (found, ours.refused))).unzip();
    let now = cx.time.now();
    let before = cx.doubtful.borrow().get(&lane.id).cloned().unwrap_or_default();
    let ghosts = before.ghosts.clone();
    let taken = cx.ledger.run(Urgency::Work, move |books| {
        grants
            .iter()
            .map(|(found, refused)| meet(books, found, refused.as_deref(), &ghosts, now))
            .collect::<Result<Vec<_>, _>>()
    });
    let met = match taken.await {
        Ok(met) => met,
        Err(error) => {
            unwritten(&error);
            return entries;
        }
    };
    for (entry, met) in entries.into_iter().zip(met) {
        if let Sighting::Taken { row, .. } = &met.sighting {
            tracing::warn!(lease = %row.reference(), key = %row.key_arn(),
                deadline = %row.facts().deadline, "found a grant of ours without a record");
        }
        let (Sighting::Known { alarm, .. } | Sighting::Taken { alarm, .. }) = met.sighting else {
            continue;
        };
        if let Some(alarm) = alarm {
            survey.found.alarm(&entry, alarm, &before);
        }
        survey.found.refused_today.extend(met.refused);
        survey.found.ghosts.extend(met.ghost.map(|since| (entry.id, since)));
        cx.take_in(met.lease);
    }
    Vec::new()
}

/// One of them, in the ledger.
fn meet(
    books: &mut Ledger,
    found: &FoundGrant,
    refused: Option<&str>,
    ghosts: &BTreeMap<GrantId, Time>,
    now: Now,
) -> Result<Met, LedgerError> {
    let sighting = books.find(found, now)?;
    let (reference, lease) = match &sighting {
        Sighting::Early | Sighting::Known { lease: None, .. } => (None, Vec::new()),
        Sighting::Known { lease: Some(lease), .. } => (Some(lease.clone()), Vec::new()),
        Sighting::Taken { row, .. } => {
            (Some(row.reference().clone()), books.rows_of_lease(row.reference())?)
        }
    };
    let mut met = Met { sighting, lease, refused: None, ghost: None };
    let Some(reference) = reference else { return Ok(met) };
    if found.grantee.is_unique_id() {
        let since = ghosts.get(&found.grant_id).copied().unwrap_or(now.latest);
        if is_gone(since, now.latest) {
            let body = json!({ "grant-id": found.grant_id, "shows-as": found.grantee });
            books.note_once(now.latest, &reference, "grantee-gone", &body)?;
        }
        met.ghost = Some(since);
    } else if let Some(why) = refused {
        books.note_once(now.latest, &reference, "refused-today", &json!({ "why": why }))?;
        met.refused = Some(reference);
    }
    Ok(met)
}

/// Tell of what a whole search saw and is not ours. False when the ledger could not be asked.
async fn tell_of(cx: &Rc<Context>, lane: &Arc<Lane>, survey: Survey, began: Now) -> bool {
    let Survey { doubtful, mut found, seen: _ } = survey;
    let before = cx.doubtful.borrow().get(&lane.id).cloned().unwrap_or_default();
    let looking = move |books: &mut Ledger| unknown(books, doubtful.clone(), began);
    match cx.ledger.run(Urgency::Work, looking).await {
        Ok(unknown) => {
            tell(&mut found, unknown, &before);
            cx.doubtful.borrow_mut().insert(lane.id, found);
            true
        }
        Err(error) => {
            unwritten(&error);
            false
        }
    }
}

fn unwritten(error: &LedgerError) {
    tracing::error!("cannot record what was found: {}", crate::fault::chain(error));
}

fn found_grant(config: &Config, lane: &Arc<Lane>, ours: &Ours, began: Now) -> Option<FoundGrant> {
    let Ours { entry, name, policy, refused: _ } = ours;
    Some(FoundGrant {
        reference: name.reference().clone(),
        serial: name.serial(),
        deadline: name.deadline(),
        name: entry.name.clone(),
        lane: Arc::clone(lane),
        key_arn: KeyArn::parse(entry.key_arn.clone()).ok()?,
        grant_id: entry.id.clone(),
        grantee: Principal::parse(entry.grantee.clone()).ok()?,
        operations: entry.operations.iter().filter_map(|op| op.parse().ok()).collect(),
        constraints: entry.constraints.clone(),
        understood: entry.is_understood(),
        created: entry.created.unwrap_or(began.latest),
        began,
        policy: policy.clone(),
        alone: config.account(lane.account.as_str()).is_some_and(|account| account.hosts == 1),
        settle: config.settle,
        order: lane.own_order(),
    })
}
