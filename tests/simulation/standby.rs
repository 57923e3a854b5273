//! A second host of the group, in some seeds: nobody asks it for anything, it knows nothing of the
//! first, and ends what that leaves.

use std::rc::Rc;
use std::sync::Arc;

use grantd::config::RECONCILE;
use grantd::engine::{Engine, Ports, Refusals};
use grantd::ledger::{Handle, Ledger};
use grantd::rules::time::{MINUTE, SECOND};
use tokio::sync::mpsc;
use tokio::task::LocalSet;

use crate::check::{BOUND, all_closed, our_grants, owed, the_chain_verifies};
use crate::clock::{SimClock, SimRng};
use crate::disk::Disk;
use crate::kms::SimKms;
use crate::world::World;

/// Whether this seed has one.
fn has_one(seed: u64) -> bool {
    seed % 5 == 3
}

/// Its life: longer than the day, with clocks and a disk of its own, which are well.
pub(crate) async fn stand_by(world: &World) {
    if !has_one(world.seed) {
        return std::future::pending().await;
    }
    let dir = world.dir.path().join("other");
    let disk = Disk::make(&dir);
    let (ledger, _) = Ledger::open(&dir).unwrap();
    disk.directory_is_synced();
    let ledger = Handle::inline(ledger);
    *world.other.borrow_mut() = Some(ledger.clone());
    let net = Rc::clone(&world.net);
    let kms = Rc::new(SimKms { net, ledger: ledger.clone(), first: false });
    let (clock, rng) = (SimClock::ticking(30 * SECOND), SimRng::new(world.seed.rotate_left(7)));
    let ports = Ports { kms, clock, rng, ledger, refusals: Refusals::default() };
    let config = Arc::new(world.configured("1h").unwrap());
    let (asks, commands) = mpsc::channel(1);
    let life = async {
        let engine = Engine::new(ports, Some(config), None).await.unwrap();
        engine.run(commands, |_| {}, std::future::pending()).await;
    };
    LocalSet::new().run_until(life).await;
    drop(asks);
}

/// Whatever the first host did, nothing lived on for more than what the other needs to find it; and
/// the other's own books are closed.
pub(crate) async fn nothing_was_left(world: &World) {
    let Some(ledger) = world.other.borrow().clone() else { return };
    let found = RECONCILE + MINUTE + BOUND + i64::from(world.propagation);
    let now = world.net.clock.now();
    for (name, grant) in our_grants(world) {
        let over = world.kms_good(owed(world, &name, &grant), grant.ended_at_ms.unwrap_or(now));
        assert!(over <= found, "seed {}: {grant:?} was left for {over} ms", world.seed);
    }
    all_closed(world, &ledger).await;
    the_chain_verifies(world, &ledger).await;
}
