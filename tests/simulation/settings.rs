//! What a line of the configuration does.

use grantd::fault::Kind;
use grantd::rules::time::{MINUTE, SECOND};
use kms_sandbox::Op;

use crate::clock::pause;
use crate::stage::{Stage, play};
use crate::world::scratch;

/// Five hosts share ten creates a second: this one sends two.
#[test]
fn hosts_divide_the_pace() {
    play(|| async {
        let stage = Stage::new(0).config("regions", "hosts = 5\nregions");
        stage
            .live(async |daemon| {
                for _ in 0..7 {
                    daemon.create(&stage.key, "10min").await.unwrap();
                }
            })
            .await;
        let sent: Vec<i64> = stage.accepted(Op::CreateGrant).iter().map(|e| e.at_ms).collect();
        assert_eq!(sent.len(), 8, "seven and a probe");
        // The journal knows arrivals: each may have been up to 0.2 s on its way.
        for three in sent.windows(3) {
            assert!(three[2] - three[0] >= SECOND - SECOND / 5, "three in a second: {sent:?}");
        }
        assert!(sent[7] - sent[0] < 10 * SECOND, "no slower than that: {sent:?}");
    });
}

/// What another host of the group made is found within `reconcile`.
#[test]
fn names_are_searched_for_as_often_as_the_file_says() {
    play(|| async {
        let stage = Stage::new(0)
            .config("group = \"sim\"", "group = \"sim\"\n[daemon]\nreconcile = \"5s\"");
        let other = scratch();
        stage
            .live_on(other.path(), async |standing_by| {
                pause(MINUTE).await;
                let made = stage
                    .live(async |daemon| daemon.create(&stage.key, "10min").await.unwrap())
                    .await;
                pause(6 * SECOND).await;
                assert_eq!(standing_by.lease(&made).await.deadline, made.deadline);
            })
            .await;
    });
}

/// A group that was renamed: what lives under the old name is found, and ended at its deadline.
#[test]
fn grants_under_a_former_group_are_ended_on_time() {
    play(|| async {
        let mut stage = Stage::new(0);
        let made =
            stage.live(async |daemon| daemon.create(&stage.key, "10min").await.unwrap()).await;
        for (to, ended) in [("\"new\"", 0), ("\"new\"\nformer-groups = [\"sim\"]", 1)] {
            let from = if ended == 0 { "\"sim\"" } else { "\"new\"" };
            stage = stage.config(&format!("group = {from}"), &format!("group = {to}"));
            let empty = scratch();
            let before = stage.accepted(Op::RetireGrant).len();
            stage
                .live_on(empty.path(), async |_| {
                    let left = made.deadline.0 - stage.net.clock.now();
                    pause(if ended == 0 { MINUTE } else { left + MINUTE }).await;
                })
                .await;
            assert_eq!(stage.accepted(Op::RetireGrant).len() - before, ended, "{to}");
        }
        let last = stage.accepted(Op::RetireGrant).last().unwrap().at_ms - made.deadline.0;
        assert!((0..3 * SECOND).contains(&last), "{last} ms late");
    });
}

/// The policy's own leases count, and an end that KMS accepted makes room.
#[test]
fn no_more_live_than_the_policy_lets() {
    play(|| async {
        let stage = Stage::new(0)
            .config("max-live = 10000", "max-live = 3")
            .config("max-live-per-asker = 10000", "max-live-per-asker = 2");
        let key = stage.key.clone();
        stage
            .live(async |daemon| {
                let first = daemon.create(&key, "10min").await.unwrap();
                daemon.create(&key, "10min").await.unwrap();
                let fault = daemon.create(&key, "10min").await.unwrap_err();
                assert_eq!(fault.kind, Kind::TooManyLive);
                assert!(fault.text.contains("`max-live-per-asker`"), "{fault}");
                daemon.create_as(2, &key, "10min").await.unwrap();
                let fault = daemon.create_as(3, &key, "10min").await.unwrap_err();
                assert_eq!(fault.kind, Kind::TooManyLive);
                assert!(fault.text.contains("3 live leases"), "{fault}");
                assert_eq!(stage.accepted(Op::CreateGrant).len(), 4, "three and a probe");
                daemon.revoke(1, &first).await.unwrap();
                daemon.create(&key, "10min").await.unwrap();
            })
            .await;
    });
}
