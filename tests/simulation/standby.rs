//! A second host of the group, in some seeds: nobody asks it for anything, it knows nothing of the
//! first, and ends what that leaves.

use std::rc::Rc;
use std::sync::Arc;

use grantd::engine::{Engine, Ports, Refusals};
use grantd::ledger::{Handle, Ledger};
use grantd::rules::time::{HOUR, MINUTE, SECOND};
use grantd::wire::Lease;
use kms_sandbox::GrantTruth;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::LocalSet;

use crate::check::{BOUND, all_closed, our_grants, owed, the_chain_verifies};
use crate::clock::{SimClock, SimRng, pause};
use crate::host;
use crate::kms::SimKms;
use crate::stage::{Stage, play};
use crate::world::{World, scratch};

/// Whether this seed has one.
fn has_one(seed: u64) -> bool {
    // Beside every kind of day and of disk.
    seed / 8 % 10 == 3
}

/// Its life: longer than the day, with clocks and a disk of its own, which are well.
pub(crate) async fn stand_by(world: &World) {
    if !has_one(world.seed) {
        return std::future::pending().await;
    }
    let dir = world.dir.path().join("other");
    let disk = host::disk(&dir, world.seed);
    let (ledger, _) = Ledger::open(&dir).unwrap();
    disk.directory_is_synced();
    let ledger = Handle::inline(ledger);
    *world.other.borrow_mut() = Some(ledger.clone());
    let net = Rc::clone(&world.net);
    let kms = Rc::new(SimKms { net, ledger: ledger.clone(), first: false });
    let (clock, rng) = (SimClock::ticking(2 * MINUTE), SimRng::new(world.seed.rotate_left(7)));
    let ports = Ports { kms, clock, rng, ledger, refusals: Refusals::default() };
    let config = Arc::new(world.configured("1h"));
    let (asks, commands) = mpsc::channel(1);
    let life = async {
        let engine = Engine::new(ports, Some(config), None).await.unwrap();
        engine.run(commands, |_| {}, std::future::pending()).await;
    };
    LocalSet::new().run_until(life).await;
    drop(asks);
}

/// Whatever the first host did, nothing lived on for more than what the other needs to find it; and
/// the other's own books, which it answers, are closed.
pub(crate) async fn nothing_was_left(world: &World) -> Vec<Lease> {
    let Some(ledger) = world.other.borrow().clone() else { return Vec::new() };
    let found = world.reconcile + MINUTE + BOUND + i64::from(world.propagation);
    let now = world.net.clock.now();
    for (name, grant) in our_grants(world) {
        let over = world.kms_good(owed(world, &name, &grant), grant.ended_at_ms.unwrap_or(now));
        assert!(over <= found, "seed {}: {grant:?} was left for {over} ms", world.seed);
    }
    the_chain_verifies(world, &ledger).await;
    all_closed(world, &ledger).await
}

/// A create that was sent twice made two grants, and another host found both, first the one that
/// the maker does not know: the maker ends that at once, and the other host neither before its
/// deadline.
#[test]
fn of_two_grants_under_one_name_two_hosts_leave_one() {
    play(|| async {
        let stage = Stage::new(0);
        let other = scratch();
        let lease = stage
            .live(async |maker| {
                let lease = maker.create(&stage.key, "1h").await.unwrap();
                let ours = truth_of(&stage, &lease).remove(0);
                let entry = json!({
                    "KeyId": stage.key, "GranteePrincipal": ours.grantee, "Name": ours.name,
                    "Operations": ours.operations, "RetiringPrincipal": ours.retiring_principal,
                });
                let now = stage.net.clock.now();
                stage.net.story.borrow_mut().core.plant(&entry, 1, now).unwrap();
                let both = stage.live_on(other.path(), async |_| {
                    pause(2 * HOUR).await;
                    lease
                });
                both.await
            })
            .await;
        let ended = truth_of(&stage, &lease).into_iter().map(|grant| grant.ended_at_ms.unwrap());
        let ended: Vec<i64> = ended.collect();
        let (first, last) = (ended.iter().min().unwrap(), ended.iter().max().unwrap());
        assert!(*first < lease.deadline.0 - HOUR / 2, "the twin is ended soon");
        let late = last - lease.deadline.0;
        assert!((0..2 * SECOND).contains(&late), "access ended {late} ms after the deadline");
    });
}

/// Every grant of the lease that ever was.
fn truth_of(stage: &Stage, lease: &Lease) -> Vec<GrantTruth> {
    let all = stage.net.story.borrow().core.grants().into_iter();
    let named = |grant: &GrantTruth| {
        grant.name.as_deref().is_some_and(|name| name.contains(lease.reference.as_str()))
    };
    all.filter(named).collect()
}
