//! The host that the daemon lives on: it starts the daemon again, loses its power, and its disk may
//! be ill.

use std::fs::File;
use std::path::Path;
use std::sync::OnceLock;

use grantd::ledger::Ledger;
use grantd::rng::Rng as _;
use grantd::rules::time::SECOND;

use crate::clock::{SimRng, pause};
use crate::disk::{BALLAST, Disk, Image};
use crate::good::Trouble;
use crate::world::{World, scratch};

/// A new host's disk. To make a ledger costs as much as an hour of its life: most are copies of the
/// first.
pub(crate) fn disk(dir: &Path, seed: u64) -> Disk {
    static NEW: OnceLock<Image> = OnceLock::new();
    let disk = Disk::make(dir);
    // Without its four megabytes: whether there is room is the simulated disk's to say.
    let ballast = File::create(dir.join("ballast")).unwrap();
    ballast.set_len(BALLAST.try_into().unwrap()).unwrap();
    if !seed.is_multiple_of(8) {
        disk.restore(NEW.get_or_init(new_ledger).clone());
    }
    disk
}

fn new_ledger() -> Image {
    let dir = scratch();
    let disk = Disk::make(dir.path());
    drop(Ledger::open(dir.path()).unwrap());
    disk.image()
}

/// How the daemon's life ended, and what happens until the next.
#[derive(Debug, Default)]
pub(crate) struct Down {
    /// So many ms pass.
    pub(crate) ms: i64,
    /// The machine starts anew.
    pub(crate) reboot: bool,
    /// The backup of this name is put back.
    pub(crate) restore: Option<i64>,
}

/// The power has failed while `disk` was at work.
pub(crate) async fn dark(disk: &Disk) {
    disk.went_dark.notified().await;
}

/// Open the ledger, as often as it takes: systemd starts the daemon every second. `None` if the
/// power fails meanwhile.
pub(crate) async fn open(world: &World) -> Option<Ledger> {
    let mut failed = false;
    let ledger = loop {
        match Ledger::open(&world.state()) {
            Ok((ledger, opened)) => {
                assert_eq!(opened.broken, None, "seed {}: the ledger is broken", world.seed);
                world.disk.directory_is_synced();
                break Some(ledger);
            }
            Err(_) if world.disk.is_dark() => break None,
            Err(error) => {
                assert!(world.disk.is_ill(), "seed {}: {error:?}", world.seed);
                if !failed {
                    world.net.tell(format!("-- no start: {error}"));
                    world.trouble(Trouble::Host);
                }
                failed = true;
                pause(SECOND).await;
            }
        }
    };
    if failed {
        world.over(Trouble::Host, 0);
    }
    ledger
}

/// The daemon is dead, and perhaps the machine: what its disk did not sync may be lost.
pub(crate) async fn fell(world: &World, down: &Down) {
    let disk = &world.disk;
    let power = down.reboot || disk.is_dark();
    disk.crash(power.then(|| SimRng::new(world.net.rng.next_u64())).as_deref());
    tokio::select! {
        biased;
        () = dark(disk) => {}
        () = std::future::ready(()) => {}
    }
}

/// Put a backup in the ledger's place.
pub(crate) fn put_back(world: &World, name: i64) {
    world.disk.restore(world.backups.borrow()[&name].clone());
    world.restored.set(Some(world.net.clock.now()));
}
