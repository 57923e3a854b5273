//! What others do to our grants, and in our name.

use grantd::rng::Rng as _;
use grantd::rules::time::{HOUR, MINUTE, SECOND, Time};
use kms_sandbox::Op;
use serde_json::json;

use crate::clock::pause;
use crate::stage::{Stage, late, play};

/// Grants in grantd's name on `key`, all with this deadline.
fn forge(stage: &Stage, key: &str, role: &str, n: usize, deadline: Time) {
    let mut story = stage.net.story.borrow_mut();
    let (own, now) = (story.grantd.arn.clone(), stage.net.clock.now());
    for _ in 0..n {
        let reference = grantd::ids::Ref::of_bits(stage.net.rng.next_u64());
        let entry = json!({
            "KeyId": key, "GranteePrincipal": format!("arn:aws:iam::111122223333:role/{role}"),
            "Operations": ["Decrypt"], "RetiringPrincipal": own,
            "Name": format!("grantd/sim/{reference}/1/{deadline}"),
        });
        story.core.plant(&entry, 1, now).unwrap();
    }
}

/// Whoever may create grants on a key can make thousands in grantd's name, all due at once. Our
/// leases leave at their deadlines, and what a dead host left on another key ends in its turn.
#[test]
fn three_thousand_forged_grants_delay_neither_ours_nor_a_dead_hosts_ten() {
    play(|| async {
        let stage = Stage::new(0);
        let other = stage.second_key();
        let due = Time(stage.net.clock.now() + 20 * MINUTE + 7 * SECOND).floor_second();
        stage
            .live(async |daemon| {
                pause(MINUTE).await;
                for _ in 0..10 {
                    daemon.create_until(&stage.key, due).await.unwrap();
                }
                forge(&stage, &stage.key, "RoleA", 3_000, due.plus(-10 * SECOND));
                forge(&stage, &other, "RoleB", 10, due);
                pause(due.0 + 10 * SECOND - stage.net.clock.now()).await;
                let status = daemon.status().await;
                assert!(status.found > 0 && status.strays > 0, "{status:?}");
                assert_eq!(status.health, 2, "{status:?}");
                pause(10 * MINUTE).await;
            })
            .await;
        let (mut ours, mut left, mut forged) = (Vec::new(), Vec::new(), Vec::new());
        for entry in stage.accepted(Op::RetireGrant) {
            let name = entry.name.clone().unwrap();
            if name.ends_with(&due.plus(-10 * SECOND).to_string()) {
                forged.push(entry.at_ms);
            } else if name.ends_with(&due.to_string()) {
                let of_other = entry.key_arn.as_ref() == Some(&other);
                if of_other { &mut left } else { &mut ours }.push(late(&entry, due));
            }
        }
        assert_eq!((ours.len(), left.len(), forged.len()), (10, 10, 3_000));
        assert!(ours.iter().all(|late| (0..SECOND / 2).contains(late)), "{ours:?}");
        assert!(left.iter().all(|late| (0..5 * SECOND).contains(late)), "{left:?}");
        // And they take half of the pace, once they are alone.
        let lasted = forged.last().unwrap() - forged[0];
        assert!(lasted < 3_000 * SECOND / 11, "{lasted}");
    });
}

/// A grantee that was deleted shows as a unique id, and so does one that was just made: one look is
/// not enough. It is told of once, over restarts too, and is no look-alike.
#[test]
fn a_grantee_that_is_gone_is_told_of_once() {
    play(|| async {
        let stage = Stage::new(0);
        stage
            .live(async |daemon| {
                daemon.create(&stage.key, "1h").await.unwrap();
                pause(10 * MINUTE).await;
                {
                    let mut story = stage.net.story.borrow_mut();
                    let grantee = story.role_b.arn.clone();
                    assert!(story.core.recreate_principal(&grantee));
                }
                pause(4 * MINUTE).await;
                assert_eq!(daemon.history("grantee-gone").await.len(), 0, "once is not enough");
                pause(10 * MINUTE).await;
                let status = daemon.status().await;
                assert_eq!((status.grantees_gone, status.unproven), (1, 0), "{status:?}");
                assert_eq!(daemon.history("grantee-gone").await.len(), 1);
            })
            .await;
        stage
            .live(async |daemon| {
                pause(15 * MINUTE).await;
                assert_eq!(daemon.status().await.grantees_gone, 1);
                assert_eq!(daemon.history("grantee-gone").await.len(), 1);
                pause(HOUR).await;
                assert_eq!(daemon.status().await.grantees_gone, 0, "it has ended");
                assert_eq!(stage.alive(), 0);
            })
            .await;
    });
}

/// A policy that was made narrower ends nothing: what it would not give any more is told of, once,
/// and ends at its deadline.
#[test]
fn a_lease_that_no_policy_would_give_today_is_told_of_and_lives_to_its_deadline() {
    play(|| async {
        let stage = Stage::new(0);
        let lease = stage
            .live(async |daemon| {
                let lease = daemon.create(&stage.key, "1h").await.unwrap();
                pause(10 * MINUTE).await;
                assert_eq!(daemon.status().await.refused_today, 0);
                lease
            })
            .await;
        let stage = stage.config("max-ttl = \"1h\"", "max-ttl = \"30m\"");
        stage
            .live(async |daemon| {
                pause(10 * MINUTE).await;
                let status = daemon.status().await;
                assert_eq!((status.refused_today, status.unproven), (1, 0), "{status:?}");
                let told = daemon.history("refused-today").await;
                assert_eq!(told.len(), 1);
                assert!(told[0].body["why"].as_str().unwrap().contains("above the maximum of 30m"));
                assert_eq!(daemon.lease(&lease).await.state, "active");
                pause(HOUR).await;
                assert_eq!(daemon.status().await.refused_today, 0);
                assert_eq!(daemon.history("refused-today").await.len(), 1, "once");
            })
            .await;
        let ends = stage.accepted(kms_sandbox::Op::RetireGrant);
        assert!(late(ends.last().unwrap(), lease.deadline) >= 0, "not early");
        assert_eq!(stage.alive(), 0);
    });
}
