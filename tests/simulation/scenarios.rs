//! Directed scenes: one promise each.

use grantd::fault::Kind;
use grantd::ledger::{Handle, Ledger, Urgency};
use grantd::rules::life::Class;
use grantd::rules::time::{HOUR, MINUTE, SECOND, Time};
use kms_sandbox::Op;
use tokio::task::LocalSet;

use crate::clock::pause;
use crate::kms::Weather;
use crate::stage::{Stage, late, play};

/// Promise 2: the k-th end due in one second leaves within 0.5 s + k / rate.
#[test]
fn two_hundred_ends_of_one_second_leave_within_the_pace() {
    play(|| async {
        let stage = Stage::new(500).config("regions", "rates = { create = 50 }\nregions");
        stage
            .live(async |daemon| {
                let until = Time(stage.net.clock.now() + 2 * MINUTE).floor_second();
                for _ in 0..200 {
                    daemon.create_until(&stage.key, until).await.unwrap();
                }
                pause(3 * MINUTE).await;
                let ends = stage.accepted(Op::RetireGrant);
                let ends = &ends[1..]; // the probe's comes first
                assert_eq!(ends.len(), 200);
                for (k, end) in ends.iter().enumerate() {
                    // 24 a second, of which 4 are kept for what a person asks to end now.
                    let bound = SECOND / 2 + i64::try_from(k).unwrap() * SECOND / 20;
                    let after = late(end, until);
                    assert!((0..=bound).contains(&after), "the {k}th came after {after} ms");
                }
            })
            .await;
    });
}

/// Who waits: a key that refuses us does not hold up the others, and is tried by one row.
#[test]
fn a_key_that_denies_the_end_waits_alone_and_is_told_once() {
    play(|| async {
        let stage = Stage::new(0)
            .config("group = \"sim\"", "group = \"sim\"\n[daemon]\nsettle = \"11min\"");
        let second = stage.second_key();
        stage
            .live(async |daemon| {
                // Old enough to be settled when they are due.
                let mut bad = Vec::new();
                for _ in 0..10 {
                    bad.push(daemon.create(&stage.key, "15m").await.unwrap());
                }
                let good = daemon.create(&second, "15m").await.unwrap();
                stage.net.denied.borrow_mut().insert((Op::RetireGrant, stage.key.clone()));
                pause(15 * MINUTE + 5 * SECOND).await;
                let ended = stage.accepted(Op::RetireGrant);
                assert!(late(ended.last().unwrap(), good.deadline) < SECOND / 2);
                let before = denials(&stage);
                pause(5 * MINUTE).await;
                let tries = denials(&stage) - before;
                assert!((5..=60).contains(&tries), "{tries} tries in five minutes for ten rows");
                assert_eq!(daemon.history("alarm").await.len(), 1);
                let status = daemon.status().await;
                assert_eq!((status.health, status.overdue_count), (2, 10));
                assert_eq!(status.waits[0].class, Class::Denied);
                stage.net.denied.borrow_mut().clear();
                pause(MINUTE + 5 * SECOND).await;
                assert_eq!(stage.alive(), 0, "healed, and not ended within a minute");
                assert_eq!(daemon.history("alarm-over").await.len(), 1);
            })
            .await;
    });
}

fn denials(stage: &Stage) -> usize {
    stage.net.trace.borrow().iter().filter(|line| line.contains("denied RetireGrant")).count()
}

/// Who waits: an outage is one lane's, tried at most every two seconds, and over when it is over.
#[test]
fn an_outage_over_fifty_deadlines_ends_with_all_of_them_ended_at_once() {
    play(|| async {
        let stage = Stage::new(0).config("regions", "rates = { create = 50 }\nregions");
        stage
            .live(async |daemon| {
                for _ in 0..50 {
                    daemon.create(&stage.key, "2m").await.unwrap();
                }
                stage.net.weather.set(Weather::Outage);
                pause(10 * MINUTE).await;
                let status = daemon.status().await;
                assert_eq!((status.health, status.overdue_count), (2, 50));
                stage.net.weather.set(Weather::Calm);
                // What is under way runs into its time-out, the lane is tried again, and then the
                // pace decides.
                pause(10 * SECOND + 2 * SECOND + 50 * SECOND / 20 + SECOND).await;
                assert_eq!(stage.alive(), 0);
                assert_eq!(daemon.status().await.overdue_count, 0);
            })
            .await;
    });
}

