//! A disk that fails, and power that does: nothing acknowledged is lost, and no end waits.

use std::sync::Arc;

use grantd::ids::{AccountId, GrantId, KeyArn, Principal, Ref, Region};
use grantd::ledger::{Handle, LaneFacts, Ledger, NewLease, Note, Urgency};
use grantd::rng::Rng as _;
use grantd::rules::life::{EndOrder, Event, Origin, Outcome};
use grantd::rules::time::{HOUR, MINUTE, Now, SECOND, Time};
use grantd::terms::{Constraints, GrantRequest, Operation};
use grantd::wire::Asker;
use kms_sandbox::Op;

use crate::clock::{START, SimRng, pause};
use crate::disk::{Disk, Ill};
use crate::stage::{Stage, late, play};
use crate::world::scratch;

const ILLS: [Ill; 4] = [Ill::Syncs, Ill::Writes, Ill::Full, Ill::Crammed];

/// Also after the daemon was started anew on such a disk.
#[test]
fn a_disk_that_fails_delays_no_end() {
    for (ill, restart) in ILLS.into_iter().flat_map(|ill| [(ill, false), (ill, true)]) {
        play(|| async {
            let stage = Stage::new(0);
            let disk = Disk::make(stage.dir.path());
            let key = stage.key.clone();
            let lease = stage
                .live(async |daemon| {
                    let lease = daemon.create(&key, "50m").await.unwrap();
                    pause(MINUTE).await;
                    disk.set(Some(ill));
                    if restart {
                        disk.crash(None);
                    }
                    lease
                })
                .await;
            stage
                .live(async |daemon| {
                    pause(lease.deadline.0 - stage.net.clock.now() + 5 * SECOND).await;
                    let end = stage.accepted(Op::RetireGrant).pop().unwrap();
                    let after = late(&end, lease.deadline);
                    assert!((0..2 * SECOND).contains(&after), "{ill:?}: {after} ms late");
                    disk.set(None);
                    pause(HOUR).await;
                    let closed = daemon.lease(&lease).await.closed_at;
                    assert!(closed.is_some(), "{ill:?}: its row is open");
                })
                .await;
        });
    }
}

/// Hundreds of records that wait for the disk try it a few times a second between them, and are all
/// written as soon as it takes one.
#[test]
fn what_waits_for_the_disk_tries_it_in_turn() {
    play(|| async {
        let stage = Stage::new(0);
        let disk = Disk::make(stage.dir.path());
        let until = Time(START + HOUR);
        stage
            .live(async |daemon| {
                let mut leases = Vec::new();
                for _ in 0..200 {
                    leases.push(daemon.create_until(&stage.key, until).await.unwrap());
                }
                pause(until.0 - SECOND - stage.net.clock.now()).await;
                disk.set(Some(Ill::Writes));
                pause(MINUTE).await;
                let (before, ended) = (disk.failed(), stage.accepted(Op::RetireGrant).len());
                assert!(ended > leases.len(), "{ended} ended, a probe among them");
                pause(2 * MINUTE).await;
                let tries = disk.failed() - before;
                // The first once a second, the others once in half a minute.
                assert!((120..2_000).contains(&tries), "{tries} tries in two minutes");
                disk.set(None);
                pause(10 * SECOND).await;
                for lease in &leases {
                    let grant = daemon.lease(lease).await.grants.pop().unwrap();
                    assert!(grant.accepted_at.is_some(), "its end is not recorded yet: {grant:?}");
                }
            })
            .await;
    });
}

/// Linux marks pages whose write failed as clean: the next sync succeeds without them. What was
/// acknowledged behind them must not depend on them.
#[test]
fn what_is_acknowledged_after_a_failed_sync_survives_a_power_cut() {
    for chance in 0..10 {
        play(|| async move {
            let stage = Stage::new(0);
            let disk = Disk::make(stage.dir.path());
            let key = stage.key.clone();
            let leases = stage
                .live(async |daemon| {
                    disk.directory_is_synced();
                    let before = daemon.create(&key, "50m").await.unwrap();
                    disk.set(Some(Ill::Syncs));
                    daemon.create(&key, "51m").await.unwrap_err();
                    disk.set(None);
                    pause(5 * SECOND).await;
                    let after = daemon.create(&key, "52m").await.unwrap();
                    disk.crash(Some(&SimRng::new(chance)));
                    [before, after]
                })
                .await;
            stage
                .live(async |daemon| {
                    for lease in &leases {
                        assert_eq!(daemon.lease(lease).await.deadline, lease.deadline);
                    }
                })
                .await;
        });
    }
}

