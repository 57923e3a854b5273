//! Scenes of a hostile reviewer: one thing waits, fails or lies, and the others must not suffer.

use crate::clock::pause;
use crate::stage::{Stage, late, play};
use grantd::ledger::{Handle, Ledger, Urgency};
use grantd::rules::time::{HOUR, MINUTE, SECOND, Time};
use kms_sandbox::Op;
use serde_json::json;
use tokio::task::LocalSet;

/// a denied ListGrants must not hold up RetireGrant, which needs no permission.
#[test]
fn a_denied_look_does_not_delay_ends_of_the_key() {
    play(|| async {
        let stage = Stage::new(0);
        stage
            .live(async |daemon| {
                let mut leases = Vec::new();
                let t0 = stage.net.clock.now();
                for i in 0..20 {
                    let until = Time(t0 + 15 * MINUTE + i * 20 * SECOND).floor_second();
                    leases.push(daemon.create_until(&stage.key, until).await.unwrap());
                }
                pause(MINUTE).await;
                stage.net.denied.borrow_mut().insert((Op::ListGrants, stage.key.clone()));
                pause(30 * MINUTE).await;
                let ends = stage.accepted(Op::RetireGrant);
                let ends = &ends[1..];
                assert_eq!(ends.len(), 20);
                let lates: Vec<i64> =
                    ends.iter().zip(&leases).map(|(e, l)| late(e, l.deadline)).collect();
                assert!(lates.iter().all(|ms| *ms <= 2 * SECOND), "late by {lates:?} ms");
            })
            .await;
    });
}

/// a stream of creates that KMS denies must not hold up the ends of the key.
#[test]
fn denied_creates_do_not_starve_ends() {
    play(|| async {
        let stage = Stage::new(0);
        stage
            .live(async |daemon| {
                let lease = daemon.create(&stage.key, "5m").await.unwrap();
                pause(MINUTE).await;
                stage.net.denied.borrow_mut().insert((Op::CreateGrant, stage.key.clone()));
                for _ in 0..1_200 {
                    assert!(daemon.create(&stage.key, "5m").await.is_err());
                    pause(SECOND / 2).await;
                }
                let ends = stage.accepted(Op::RetireGrant);
                let end = ends.get(1).map(|end| late(end, lease.deadline));
                assert!(end.is_some_and(|ms| ms <= 2 * SECOND), "{end:?}");
            })
            .await;
    });
}

/// one overdue row that waits must not make every other deadline up to a second late.
#[test]
fn a_waiting_row_does_not_blur_the_next_deadline() {
    play(|| async {
        let stage = Stage::new(0);
        let second = stage.second_key();
        stage
            .live(async |daemon| {
                let bad = daemon.create(&stage.key, "15m").await.unwrap();
                let mut good = Vec::new();
                for i in 1..=20 {
                    let until = bad.deadline.plus(i * 7 * SECOND);
                    good.push(daemon.create_until(&second, until).await.unwrap());
                }
                stage.net.denied.borrow_mut().insert((Op::RetireGrant, stage.key.clone()));
                pause(20 * MINUTE).await;
                let ends = stage.accepted(Op::RetireGrant);
                let ends = &ends[2..];
                let lates: Vec<i64> =
                    ends.iter().zip(&good).map(|(e, l)| late(e, l.deadline)).collect();
                assert!(lates.iter().all(|ms| *ms <= SECOND / 2), "late by {lates:?} ms");
            })
            .await;
    });
}

/// grants that somebody else revoked, and that the listing still shows: no hot loop.
#[test]
fn a_lagging_listing_makes_no_hot_loop() {
    play(|| async {
        let stage = Stage::new(240_000);
        stage
            .live(async |daemon| {
                let mut leases = Vec::new();
                for _ in 0..10 {
                    leases.push(daemon.create(&stage.key, "20m").await.unwrap());
                }
                pause(20 * MINUTE - 10 * SECOND).await;
                let now = stage.net.clock.now();
                {
                    let mut story = stage.net.story.borrow_mut();
                    let caller = story.revoker.caller.clone();
                    for lease in &leases {
                        let id = lease.grants[0].grant_id.clone();
                        let body = serde_json::json!({ "KeyId": stage.key, "GrantId": id });
                        story.core.call(&caller, Op::RevokeGrant, &body, now).unwrap();
                    }
                }
                let before = stage.net.trace.borrow().len();
                pause(5 * MINUTE).await;
                let ends = {
                    let trace = stage.net.trace.borrow();
                    trace[before..].iter().filter(|line| line.contains("RetireGrant")).count()
                };
                let rows = daemon.history("still-listed").await.len();
                assert!(ends < 200, "{ends} ends and {rows} still-listed rows in five minutes");
            })
            .await;
    });
}

