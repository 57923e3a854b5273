//! What a person does about many leases at once.

use grantd::fault::Kind;
use grantd::rules::time::{MINUTE, SECOND, Time};
use kms_sandbox::Op;

use crate::clock::pause;
use crate::stage::{Stage, late, play};

/// A freeze that is on the disk wins against a create that has passed the policy already.
#[test]
fn a_freeze_overtakes_a_create_that_waits_for_its_turn() {
    play(|| async {
        let stage = Stage::new(0).config("regions", "rates = { create = 1 }\nregions");
        stage
            .live(async |daemon| {
                let first = daemon.create(&stage.key, "1h").await.unwrap();
                let made = stage.accepted(Op::CreateGrant).len();
                let freeze = async {
                    pause(SECOND / 2).await;
                    daemon.freeze().await
                };
                let (second, freeze) = tokio::join!(daemon.create(&stage.key, "1h"), freeze);
                let fault = second.unwrap_err();
                assert_eq!(fault.kind, Kind::Frozen, "{fault}");
                assert_eq!(stage.accepted(Op::CreateGrant).len(), made);
                let status = daemon.status().await;
                assert_eq!((status.health, status.freezes.as_slice()), (1, &[freeze][..]));
                daemon.revoke(1, &first).await.unwrap();
                assert_eq!(daemon.lease(&first).await.state, "ended");
            })
            .await;
    });
}

/// A freeze keeps no access longer than without it: only the later deadline is refused.
#[test]
fn what_is_frozen_gets_no_longer_and_may_get_shorter() {
    play(|| async {
        let stage = Stage::new(0);
        stage
            .live(async |daemon| {
                let lease = daemon.create(&stage.key, "30min").await.unwrap();
                let made = stage.accepted(Op::CreateGrant).len();
                daemon.freeze().await;
                let fault = daemon.extend(1, &lease, "50min").await.unwrap_err();
                assert_eq!(fault.kind, Kind::Frozen, "{fault}");
                assert!(fault.text.contains(": a test (freeze 1)"), "{fault}");
                assert_eq!(stage.accepted(Op::CreateGrant).len(), made);
                let shorter = daemon.extend(1, &lease, "10min").await.unwrap();
                assert!(shorter.lease.deadline < lease.deadline);
            })
            .await;
    });
}

/// A mass revoke is one commit, waits for nobody's attention, and stands behind what is due.
#[test]
fn a_hundred_that_a_person_ends_hold_up_no_deadline() {
    play(|| async {
        let stage = Stage::new(0).config("regions", "rates = { create = 50 }\nregions");
        stage
            .live(async |daemon| {
                let due = Time(stage.net.clock.now() + 2 * MINUTE).floor_second();
                for _ in 0..30 {
                    daemon.create_until(&stage.key, due).await.unwrap();
                }
                let mut refs = Vec::new();
                for _ in 0..120 {
                    refs.push(daemon.create(&stage.key, "1h").await.unwrap().reference);
                }
                pause(due.0 - SECOND - stage.net.clock.now()).await;
                let other = daemon.revoke_many(2, &refs[..100]).await.unwrap_err();
                assert_eq!(other.kind, Kind::NotYours);
                assert!(other.text.contains("and 96 more. Nothing was ended"), "{other}");
                for part in refs.chunks(100) {
                    let ended = daemon.revoke_many(1, part).await.unwrap();
                    assert!(ended.iter().all(|lease| lease.state != "active"));
                }
                pause(MINUTE).await;
                let ends = &stage.accepted(Op::RetireGrant)[1..];
                assert_eq!(ends.len(), 150);
                let names =
                    |id: &str| stage.net.story.borrow().core.grant(id).unwrap().name.clone();
                let mut lates = Vec::new();
                let mut asked = 0;
                for end in ends {
                    let name = names(end.grant_id.as_deref().unwrap()).unwrap();
                    if name.ends_with(&due.to_string()) {
                        lates.push(late(end, due));
                    } else if end.at_ms < due.0 + 3 * SECOND {
                        asked += 1;
                    }
                }
                assert_eq!(lates.len(), 30);
                for (k, after) in lates.into_iter().enumerate() {
                    // The second before may be full of the others: 12 of 24 are theirs then.
                    let bound = SECOND / 2 + i64::try_from(k).unwrap() * SECOND / 12;
                    assert!((0..=bound).contains(&after), "the {k}th came after {after} ms");
                }
                assert!(asked >= 16, "{asked} left meanwhile: 4 a second are theirs");
            })
            .await;
    });
}
