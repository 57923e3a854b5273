//! Who may do what to whose lease.

use grantd::fault::Kind;

use crate::stage::{Stage, play};

const ACCESS: &str = "group = \"sim\"\n[access]\nadmin = [\"user:7\"]";

#[test]
fn the_owner_root_and_an_administrator_end_a_lease_and_nobody_else() {
    play(|| async {
        let stage = Stage::new(0).config("group = \"sim\"", ACCESS);
        let key = stage.key.clone();
        stage
            .live(async |daemon| {
                for (uid, may) in [(1, true), (0, true), (7, true), (2, false)] {
                    let lease = daemon.create(&key, "10min").await.unwrap();
                    let ended = daemon.revoke(uid, &lease).await;
                    assert_eq!(ended.is_ok(), may, "{uid}: {ended:?}");
                    if let Err(fault) = ended {
                        assert_eq!(fault.kind, Kind::NotYours);
                        assert_eq!(daemon.lease(&lease).await.state, "active");
                    }
                }
            })
            .await;
    });
}

#[test]
fn root_and_an_administrator_freeze_and_lift_and_nobody_else() {
    play(|| async {
        let stage = Stage::new(0).config("group = \"sim\"", ACCESS);
        stage
            .live(async |daemon| {
                for (uid, may) in [(0, true), (7, true), (1, false)] {
                    let frozen = daemon.freeze_as(uid).await;
                    assert_eq!(frozen.is_ok(), may, "{uid}: {frozen:?}");
                    match frozen {
                        Ok(freeze) => {
                            assert_eq!(freeze.by.uid, uid);
                            let other = daemon.lift(1, freeze.id).await.unwrap_err();
                            assert_eq!(other.kind, Kind::NotYours);
                            daemon.lift(uid, freeze.id).await.unwrap();
                        }
                        Err(fault) => assert_eq!(fault.kind, Kind::NotYours),
                    }
                }
            })
            .await;
    });
}

/// Root is no administrator: what a policy does not give him, he does not get.
#[test]
fn an_administrator_gets_no_more_than_the_policies_give() {
    play(|| async {
        let stage = Stage::new(0).config("group = \"sim\"", ACCESS);
        let key = stage.key.clone();
        stage
            .live(async |daemon| {
                for uid in [0, 7] {
                    let fault = daemon.create_as(uid, &key, "10min").await.unwrap_err();
                    assert_eq!(fault.kind, Kind::NoPolicy, "{uid}");
                }
            })
            .await;
    });
}

/// `own = "policy"`: user 2 may ask, and so ends what user 1 asked for; a stranger does not.
#[test]
fn a_policy_may_share_its_leases_among_its_callers() {
    play(|| async {
        let stage = Stage::new(0).config("max-ttl", "own = \"policy\"\nmax-ttl");
        let key = stage.key.clone();
        stage
            .live(async |daemon| {
                let lease = daemon.create(&key, "10min").await.unwrap();
                let fault = daemon.revoke(9, &lease).await.unwrap_err();
                assert_eq!(fault.kind, Kind::NotYours);
                assert_eq!(daemon.revoke(2, &lease).await.unwrap().state, "ended");
            })
            .await;
    });
}