/// a host whose clock is off by more than 30 s still finds its own grants after a loss.
#[test]
fn a_wrong_host_clock_does_not_stop_the_search() {
    play(|| async {
        let stage = Stage::new(0);
        let lease = stage.live(async |daemon| daemon.create(&stage.key, "5m").await.unwrap()).await;
        let fresh = crate::world::scratch();
        stage.net.clock.step.set(-90 * SECOND);
        stage
            .live_on(fresh.path(), async |_| {
                pause(10 * MINUTE).await;
                let ends = stage.accepted(Op::RetireGrant);
                assert_eq!(ends.len(), 2, "{lease:?} was never ended");
            })
            .await;
    });
}

/// a grant made just before the ledger was lost is not listed yet at the first search.
#[test]
fn a_grant_that_shows_late_is_found_too() {
    play(|| async {
        let stage = Stage::new(60_000);
        let mut n = 0;
        for _ in 0..10 {
            let fresh = crate::world::scratch();
            let made = stage
                .live_on(fresh.path(), async |daemon| daemon.create(&stage.key, "5m").await)
                .await;
            n += usize::from(made.is_ok());
        }
        let fresh = crate::world::scratch();
        stage
            .live_on(fresh.path(), async |_| {
                pause(20 * MINUTE).await;
                assert_eq!(stage.alive(), 0, "of {n} leases");
            })
            .await;
    });
}

/// R6, the control: with the same grants listed, they are found.
#[test]
fn a_grant_that_shows_at_once_is_found() {
    play(|| async {
        let stage = Stage::new(60_000);
        for _ in 0..10 {
            let fresh = crate::world::scratch();
            stage
                .live_on(fresh.path(), async |daemon| daemon.create(&stage.key, "5m").await)
                .await
                .unwrap();
        }
        pause(2 * MINUTE).await;
        let fresh = crate::world::scratch();
        stage
            .live_on(fresh.path(), async |_| {
                pause(20 * MINUTE).await;
                assert_eq!(stage.alive(), 0);
            })
            .await;
    });
}

/// the disk stalls between a create's commit and the record of its answer.
#[test]
fn a_disk_that_stalls_within_a_create_does_not_stop_its_end() {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().build().unwrap();
    runtime.block_on(LocalSet::new().run_until(async {
        let stage = Stage::new(0);
        let (ledger, _) = Ledger::open(stage.dir.path()).unwrap();
        let (handle, thread) = Handle::thread(ledger).unwrap();
        let stalled = handle.clone();
        stage
            .live_with(handle, async |daemon| {
                daemon.create(&stage.key, "1h").await.unwrap();
                let before = stage.accepted(Op::CreateGrant).len();
                let made = daemon.create(&stage.key, "3s");
                let (release, held) = std::sync::mpsc::channel::<()>();
                let script = async {
                    while stage.accepted(Op::CreateGrant).len() == before {
                        pause(1).await;
                    }
                    let stall = stalled.run(Urgency::End, move |_| {
                        held.recv().unwrap();
                        Ok(())
                    });
                    let look = async {
                        let ends = stage.accepted(Op::RetireGrant).len();
                        pause(8 * SECOND).await;
                        let alive = stage.alive();
                        let after = stage.accepted(Op::RetireGrant).len();
                        release.send(()).unwrap();
                        (ends, after, alive)
                    };
                    tokio::join!(stall, look).1
                };
                let (_, (ends, after, alive)) = tokio::join!(made, script);
                assert_eq!((after - ends, alive), (1, 1), "the 3 s lease was not ended in 8 s");
            })
            .await;
        drop(stalled);
        thread.join().unwrap();
    }));
}

/// A listing that breaks off tells of what is there, and nothing of what is not.
#[test]
fn a_listing_that_breaks_off_closes_nothing() {
    play(|| async {
        let stage = Stage::new(0);
        let others = json!({
            "KeyId": stage.key, "GranteePrincipal": "arn:aws:iam::111122223333:role/RoleA",
            "Operations": ["Decrypt"], "Name": "terraform",
        });
        let now = stage.net.clock.now();
        stage.net.story.borrow_mut().core.plant(&others, 250, now).unwrap();
        stage
            .live(async |daemon| {
                daemon.create(&stage.key, "1h").await.unwrap();
                // The answer is lost, and only the key's own listing can tell of the grant.
                let net = &stage.net;
                net.denied.borrow_mut().insert((Op::ListRetirableGrants, String::new()));
                net.one_page.set(true);
                net.mute.borrow_mut().insert(Op::CreateGrant);
                let fault = daemon.create(&stage.key, "50m").await.unwrap_err();
                net.mute.borrow_mut().clear();
                let lease = fault.lease.unwrap().to_string();
                pause(3 * HOUR).await;
                let open = async |reference: String| {
                    let read = move |books: &mut Ledger| books.lease(&reference);
                    daemon.ledger.run(Urgency::Read, read).await.unwrap().closed_at.is_none()
                };
                assert!(open(lease.clone()).await, "closed, and nobody saw that it is gone");
                net.one_page.set(false);
                pause(HOUR).await;
                assert_eq!(stage.alive(), 250);
                assert!(!open(lease).await);
            })
            .await;
    });
}
