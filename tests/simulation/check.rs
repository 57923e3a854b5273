//! What must hold, whatever happens.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use grantd::ids::{AccountId, KeyArn, Principal, Ref};
use grantd::ledger::{Handle, LedgerError, Urgency};
use grantd::rules::freeze::{Subject, fits};
use grantd::rules::life::Why;
use grantd::rules::name::Name;
use grantd::rules::time::{MINUTE, SECOND, Time};
use grantd::wire::{Grant, HistoryRow, Lease, ListHistory, ListLeases, Scope};
use kms_sandbox::GrantTruth;
use serde_json::Value;

use crate::actors::status;
use crate::chain::{
    not_extended_too_often, nothing_ends_before_its_successor, what_was_replaced_ended,
};
use crate::forger::{
    deadlines_are_those_of_persons, forged_ones_ended_at_their_own_deadlines,
    nobody_but_a_named_person_ended_it_early,
};
use crate::guests::{is_left, went_on_time};
use crate::standby::nothing_was_left;
use crate::world::World;

/// With KMS reachable and the daemon up, nothing lives longer beyond its deadline than this: two
/// seconds between looks or tries, two for a lane that waits, and the calls themselves.
pub(crate) const BOUND: i64 = 10 * SECOND;
/// What is overdue is told a minute later at the latest.
const TOLD: i64 = MINUTE;

/// The Name of a grant that grantd made on the first host.
pub(crate) fn ours(world: &World, grant: &GrantTruth) -> Option<Name> {
    let name = grant.name.as_deref().and_then(|name| Name::parse(name).ok());
    let others = world.net.others.borrow();
    let first = grant.name.as_ref().is_some_and(|name| !others.contains(name));
    let id = &grant.grant_id;
    let forged = world.foreign.borrow().contains_key(id) || world.forger.made(id);
    name.filter(|_| first && !forged)
}

/// Since when a grant's end can be asked of whoever sees it: at its deadline, if it is visible.
pub(crate) fn owed(world: &World, name: &Name, grant: &GrantTruth) -> i64 {
    name.deadline().0.max(grant.created_at_ms + i64::from(world.propagation))
}

/// I2: no grant of ours outlives its deadline while KMS can be reached.
fn none_lived_too_long(world: &World) {
    let now = world.net.clock.now();
    for (name, grant) in our_grants(world) {
        let from = owed(world, &name, &grant);
        let over = world.good(from, grant.ended_at_ms.unwrap_or(now));
        let bound = unless_doubled(world, &grant, BOUND);
        assert!(over <= bound, "seed {}: {grant:?} lived {over} ms too long", world.seed);
    }
}

/// `bound`, but for a late copy of a create that was answered: it has an id that nobody was told,
/// and the next search finds it by its Name.
pub(crate) fn unless_doubled(world: &World, grant: &GrantTruth, bound: i64) -> i64 {
    let doubled = world.net.doubled.borrow().contains(&grant.grant_id);
    let seen = i64::from(world.propagation);
    if doubled { seen + world.reconcile + MINUTE + BOUND } else { bound }
}

/// Every grant of ours that ever was.
pub(crate) fn our_grants(world: &World) -> Vec<(Name, GrantTruth)> {
    let all = world.net.story.borrow().core.grants();
    all.into_iter().filter_map(|grant| Some((ours(world, &grant)?, grant))).collect()
}

/// I3: what is not ours stays as it was.
fn foreign_grants_are_untouched(world: &World) {
    let story = world.net.story.borrow();
    for (id, made) in world.foreign.borrow().iter() {
        let seed = world.seed;
        let truth = story.core.grant(id);
        assert_eq!(truth.as_ref(), Some(made), "seed {seed}: a foreign grant was touched");
    }
}

/// I7: what is overdue is told by whoever is asked how the daemon is.
pub(crate) async fn overdue_is_visible(world: &Rc<World>) {
    let Some(leases) = leases(world).await else { return };
    let now = world.net.clock.now();
    let alive = world.net.story.borrow().core.grants_alive(now);
    let overdue: Vec<Ref> = alive
        .iter()
        .filter_map(|grant| Some((ours(world, grant)?, grant)))
        .filter(|(name, _)| name.deadline().0 + TOLD < now)
        .filter(|(_, grant)| knows(&leases, &grant.grant_id))
        .map(|(name, _)| name.reference().clone())
        .collect();
    if overdue.is_empty() || world.sleep.is_asleep() {
        return;
    }
    let asked = status(world).await;
    let Some(status) = asked.filter(|status| status.now.0 + TOLD / 2 >= now) else { return };
    let still = world.net.story.borrow().core.grants_alive(now);
    let still = still.iter().filter_map(|grant| ours(world, grant));
    let still: BTreeSet<_> = still.map(|name| name.reference().clone()).collect();
    if overdue.iter().any(|reference| still.contains(reference)) {
        let seed = world.seed;
        assert!(status.overdue_count > 0, "seed {seed}: {overdue:?} and nobody says so");
        assert_eq!(status.health, 2, "seed {seed}: overdue, and well: {:?}", status.alarms);
    }
}

