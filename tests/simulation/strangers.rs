//! What others do to our grants, and in our name.

use grantd::rules::time::{HOUR, MINUTE};

use crate::clock::pause;
use crate::stage::{Stage, late, play};

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
