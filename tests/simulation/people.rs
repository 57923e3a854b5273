//! Who may do what to whose lease.

use grantd::engine::Command;
use grantd::fault::{Fault, Kind};
use grantd::rules::time::MINUTE;
use grantd::wire::{ExtendLease, Lease, LeaseExtended};

use crate::clock::pause;
use crate::stage::{Stage, caller, play};

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

/// Under `[access] read = []` a ref of another's lease, its beginning and what is no ref at all are
/// answered alike, whatever is asked; and what is one's own is found, whatever others have.
#[test]
fn who_may_not_read_learns_of_no_lease_of_others() {
    play(|| async {
        let stage = Stage::new(0).config("group = \"sim\"", "group = \"sim\"\n[access]\nread = []");
        let key = stage.key.clone();
        stage
            .live(async |daemon| {
                let theirs = daemon.create(&key, "1h").await.unwrap();
                daemon.create(&key, "1h").await.unwrap();
                let own = daemon.create_as(2, &key, "1h").await.unwrap();
                let whole = theirs.reference.as_str();
                let extension = ExtendLease { ttl: Some("2min".to_owned()), ..Default::default() };
                for typed in [whole, &whole[..13], "g-", "g-000000000000"] {
                    let (reference, request) = (|| typed.to_owned(), extension.clone());
                    let revoked: Result<Lease, Fault> = daemon
                        .ask(|reply| Command::Revoke {
                            caller: caller(3),
                            reference: reference(),
                            reason: None,
                            reply,
                        })
                        .await;
                    let extended: Result<LeaseExtended, Fault> = daemon
                        .ask(|reply| Command::Extend {
                            caller: caller(3),
                            reference: reference(),
                            request,
                            idempotency: None,
                            reply,
                        })
                        .await;
                    let held = daemon
                        .ask(|reply| Command::Hold {
                            caller: caller(3),
                            reference: reference(),
                            reply,
                        })
                        .await;
                    let said = format!("no lease of yours has the ref {typed:?}");
                    for fault in [revoked.unwrap_err(), extended.unwrap_err(), held.unwrap_err()] {
                        assert_eq!((fault.kind, &fault.lease), (Kind::RefUnknown, &None));
                        assert_eq!(fault.text, said);
                    }
                }
                let many = daemon.revoke_many(3, std::slice::from_ref(&theirs.reference)).await;
                assert_eq!(many.unwrap_err().kind, Kind::RefUnknown);
                let mine = |reply| Command::Revoke {
                    caller: caller(2),
                    reference: "g-".to_owned(),
                    reason: None,
                    reply,
                };
                assert_eq!(daemon.ask(mine).await.unwrap().reference, own.reference);
                assert_eq!(daemon.lease(&theirs).await.state, "active");
                // Who tries, stands in the history.
                pause(MINUTE).await;
                let told = daemon.history("refused").await;
                assert!(told.iter().any(|row| row.body.to_string().contains(whole)), "{told:?}");
                // And what others may have, is not told either.
                let fault = daemon.create_as(9, &key, "1h").await.unwrap_err();
                assert_eq!(fault.kind, Kind::NoPolicy);
                assert!(fault.text.ends_with(&format!("RoleB access to {key}")), "{fault}");
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
