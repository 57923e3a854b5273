//! What AWS leaves open, under each answer: a lease still ends on time, its row closes, and nothing
//! lives in the end. The answers are the sandbox's switches (`crates/sandbox/SWITCHES.md`).

use grantd::rules::time::{MINUTE, SECOND};
use kms_sandbox::{EndUnseen, ListUnknown, Op, RepeatAfterEnd, Settings};
use serde_json::json;

use crate::clock::pause;
use crate::stage::{Stage, late, play};

type Throw = fn(&mut Settings);

/// Every answer that is not the sandbox's default, and endpoints that contradict each other.
const ANSWERS: &[(&str, Throw)] = &[
    ("operations_order_matters", |s| s.unconfirmed.operations_order_matters = false),
    ("twins_before_propagation", |s| s.unconfirmed.twins_before_propagation = true),
    ("repeat_after_end", |s| {
        s.unconfirmed.repeat_after_end = RepeatAfterEnd::DeadUntilPropagated;
    }),
    ("repeat_after_end for ever", |s| {
        s.unconfirmed.repeat_after_end = RepeatAfterEnd::DeadForEver;
    }),
    ("end_unseen denied", |s| s.unconfirmed.end_unseen = EndUnseen::AccessDenied),
    ("end_unseen accepted", |s| s.unconfirmed.end_unseen = EndUnseen::Accepted),
    ("end_again_accepted", |s| s.unconfirmed.end_again_accepted = true),
    ("spent_token_is_invalid", |s| s.unconfirmed.spent_token_is_invalid = false),
    ("token_outlives_its_grant", |s| s.unconfirmed.token_outlives_its_grant = false),
    ("issuer_needs_the_token", |s| s.unconfirmed.issuer_needs_the_token = true),
    ("gone_grant_id_is_invalid", |s| s.unconfirmed.gone_grant_id_is_invalid = true),
    ("foreign_grant_id_is_invalid", |s| s.unconfirmed.foreign_grant_id_is_invalid = true),
    ("list_unknown not found", |s| s.unconfirmed.list_unknown_grant_id = ListUnknown::NotFound),
    ("list_unknown invalid", |s| {
        s.unconfirmed.list_unknown_grant_id = ListUnknown::InvalidGrantId;
    }),
    ("retire_takes_bare_key_id", |s| s.unconfirmed.retire_takes_bare_key_id = true),
    ("marker_dies_with_its_grant", |s| s.unconfirmed.marker_dies_with_its_grant = false),
    ("filter_matches_decayed", |s| s.unconfirmed.filter_matches_decayed = true),
    ("unset_name_is_empty", |s| s.unconfirmed.unset_name_is_empty = false),
    ("whole_second_dates", |s| s.unconfirmed.whole_second_dates = true),
    ("hot_key_per_second", |s| s.unconfirmed.hot_key_per_second = Some(1)),
    ("lagging endpoints", |s| s.endpoint_lags_ms = vec![0, 20_000, 60_000]),
];

/// One lease that lives to its deadline, and one that somebody else revokes half way.
fn two_leases(what: &'static str, throw: Throw) {
    play(|| async move {
        let stage = Stage::new(2_000);
        throw(stage.net.story.borrow_mut().core.settings_mut());
        stage
            .live(async |daemon| {
                // Each endpoint has seen the key and its alias by then.
                pause(MINUTE + SECOND).await;
                let lease = daemon.create(&stage.key, "15m").await.unwrap();
                let other = daemon.create(&stage.key, "16m").await.unwrap();
                pause(5 * MINUTE).await;
                {
                    let mut story = stage.net.story.borrow_mut();
                    let (caller, now) = (story.revoker.caller.clone(), stage.net.clock.now());
                    let id = other.grants[0].grant_id.clone();
                    let body = json!({ "KeyId": stage.key, "GrantId": id });
                    story.core.call(&caller, Op::RevokeGrant, &body, now).unwrap();
                }
                pause(60 * MINUTE).await;
                assert_eq!(stage.alive(), 0, "{what}: something lives");
                let id = lease.grants[0].grant_id.as_ref().map(ToString::to_string);
                let ends = stage.accepted(Op::RetireGrant);
                let end = ends.iter().find(|entry| entry.grant_id == id).expect(what);
                let after = late(end, lease.deadline);
                assert!((0..3 * SECOND).contains(&after), "{what}: {after} ms late");
                for lease in [&lease, &other] {
                    let closed = daemon.lease(lease).await.closed_at;
                    assert!(closed.is_some(), "{what}: a row is open");
                }
            })
            .await;
    });
}

#[test]
fn a_lease_ends_and_closes_under_every_answer() {
    for (what, throw) in ANSWERS {
        two_leases(what, *throw);
    }
}
