//! What must hold, whatever happens.

use std::collections::BTreeMap;
use std::rc::Rc;

use grantd::ids::{AccountId, KeyArn, Principal};
use grantd::ledger::Urgency;
use grantd::rules::freeze::{Subject, fits};
use grantd::rules::life::Why;
use grantd::rules::name::Name;
use grantd::rules::time::{MINUTE, SECOND, Time};
use grantd::wire::{HistoryRow, Lease, ListHistory, ListLeases, Scope};
use kms_sandbox::GrantTruth;
use serde_json::Value;

use crate::chain::{
    not_extended_too_often, nothing_ends_before_its_successor, what_is_replaced_ends,
};
use crate::clock::pause;
use crate::kms::Weather;
use crate::world::World;

/// With KMS reachable and the daemon up, nothing lives longer beyond its deadline than this: two
/// seconds between looks or tries, two for a lane that waits, and the calls themselves.
pub(crate) const BOUND: i64 = 10 * SECOND;

/// Look at the world once a second, and at everything every three minutes.
pub(crate) async fn watch(world: Rc<World>) {
    let mut turn = 0;
    loop {
        pause(SECOND).await;
        turn += 1;
        world.net.deliver();
        none_lives_too_long(&world);
        // It looks at every grant that ever was.
        if turn % 10 == 0 {
            what_is_replaced_ends(&world);
        }
        foreign_grants_are_untouched(&world);
        if turn % 180 == 0 {
            books_agree(&world).await;
        }
    }
}

/// The Name of a grant that grantd made.
pub(crate) fn ours(world: &World, grant: &GrantTruth) -> Option<Name> {
    let name = grant.name.as_deref().and_then(|name| Name::parse(name).ok());
    name.filter(|_| !world.foreign.contains(&grant.grant_id))
}

/// I2: no grant of ours outlives its deadline while KMS can be reached.
fn none_lives_too_long(world: &World) {
    let now = world.net.clock.now();
    let calm = world.net.weather.get() == Weather::Calm && world.up_since.get().is_some();
    if !calm {
        return;
    }
    let good_since = world.calm_since.get().max(world.up_since.get().unwrap());
    let lag = i64::from(world.propagation);
    for grant in world.net.story.borrow().core.grants_alive(now) {
        let Some(name) = ours(world, &grant) else { continue };
        let from = name.deadline().0.max(grant.created_at_ms + lag).max(good_since);
        let over = now - from;
        assert!(
            over <= BOUND,
            "seed {}: {:?} lives {over} ms too long at {}",
            world.seed,
            grant,
            Time(now)
        );
    }
}

/// I3: what is not ours stays as it was.
fn foreign_grants_are_untouched(world: &World) {
    let story = world.net.story.borrow();
    for id in &world.foreign {
        let grant = story.core.grant(id).unwrap();
        assert!(grant.ended_at_ms.is_none(), "seed {}: a foreign grant was ended", world.seed);
    }
}

/// Every lease, page by page. `None` while the daemon is down.
async fn leases(world: &World) -> Option<Vec<Lease>> {
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let ledger = world.ledger.borrow().clone()?;
        let list = ListLeases { all: true, after: after.take(), ..ListLeases::default() };
        let now = Time(world.net.clock.now());
        let page = ledger.run(Urgency::Read, move |books| books.leases(&list, None, now));
        let page = page.await.unwrap();
        all.extend(page.items);
        after = page.next;
        if after.is_none() {
            return Some(all);
        }
    }
}

/// I1, I4, I5: the books and the truth agree.
pub(crate) async fn books_agree(world: &World) {
    let Some(leases) = leases(world).await else { return };
    let known = |reference: &str| leases.iter().find(|lease| lease.reference.as_str() == reference);
    let now = world.net.clock.now();
    for grant in world.net.story.borrow().core.grants_alive(now) {
        let Some(name) = ours(world, &grant) else { continue };
        let lease = known(name.reference().as_str());
        let lease = lease
            .unwrap_or_else(|| panic!("seed {}: a grant without a row: {grant:?}", world.seed));
        assert!(
            lease.closed_at.is_none(),
            "seed {}: closed while it lives: {grant:?}\n{lease:#?}",
            world.seed
        );
    }
    for stray in world.net.strays.borrow().iter() {
        let name = Name::parse(stray.body["Name"].as_str().unwrap()).unwrap();
        let lease = known(name.reference().as_str()).unwrap();
        assert!(lease.closed_at.is_none(), "seed {}: closed before {name} arrived", world.seed);
    }
    for reference in world.promised.borrow().iter() {
        assert!(known(reference.as_str()).is_some(), "seed {}: {reference} is lost", world.seed);
    }
}

/// The whole history, page by page.
async fn history(world: &World) -> Vec<HistoryRow> {
    let ledger = world.ledger.borrow().clone().unwrap();
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
async fn nothing_frozen_was_made(world: &World) {
    let mut standing: Vec<Standing> = Vec::new();
    let mut born = BTreeMap::new();
    for row in history(world).await {
        let body = &row.body;
        match row.kind.as_str() {
            "frozen" => {
                let scope = serde_json::from_value(body["scope"].clone()).unwrap();
                standing.push((body["id"].as_i64().unwrap(), scope));
            }
            "unfrozen" => standing.retain(|(id, _)| body["id"] != *id),
            "requested" if body["origin"] == "asked" => {
                born.insert(row.reference.clone(), body.clone());
                not_under(world, &standing, &row, body);
            }
            // Sooner is no more access, and no freeze keeps it back.
            "extension-requested" => {
                let mut asked = born[&row.reference].clone();
                asked["asker"] = body["asker"].clone();
                not_under(world, &standing, &row, &asked);
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

/// When everything is over: all is closed, and the chain verifies.
pub(crate) async fn at_the_end(world: &World) {
    books_agree(world).await;
    nothing_frozen_was_made(world).await;
    for lease in leases(world).await.unwrap() {
        assert!(lease.closed_at.is_some(), "seed {}: still open: {lease:#?}", world.seed);
        let early = lease.grants.iter().any(|grant| {
            grant.why == Some(Why::Deadline)
                && grant.accepted_at.is_some_and(|at| at < grant.deadline)
        });
        assert!(!early, "seed {}: ended early: {lease:#?}", world.seed);
    }
    for lease in leases(world).await.unwrap() {
        not_extended_too_often(world, &lease);
    }
    nothing_ends_before_its_successor(world);
    let now = world.net.clock.now();
    for grant in world.net.story.borrow().core.grants_alive(now) {
        assert!(ours(world, &grant).is_none(), "seed {}: alive at the end: {grant:?}", world.seed);
    }
    let ledger = world.ledger.borrow().clone().unwrap();
    let walk = ledger.run(Urgency::Read, |books| {
        let mut head = grantd::ledger::Head::default();
        loop {
            let walk = books.verify_slice(head, 1_000)?;
            if walk.broken.is_some() || walk.rows == 0 {
                return Ok((walk.broken, head));
            }
            head = walk.head;
        }
    });
    let (broken, head) = walk.await.unwrap();
    assert!(broken.is_none(), "seed {}: the chain breaks: {broken:?}", world.seed);
    world.net.trace.borrow_mut().push(head.hex());
}

/// How long it takes until all is closed: the longest lease, and twice the settle time for what
/// vanished.
pub(crate) const WIND_DOWN: i64 = 20 * MINUTE + 2 * 11 * MINUTE + 10 * MINUTE;