/// Whether the books have this grant, and no accepted end of it.
fn knows(leases: &[Lease], id: &str) -> bool {
    let mut grants = leases.iter().flat_map(|lease| &lease.grants);
    let own = |grant: &Grant| grant.grant_id.as_ref().is_some_and(|own| own.as_str() == id);
    grants.any(|grant| own(grant) && grant.accepted_at.is_none())
}

/// Every lease of the first host. `None` while the daemon is down.
async fn leases(world: &World) -> Option<Vec<Lease>> {
    let ledger = world.ledger.borrow().clone()?;
    match leases_of(world, &ledger).await {
        Ok(leases) => Some(leases),
        // Its answers are for those whose disk is well.
        Err(_) if world.disk.is_ill() || world.disk.is_dark() => None,
        Err(error) => panic!("seed {}: {error}", world.seed),
    }
}

/// Every lease of a ledger, page by page.
async fn leases_of(world: &World, ledger: &Handle) -> Result<Vec<Lease>, LedgerError> {
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let list = ListLeases { all: true, after: after.take(), ..ListLeases::default() };
        let now = Time(world.net.clock.now());
        let page = ledger.run(Urgency::Read, move |books| books.leases(&list, None, now)).await?;
        all.extend(page.items);
        after = page.next;
        if after.is_none() {
            return Ok(all);
        }
    }
}

/// I1, I3, I4, I5: the books and the truth agree. A ledger that was put back may lack what was
/// made after it was copied, until a search has shown it.
pub(crate) async fn books_agree(world: &World) {
    foreign_grants_are_untouched(world);
    let Some(leases) = leases(world).await else { return };
    let known = |reference: &str| leases.iter().find(|lease| lease.reference.as_str() == reference);
    let now = world.net.clock.now();
    let rolled_back = world.restored.get();
    let seed = world.seed;
    for grant in world.net.story.borrow().core.grants_alive(now) {
        let Some(name) = ours(world, &grant) else { continue };
        let Some(lease) = known(name.reference().as_str()) else {
            let lacked = rolled_back.is_some_and(|at| world.good(at, now) <= BOUND);
            assert!(lacked, "seed {seed}: a grant without a row: {grant:?}");
            continue;
        };
        // A late copy of an answered create is for the next search to find.
        let sought = unless_doubled(world, &grant, 0);
        if sought > 0 && world.good(grant.created_at_ms, now) <= sought {
            continue;
        }
        let closed = lease.closed_at.is_some();
        assert!(!closed, "seed {seed}: closed while it lives: {grant:?}\n{lease:#?}");
    }
    if rolled_back.is_some() {
        return;
    }
    let others = world.net.others.borrow();
    let strays = world.net.strays.borrow();
    let names = strays.iter().map(|stray| stray.body["Name"].as_str().unwrap());
    for name in names.filter(|name| !others.contains(*name)) {
        let name = Name::parse(name).unwrap();
        let lease = known(name.reference().as_str()).unwrap();
        assert!(lease.closed_at.is_none(), "seed {seed}: closed before {name} arrived");
    }
    for reference in world.promised() {
        assert!(known(reference.as_str()).is_some(), "seed {seed}: {reference} is lost");
    }
}

/// I15: the deadlines that the leases show now, by the history. Not where the daemon is down, or
/// its disk takes nothing.
pub(crate) async fn deadlines_are_as_asked(world: &World) {
    let Some(ledger) = world.ledger.borrow().clone() else { return };
    let Some(leases) = leases(world).await else { return };
    if !world.disk.is_ill() && !world.disk.is_dark() {
        deadlines_are_those_of_persons(world, &history(&ledger).await, &leases);
    }
}

/// The whole history, page by page.
async fn history(ledger: &Handle) -> Vec<HistoryRow> {
    let (mut all, mut list) = (Vec::new(), ListHistory::default());
    loop {
        let asked = list.clone();
        let page = ledger.run(Urgency::Read, move |books| books.history(&asked)).await.unwrap();
        all.extend(page.items);
        list.after = page.next;
        if list.after.is_none() {
            return all;
        }
    }
}

/// A freeze that stands: its number, and what for.
type Standing = (i64, Scope);

/// I6: no lease was recorded, and none made longer, while a freeze stood that fits it.
fn nothing_frozen_was_made(world: &World, history: &[HistoryRow]) {
    let mut standing: Vec<Standing> = Vec::new();
    let mut born = BTreeMap::new();
    for row in history {
        let body = &row.body;
        match row.kind.as_str() {
            "frozen" => {
                let scope = serde_json::from_value(body["scope"].clone()).unwrap();
                standing.push((body["id"].as_i64().unwrap(), scope));
            }
            "unfrozen" => standing.retain(|(id, _)| body["id"] != *id),
            "requested" if body["origin"] == "asked" => {
                born.insert(row.reference.clone(), body.clone());
                not_under(world, &standing, row, body);
            }
            // Sooner is no more access, and no freeze keeps it back.
            "extension-requested" => {
                let mut asked = born[&row.reference].clone();
                asked["asker"] = body["asker"].clone();
                not_under(world, &standing, row, &asked);
            }
            _ => {}
        }
    }
}