/// Without STS nothing is sent: a create is sent as soon as it answers, while its asker waits, and
/// an end within the lane's two seconds.
#[test]
fn what_sts_kept_from_leaving_leaves_when_it_answers() {
    play(|| async {
        let stage = Stage::new(0);
        stage
            .live(async |daemon| {
                daemon.create(&stage.key, "1h").await.unwrap();
                let clear = async |after| {
                    pause(after).await;
                    stage.net.unsent.borrow_mut().clear();
                };
                stage.net.unsent.borrow_mut().insert(Op::CreateGrant);
                let (made, ()) = tokio::join!(daemon.create(&stage.key, "2m"), clear(4 * SECOND));
                let lease = made.unwrap();
                stage.net.unsent.borrow_mut().insert(Op::RetireGrant);
                pause(lease.deadline.0 - stage.net.clock.now()).await;
                clear(30 * SECOND).await;
                pause(3 * SECOND).await;
                let ends = stage.accepted(Op::RetireGrant);
                let after = late(ends.last().unwrap(), lease.deadline);
                assert!((30 * SECOND..33 * SECOND).contains(&after), "after {after} ms");
                assert_eq!(daemon.history("end-not-sent").await.len(), 1);
            })
            .await;
    });
}

/// Given up unsent is a definite no; but not while an earlier send is unanswered.
#[test]
fn a_create_that_sts_never_let_out_is_refused_unless_one_was_sent_before() {
    play(|| async {
        let stage = Stage::new(0);
        stage
            .live(async |daemon| {
                daemon.create(&stage.key, "1h").await.unwrap();
                stage.net.unsent.borrow_mut().insert(Op::CreateGrant);
                let fault = daemon.create(&stage.key, "1h").await.unwrap_err();
                assert_eq!(fault.kind, Kind::KmsSilent);
                assert!(fault.text.contains("no grant was asked for"), "{fault}");
                assert!(fault.text.contains("STS does not answer"), "{fault}");
                assert_eq!(daemon.history("create-not-sent").await.len(), 1);
                stage.net.lose_next.borrow_mut().insert(Op::CreateGrant);
                let fault = daemon.create(&stage.key, "1h").await.unwrap_err();
                assert_eq!(fault.kind, Kind::OutcomeUnknown, "{fault}");
                assert_eq!(daemon.history("create-not-sent").await.len(), 1);
            })
            .await;
    });
}

/// No proof, no lease; and the missing permission is named.
#[test]
fn without_a_way_out_there_is_no_way_in() {
    play(|| async {
        let stage = Stage::new(0);
        stage
            .live(async |daemon| {
                // By id it names the key; a token alone would.
                stage.net.denied.borrow_mut().insert((Op::RetireGrant, stage.key.clone()));
                let fault = daemon.create(&stage.key, "1h").await.unwrap_err();
                assert_eq!(fault.kind, Kind::NoWayOut);
                assert!(fault.text.contains("AccessDeniedException"), "{fault}");
                assert_eq!(stage.accepted(Op::CreateGrant).len(), 1, "only the probe was made");
                stage.net.denied.borrow_mut().clear();
                daemon.create(&stage.key, "1h").await.unwrap();
                assert_eq!(stage.accepted(Op::CreateGrant).len(), 3, "a new probe, and the lease");
                daemon.create(&stage.key, "1h").await.unwrap();
                assert_eq!(stage.accepted(Op::CreateGrant).len(), 4, "proven for a day");
                pause(24 * HOUR + 20 * MINUTE).await;
                assert_eq!(
                    stage.accepted(Op::CreateGrant).len(),
                    4,
                    "no lease lives: no new probe"
                );
            })
            .await;
    });
}

/// Lose the ledger, lose no deadline.
#[test]
fn an_empty_ledger_finds_its_own_grants_and_ends_them_on_time() {
    play(|| async {
        let stage = Stage::new(2_000);
        let lease = stage.live(async |daemon| daemon.create(&stage.key, "5m").await.unwrap()).await;
        let fresh = crate::world::scratch();
        pause(10 * SECOND).await;
        stage
            .live_on(fresh.path(), async |daemon| {
                pause(30 * SECOND).await;
                let found = daemon.lease(&lease).await;
                assert_eq!(found.deadline, lease.deadline);
                pause(5 * MINUTE).await;
                let end = stage.accepted(Op::RetireGrant).pop().unwrap();
                let after = late(&end, lease.deadline);
                assert!((SECOND..SECOND * 3 / 2).contains(&after), "{after} ms");
            })
            .await;
    });
}

/// Closings freeze when the credentials are somebody else's; endings go on.
#[test]
fn a_changed_identity_closes_nothing_until_it_is_the_old_one_again() {
    play(|| async {
        let stage = Stage::new(0);
        stage
            .live(async |daemon| {
                let lease = daemon.create(&stage.key, "20m").await.unwrap();
                pause(10 * MINUTE).await;
                // Not our own role made again: that one is accepted (tests/e2e/credentials.rs).
                *stage.net.stranger.borrow_mut() = Some("AROANEW".to_owned());
                pause(30 * MINUTE).await;
                let seen = daemon.lease(&lease).await;
                assert!(seen.grants[0].accepted_at.is_some(), "the end went out");
                assert_eq!(seen.closed_at, None);
                let status = daemon.status().await;
                let why = status.lanes[0].frozen.clone().unwrap();
                assert!(why.contains("AROANEW"), "{why}");
                *stage.net.stranger.borrow_mut() = None;
                pause(6 * MINUTE).await;
                assert!(daemon.lease(&lease).await.closed_at.is_some());
            })
            .await;
    });
}

