//! What is not as it was: told once, over restarts too, and nothing is ended for it.

use grantd::fault::Kind;
use grantd::rules::time::{HOUR, MINUTE, SECOND};
use grantd::wire::Lease;
use kms_sandbox::{KeyState, Op};
use serde_json::json;

use crate::clock::pause;
use crate::stage::{Stage, play};

/// Somebody else ends one of ours. It shows in a search, and in a look by its id; its end at the
/// deadline is sent all the same.
#[test]
fn what_somebody_else_ended_is_told_of_before_its_deadline() {
    play(|| async {
        let stage = Stage::new(0);
        let leases: Vec<Lease> = stage
            .live(async |daemon| {
                let mut leases = Vec::new();
                for _ in 0..3 {
                    leases.push(daemon.create(&stage.key, "1h").await.unwrap());
                }
                pause(20 * MINUTE).await;
                assert_eq!(daemon.status().await.missing, 0);
                let id = leases[1].grants[0].grant_id.clone().unwrap();
                {
                    let mut story = stage.net.story.borrow_mut();
                    let (caller, now) = (story.revoker.caller.clone(), stage.net.clock.now());
                    let body = json!({ "KeyId": stage.key, "GrantId": id });
                    story.core.call(&caller, Op::RevokeGrant, &body, now).unwrap();
                }
                pause(6 * MINUTE).await;
                let status = daemon.status().await;
                assert_eq!((status.missing, status.health), (1, 1), "{:?}", status.alarms);
                leases
            })
            .await;
        stage
            .live(async |daemon| {
                pause(15 * MINUTE).await;
                assert_eq!(daemon.status().await.missing, 1);
                let told = daemon.history("missing").await;
                assert_eq!(told.len(), 1, "{told:#?}");
                assert_eq!(told[0].reference.as_ref(), Some(&leases[1].reference));
                assert_eq!(daemon.lease(&leases[1]).await.state, "active", "it is not given up");
                pause(2 * HOUR).await;
                let status = daemon.status().await;
                assert_eq!((status.missing, status.health), (0, 0), "{:?}", status.alarms);
                for lease in &leases {
                    assert_eq!(daemon.lease(lease).await.state, "closed");
                }
            })
            .await;
    });
}

/// A listing that shows what was minutes ago lacks nothing: a grant is missing only once it must
/// have shown.
#[test]
fn what_is_too_young_to_show_is_not_missing() {
    play(|| async {
        let stage = Stage::new(240_000);
        stage
            .live(async |daemon| {
                pause(MINUTE).await;
                daemon.create(&stage.key, "1h").await.unwrap();
                for _ in 0..30 {
                    pause(MINUTE).await;
                    assert_eq!(daemon.status().await.missing, 0);
                }
                assert!(daemon.history("missing").await.is_empty());
            })
            .await;
    });
}

#[test]
fn a_key_that_is_disabled_or_to_be_deleted_is_told_of_and_its_leases_end_on_time() {
    play(|| async {
        let stage = Stage::new(0);
        let lease = stage
            .live(async |daemon| {
                let lease = daemon.create(&stage.key, "1h").await.unwrap();
                pause(20 * MINUTE).await;
                let set = |state| {
                    assert!(stage.net.story.borrow_mut().core.set_key_state(&stage.key, state));
                };
                set(KeyState::Disabled);
                pause(6 * MINUTE).await;
                let status = daemon.status().await;
                assert_eq!(status.keys_off[0].state, "Disabled");
                assert!(status.alarms[0].contains("is Disabled since"), "{:?}", status.alarms);
                set(KeyState::Enabled);
                pause(6 * MINUTE).await;
                assert_eq!(daemon.status().await.health, 0);
                set(KeyState::PendingDeletion);
                pause(6 * MINUTE).await;
                assert_eq!(daemon.status().await.keys_off[0].state, "PendingDeletion");
                lease
            })
            .await;
        stage
            .live(async |daemon| {
                pause(HOUR).await;
                assert_eq!(daemon.history("key-unusable").await.len(), 2, "each once");
                assert_eq!(daemon.history("key-usable-again").await.len(), 1);
                let ours = daemon.lease(&lease).await.grants[0].accepted_at.unwrap();
                assert!((0..SECOND).contains(&ours.since(lease.deadline)), "on time");
                assert_eq!(daemon.status().await.keys_off, [], "nothing lives there any more");
            })
            .await;
    });
}

/// Whoever may move aliases is not to decide on which keys grantd lends.
#[test]
fn an_alias_that_was_moved_names_no_key_until_it_is_accepted() {
    play(|| async {
        let stage = Stage::new(0);
        let second = stage.second_key();
        let alias = stage.net.story.borrow().alias.to_owned();
        stage
            .live(async |daemon| {
                let lease = daemon.create(&alias, "1h").await.unwrap();
                assert_eq!(lease.key_arn.as_str(), stage.key);
                {
                    let mut story = stage.net.story.borrow_mut();
                    let (admin, now) = (story.admin.caller.clone(), stage.net.clock.now());
                    for old in [&alias, "alias/second"] {
                        let body = json!({ "AliasName": old });
                        story.core.call(&admin, Op::DeleteAlias, &body, now).unwrap();
                    }
                    let body = json!({ "AliasName": alias, "TargetKeyId": second });
                    story.core.call(&admin, Op::CreateAlias, &body, now).unwrap();
                }
                let fault = daemon.create(&alias, "1h").await.unwrap_err();
                assert_eq!(fault.kind, Kind::AliasMoved, "{fault}");
                let fault = daemon.create(&second, "1h").await.unwrap_err();
                assert_eq!(fault.kind, Kind::NoPolicy, "nor by the key's own ARN: {fault}");
                pause(6 * MINUTE).await;
            })
            .await;
        stage
            .live(async |daemon| {
                pause(MINUTE).await;
                let status = daemon.status().await;
                let moved = &status.moved_aliases[0];
                assert_eq!((moved.was.as_str(), moved.is.as_str()), (&*stage.key, &*second));
                assert_eq!(daemon.history("alias-moved").await.len(), 1, "told once");
                assert!(daemon.create(&alias, "1h").await.is_err());
                assert_eq!(daemon.accept_alias(&alias).await.unwrap().len(), 1);
                let lease = daemon.create(&alias, "1h").await.unwrap();
                assert_eq!(lease.key_arn.as_str(), second);
                assert_eq!(daemon.accept_alias(&alias).await.unwrap_err().kind, Kind::HoldUnknown);
                pause(2 * HOUR).await;
                assert_eq!(stage.alive(), 0, "and what lived under the old one has ended");
            })
            .await;
    });
}
