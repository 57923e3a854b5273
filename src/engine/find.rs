//! Finding our own live grants without a row, by their Names: after the ledger was lost, or left
//! behind by another host of the group. They end at the deadline that their Name carries.

use std::rc::Rc;
use std::sync::Arc;

use super::context::{Context, is_current};
use super::lane::{Op, Search, Sent};
use super::look::list;
use crate::config::Config;
use crate::ids::{KeyArn, Principal};
use crate::kms::{Alias, Lane, Listed, Scope};
use crate::ledger::{FoundGrant, Urgency};
use crate::rules::clocks::Doubt;
use crate::rules::found::{Found, judge};
use crate::rules::life::{Class, Outcome};
use crate::rules::name::Name;
use crate::rules::policy::{alias_names, named_keys};
use crate::rules::time::{MINUTE, Now, SECOND, Time};

/// Pause before a search that broke off is begun again.
const AGAIN: i64 = 2 * SECOND;
/// More entries than this that are not ours: somebody floods us with grants on his own keys, so
/// list ours key by key.
const FLOOD: usize = 20_000;

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
        let began = cx.time.judge();
        // Without a known present nothing can be judged; the keeper is asking AWS for one.
        let known = began.doubt != Some(Doubt::Unconfirmed);
        let mut pause = AGAIN;
        if known && searched(&cx, &config, &lane, began.now).await {
            let first = *first.get_or_insert(began.now.latest);
            let young = began.now.least.since(first) < config.settle;
            let soon = if young { EVERY_YOUNG.min(config.settle) } else { config.reconcile };
            pause = soon.min(config.reconcile);
        }
        cx.rest(pause).await;
    }
}

/// One search. False where it broke off, and is to be begun again soon.
async fn searched(cx: &Rc<Context>, config: &Arc<Config>, lane: &Arc<Lane>, began: Now) -> bool {
    let (done, over) = match own_entries(cx, config, lane).await {
        Ok(listed) => {
            let done = claim(cx, config, lane, listed, began).await;
            (done, done)
        }
        // What this role may not list does not come to light by waiting for it.
        Err(Class::Denied | Class::Invalid) => (false, true),
        Err(_) => (false, false),
    };
    if over {
        cx.lane(lane, |state| state.search = Search::Done);
    }
    done
}

/// Everything that names our role as retiring principal, or, where that cannot be listed, all of
/// the policies' keys.
async fn own_entries(
    cx: &Rc<Context>,
    config: &Config,
    lane: &Arc<Lane>,
) -> Result<Vec<Listed>, Class> {
    match list(cx, lane, Scope::Retirable).await {
        Ok(all) if all.len() <= FLOOD => return Ok(all),
        Ok(all) => {
            tracing::warn!(entries = all.len(), "too many grants name our role: listing key by key")
        }
        // An endpoint without ListRetirableGrants, or a role that may not use it.
        Err(Class::Invalid | Class::Denied) => {}
        Err(class) => return Err(class),
    }
    let mut all = Vec::new();
    for key in named_keys(config, lane, &aliases(cx, lane).await?) {
        match list(cx, lane, Scope::Key(&key)).await {
            Ok(found) => all.extend(found),
            Err(Class::NotFound | Class::Denied) => {
                tracing::warn!(%key, "a policy's key cannot be listed: not searched");
            }
            Err(class) => return Err(class),
        }
    }
    Ok(all)
}

async fn aliases(cx: &Rc<Context>, lane: &Arc<Lane>) -> Result<Vec<Alias>, Class> {
    cx.place(lane, Op::List, false).await;
    let answer = cx.kms.aliases(lane, None).await;
    cx.heard(lane, Op::List, None, Sent::default(), &answer);
    match answer.outcome {
        Outcome::Done(aliases) => Ok(aliases),
        Outcome::Refused(class) => Err(class),
        Outcome::Unknown => Err(Class::Unavailable),
    }
}

/// Take up what is provably ours. False when the ledger could not be written.
async fn claim(
    cx: &Rc<Context>,
    config: &Arc<Config>,
    lane: &Arc<Lane>,
    listed: Vec<Listed>,
    began: Now,
) -> bool {
    let Ok(aliases) = aliases(cx, lane).await else { return false };
    let mut unproven = 0;
    for entry in listed {
        // The aliases are those of the lane's own account: another's keys have none here.
        let own = |key: &KeyArn| key.account() == lane.account.as_str();
        let key = KeyArn::parse(entry.key_arn.as_str()).ok().filter(own);
        let names = key.map_or_else(Vec::new, |key| alias_names(&aliases, &key));
        let (name, policy) = match judge(config, lane, &names, &entry, began.latest) {
            Found::Ours { name, policy } => (name, policy.map(|policy| policy.name.clone())),
            Found::Unproven(why) => {
                unproven += 1;
                let told = cx.unproven.borrow().contains_key(&lane.id);
                if told {
                    continue;
                }
                tracing::warn!(grant = %entry.id, key = %entry.key_arn, name = %entry.name,
                    "a grant bears our name but is not provably ours, and is left alone: {why}");
                continue;
            }
            Found::Foreign => continue,
        };
        let Some(found) = found_grant(config, lane, &entry, name, policy, began) else { continue };
        let now = cx.time.now();
        let taken = cx.ledger.run(Urgency::Work, move |books| {
            let Some(row) = books.find(&found, now)? else { return Ok(None) };
            let lease = books.rows_of_lease(row.reference())?;
            Ok(Some((row, lease)))
        });
        match taken.await {
            Ok(Some((row, lease))) => {
                tracing::warn!(lease = %row.reference(), key = %row.key_arn(),
                    deadline = %row.facts().deadline, "found a grant of ours without a record");
                // With what it may have replaced.
                cx.take_in(lease);
            }
            Ok(None) => {}
            Err(error) => {
                tracing::error!("cannot record a found grant: {}", crate::fault::chain(&error));
                return false;
            }
        }
    }
    cx.unproven.borrow_mut().insert(lane.id, unproven);
    true
}

fn found_grant(
    config: &Config,
    lane: &Arc<Lane>,
    entry: &Listed,
    name: Name,
    policy: Option<String>,
    began: Now,
) -> Option<FoundGrant> {
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
        created: entry.created.unwrap_or(began.latest),
        began,
        policy,
        settle: config.settle,
        order: lane.own_order(),
    })
}