/// Too much vanished at once to be believed: the listing may be the liar.
#[test]
fn a_mass_disappearance_is_not_believed() {
    play(|| async {
        let stage = Stage::new(0);
        stage
            .live(async |daemon| {
                let mut leases = Vec::new();
                for _ in 0..12 {
                    leases.push(daemon.create(&stage.key, "20m").await.unwrap());
                }
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
                pause(22 * MINUTE).await;
                // All are due for their second look when the network is back.
                stage.net.weather.set(Weather::Outage);
                pause(15 * MINUTE).await;
                stage.net.weather.set(Weather::Calm);
                pause(20 * MINUTE).await;
                for lease in &leases {
                    assert_eq!(daemon.lease(lease).await.closed_at, None);
                }
                assert_eq!(daemon.history("closings-frozen").await.len(), 1);
                assert_eq!(daemon.status().await.health, 1);
            })
            .await;
    });
}

/// Promise 2 and 3: a step of the wall clock neither ends a lease early nor lets it live on.
#[test]
fn a_stepped_wall_clock_neither_shortens_nor_lengthens_a_lease() {
    for step in [40 * HOUR, -40 * HOUR] {
        play(|| async {
            let stage = Stage::new(0);
            stage
                .live(async |daemon| {
                    let lease = daemon.create(&stage.key, "30m").await.unwrap();
                    pause(MINUTE).await;
                    stage.net.clock.step.set(step);
                    pause(SECOND).await;
                    let fault = daemon.create(&stage.key, "30m").await.unwrap_err();
                    assert_eq!(fault.kind, Kind::ClockDoubt);
                    pause(30 * MINUTE).await;
                    let end = stage.accepted(Op::RetireGrant).pop().unwrap();
                    let after = late(&end, lease.deadline);
                    assert!((0..SECOND).contains(&after), "step {step}: {after} ms");
                })
                .await;
        });
    }
}

/// A ledger that stalls does not stop an end: it goes out within the quarter second, and is
/// recorded later with its true time. In real time, since the ledger has a real thread here.
#[test]
fn a_stalled_disk_does_not_stop_an_end() {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().build().unwrap();
    runtime.block_on(LocalSet::new().run_until(async {
        let stage = Stage::new(0);
        let (ledger, _) = Ledger::open(stage.dir.path()).unwrap();
        let (handle, thread) = Handle::thread(ledger).unwrap();
        let stalled = handle.clone();
        stage
            .live_with(handle, async |daemon| {
                let lease = daemon.create(&stage.key, "3s").await.unwrap();
                let (release, held) = std::sync::mpsc::channel::<()>();
                let stall = stalled.run(Urgency::End, move |_| {
                    held.recv().unwrap();
                    Ok(())
                });
                let script = async {
                    pause(lease.deadline.0 - stage.net.clock.now() + 2 * SECOND).await;
                    let end = stage.accepted(Op::RetireGrant).pop().unwrap();
                    let after = late(&end, lease.deadline);
                    assert!((0..SECOND * 3 / 2).contains(&after), "{after} ms");
                    release.send(()).unwrap();
                };
                let (stall, ()) = tokio::join!(stall, script);
                stall.unwrap();
                let seen = loop {
                    let seen = daemon.lease(&lease).await;
                    if seen.grants[0].accepted_at.is_some() {
                        break seen;
                    }
                    pause(SECOND / 20).await;
                };
                let issued = seen.grants[0].issued_at.unwrap();
                assert!(issued.since(lease.deadline) < SECOND, "not its true time: {issued}");
            })
            .await;
        drop(stalled);
        thread.join().unwrap();
    }));
}

// ---- review1 ----

/// The books are checked after a start; what was changed behind them is told.
#[test]
fn a_history_that_was_changed_is_told_after_the_next_start() {
    play(|| async {
        let stage = Stage::new(0);
        stage
            .live(async |daemon| {
                daemon.create(&stage.key, "1h").await.unwrap();
                pause(10 * SECOND).await;
                assert_eq!(daemon.status().await.alarms, Vec::<String>::new());
            })
            .await;
        let file = rusqlite::Connection::open(stage.dir.path().join("ledger.db")).unwrap();
        // The simulated disk has no memory that processes share.
        file.execute_batch("PRAGMA locking_mode = EXCLUSIVE").unwrap();
        // Whoever can write the file puts the guard back, too.
        let guard = "SELECT sql FROM sqlite_master WHERE name = 'history_kept'";
        let guard: String = file.query_row(guard, [], |row| row.get(0)).unwrap();
        file.execute_batch(&format!(
            "DROP TRIGGER history_kept; UPDATE history SET actor = 'nobody' WHERE seq = 2; {guard}"
        ))
        .unwrap();
        drop(file);
        stage
            .live(async |daemon| {
                pause(10 * SECOND).await;
                let status = daemon.status().await;
                assert_eq!(status.health, 2);
                assert!(status.alarms[0].contains("breaks at row 2"), "{:?}", status.alarms);
            })
            .await;
    });
}