fn facts() -> LaneFacts {
    let role = || Principal::parse("arn:aws:iam::111122223333:role/grantd").unwrap();
    LaneFacts {
        account: AccountId::parse("111122223333").unwrap(),
        region: Region::parse("ap-northeast-1").unwrap(),
        role_arn: Some(role()),
        external_id: None,
        endpoint: None,
        retiring_principal: role(),
        ways: grantd::kms::Ways::default(),
    }
}

fn at(ms: i64) -> Now {
    Now { latest: Time(START + ms), least: Time(START + ms) }
}

/// Leases are recorded and granted until the power fails; those that were acknowledged.
async fn record(ledger: Ledger, rng: &SimRng, acknowledged: &mut Vec<Ref>) {
    let handle = Handle::inline(ledger);
    let Ok(lane) = handle.run(Urgency::Work, |books| books.lane(&facts())).await else { return };
    for _ in 0..100 {
        let (reference, deadline) = (Ref::random(rng), Time(START + HOUR));
        let principal = || Principal::parse("arn:aws:iam::111122223333:role/RoleB").unwrap();
        let new = NewLease {
            lane: Arc::clone(&lane),
            origin: Origin::Asked,
            key: "alias/app".to_owned(),
            request: GrantRequest {
                key_arn: KeyArn::parse("arn:aws:kms:ap-northeast-1:111122223333:key/k").unwrap(),
                grantee: principal(),
                operations: vec![Operation::Decrypt],
                retiring_principal: lane.retiring_principal.clone(),
                constraints: Constraints::None,
                name: format!("grantd/sim/{reference}/1/{deadline}"),
            },
            policy: Some("readers".to_owned()),
            reason: Some("x".repeat(usize::try_from(rng.up_to(2_000)).unwrap())),
            asker: Some(Asker { uid: 1, name: "u1".to_owned() }),
            idempotency: None,
            held: false,
            aliases: Vec::new(),
            started_at: Time(START),
            deadline,
            latest: deadline,
            lead_ms: 0,
            max_live: None,
            settle: 11 * MINUTE,
            order: EndOrder::Retire,
            reference: reference.clone(),
        };
        let Ok((row, _)) = handle.begin(new, at(0)).await else { return };
        acknowledged.push(reference);
        let id = GrantId::parse(format!("{:064x}", rng.next_u64())).unwrap();
        let created = Event::Created(Outcome::Done(id));
        let note = Note { actor: "kms".to_owned(), detail: None, request_id: None };
        let grant = row.id();
        let step = move |books: &mut Ledger| books.step(grant, &created, at(1), &note);
        if handle.run(Urgency::Work, step).await.is_err() {
            return;
        }
    }
}

/// All that was acknowledged is there, and the history fits.
fn verify(ledger: &Ledger, acknowledged: &[Ref], cut: u64) {
    for reference in acknowledged {
        let found = ledger.lease(reference.as_str());
        assert!(found.is_ok(), "cut {cut}: {reference} is lost: {found:?}");
    }
    let mut after = None;
    loop {
        let walk = ledger.verify_slice(after, 1_000).unwrap();
        assert_eq!(walk.broken, None, "cut {cut}");
        after = Some(walk.head);
        if walk.done {
            return;
        }
    }
}

/// `GRANTD_POWER_CUTS` power cuts (two thousand by default), each at any operation of the disk,
/// also within a recovery: the unsynced is lost, reordered and torn.
#[test]
fn nothing_acknowledged_is_lost_by_a_power_cut() {
    /// So many on one ledger, which grows.
    const EACH: u64 = 50;
    let cuts = std::env::var("GRANTD_POWER_CUTS").map_or(2_000, |n| n.parse().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let dir = scratch();
    for first in (0..cuts).step_by(usize::try_from(EACH).unwrap()) {
        let disk = Disk::make(dir.path());
        let mut acknowledged = Vec::new();
        for cut in first..cuts.min(first + EACH) {
            let rng = SimRng::new(cut);
            disk.cut_in(u32::try_from(rng.between(1, 120)).unwrap());
            if let Ok((ledger, opened)) = Ledger::open(dir.path()) {
                assert_eq!(opened.broken, None, "cut {cut}");
                disk.directory_is_synced();
                let recorded = record(ledger, &rng, &mut acknowledged);
                runtime.block_on(recorded);
            }
            disk.crash(Some(&rng));
            // Twice of three times the next life may fail before all of it was read.
            if rng.chance(333) {
                let (ledger, opened) = Ledger::open(dir.path()).unwrap();
                assert_eq!(opened.broken, None, "cut {cut}");
                disk.directory_is_synced();
                verify(&ledger, &acknowledged, cut);
                disk.crash(None);
            }
        }
        let (ledger, _) = Ledger::open(dir.path()).unwrap();
        verify(&ledger, &acknowledged, first);
    }
}