/// What `asked` tells of fits none of the freezes that stand.
fn not_under(world: &World, standing: &[Standing], row: &HistoryRow, asked: &Value) {
    let text = |name: &str| asked[name].as_str().unwrap();
    let subject = Subject {
        key_arn: &KeyArn::parse(text("key-arn")).unwrap(),
        key: text("key"),
        aliases: std::slice::from_ref(&world.alias),
        grantee: &Principal::parse(text("grantee")).unwrap(),
        policy: asked["policy"].as_str(),
        account: &AccountId::parse(text("account")).unwrap(),
        caller: asked["asker"]["uid"].as_u64().and_then(|uid| u32::try_from(uid).ok()),
    };
    let frozen = standing.iter().find(|(_, scope)| fits(scope, &[], &subject));
    assert!(frozen.is_none(), "seed {}: {row:?} under {frozen:?}", world.seed);
}

/// I9: no token is written down.
fn no_token_is_in_the_files(world: &World) {
    for file in world.disk.image().into_values() {
        // Tokens are ASCII, and text is searched for much faster than bytes.
        let file = String::from_utf8_lossy(&file);
        for token in world.net.tokens.borrow().iter() {
            let found = file.contains(token);
            assert!(!found, "seed {}: a grant token is in the ledger", world.seed);
        }
    }
}

/// I11: what ended before its deadline has a cause in the books: a person, a twin, a proof, or a
/// successor with an earlier deadline.
fn no_grant_ended_early(world: &World, leases: &[Lease]) {
    for (name, grant) in our_grants(world) {
        if grant.ended_at_ms.is_none_or(|at| at >= name.deadline().0 - world.ahead.get()) {
            continue;
        }
        let rows = leases.iter().filter(|lease| lease.reference == *name.reference());
        let mut rows = rows.flat_map(|lease| &lease.grants);
        let row =
            rows.find(|row| row.grant_id.as_ref().is_some_and(|id| id.as_str() == grant.grant_id));
        let Some(row) = row else {
            // Who was ended before a rollback is not known any more.
            let seed = world.seed;
            assert!(world.restored.get().is_some(), "seed {seed}: no row of {grant:?}");
            continue;
        };
        let forgotten =
            world.restored.get().is_some() || world.unanswered.borrow().contains(name.reference());
        let early = row.why == Some(Why::Deadline) && !forgotten;
        assert!(!early, "seed {}: ended early: {grant:?}\n{row:#?}", world.seed);
    }
}

/// When everything is over: all is closed, and the chain verifies.
pub(crate) async fn at_the_end(world: &World) {
    books_agree(world).await;
    none_lived_too_long(world);
    what_was_replaced_ended(world);
    let ledger = world.ledger.borrow().clone().unwrap();
    let history = history(&ledger).await;
    nothing_frozen_was_made(world, &history);
    went_on_time(world, &history);
    let mut leases = all_closed(world, &ledger).await;
    forged_ones_ended_at_their_own_deadlines(world);
    nobody_but_a_named_person_ended_it_early(world);
    deadlines_are_those_of_persons(world, &history, &leases);
    for lease in &leases {
        not_extended_too_often(world, lease);
    }
    // A twin that the other host found first is in its books alone.
    leases.extend(nothing_was_left(world).await);
    no_grant_ended_early(world, &leases);
    nothing_ends_before_its_successor(world);
    let now = world.net.clock.now();
    for grant in world.net.story.borrow().core.grants_alive(now) {
        let foreign = world.foreign.borrow().contains_key(&grant.grant_id);
        let foreign = foreign || is_left(world, &grant.grant_id);
        assert!(foreign, "seed {}: alive at the end: {grant:?}", world.seed);
    }
    if world.seed.is_multiple_of(8) {
        no_token_is_in_the_files(world);
    }
    the_chain_verifies(world, &ledger).await;
}

/// I10: every row is closed. But where so much vanished in one look that it was not believed (of a
/// ledger that was put back, all that had ended since), closing waits for a person, who is told.
pub(crate) async fn all_closed(world: &World, ledger: &Handle) -> Vec<Lease> {
    let leases = leases_of(world, ledger).await.unwrap();
    let doubted = |row: &HistoryRow| {
        row.kind == "closings-frozen" && row.body["why"].to_string().contains("vanished")
    };
    let restored = world.restored.get().is_some();
    let waits = restored && history(ledger).await.iter().any(doubted);
    for lease in &leases {
        assert!(lease.closed_at.is_some() || waits, "seed {}: still open: {lease:#?}", world.seed);
    }
    leases
}

/// I6: whoever walks the history finds it whole.
pub(crate) async fn the_chain_verifies(world: &World, ledger: &Handle) {
    let walk = ledger.run(Urgency::Read, |books| {
        let mut after = None;
        loop {
            let walk = books.verify_slice(after, 1_000)?;
            if walk.done {
                return Ok((walk.broken, walk.head));
            }
            after = Some(walk.head);
        }
    });
    let (broken, head) = walk.await.unwrap();
    assert!(broken.is_none(), "seed {}: the chain breaks: {broken:?}", world.seed);
    world.net.tell(head.hex());
}
