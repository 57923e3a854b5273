//! Outcomes of an end, and of the looks after it, that nobody knows: the row finds its way to
//! closed, under both answers of each switch of the sandbox that it meets.

use kms_sandbox::{Act, EndUnseen, Op, Propagation, Unconfirmed, When};
use testbed::{Config, Sandbox, now_ms, until};

use crate::GRANTD;
use crate::lease::{Lease, instant};
use crate::unknown::World;

/// One or some calls that end a grant are met by `act`.
#[track_caller]
fn an_end_that_meets(when: When, act: Act, times: u32, more: impl FnOnce(&mut Unconfirmed)) {
    let world = World::with("4s", |settings| more(&mut settings.unconfirmed));
    let lease = Lease::of(&world.ask("3s"), 201);
    world.rule(Op::RetireGrant, when, act, Some(times));
    let closed = world.closes(&lease);
    assert!(["retired", "gone"].contains(&closed["grants"][0]["how"].as_str().unwrap()));
    world.ended_in_time(&lease, 1..=1);
    assert!(world.grants(&lease)[0].1.unwrap() >= lease.deadline_ms, "not before its deadline");
}

#[test]
fn an_end_whose_answer_is_lost_is_sent_again_whatever_the_second_one_is_told() {
    std::thread::scope(|scope| {
        for (again, invalid) in [(false, false), (false, true), (true, false), (true, true)] {
            scope.spawn(move || {
                an_end_that_meets(When::After, Act::Drop, 1, |switches| {
                    switches.end_again_accepted = again;
                    switches.spent_token_is_invalid = invalid;
                });
            });
        }
    });
}

#[test]
fn an_end_that_fails_after_its_effect_is_believed_when_it_is_seen() {
    an_end_that_meets(When::After, Act::Fail, 2, |_| {});
}

#[test]
fn an_end_that_fails_before_its_effect_is_sent_again() {
    an_end_that_meets(When::Before, Act::Fail, 2, |_| {});
}

#[test]
fn an_end_that_is_lost_and_delivered_late_does_no_harm() {
    an_end_that_meets(When::Before, Act::Late(2_000), 1, |_| {});
}

#[test]
fn an_end_that_is_delivered_twice_does_no_harm() {
    an_end_that_meets(When::Before, Act::Echo(1_000), 1, |_| {});
}

#[test]
fn an_end_that_is_throttled_is_sent_again() {
    an_end_that_meets(When::Before, Act::Throttle, 2, |_| {});
}

#[test]
fn a_revoke_whose_answers_are_lost_says_that_grantd_keeps_trying() {
    let world = World::new("4s");
    let lease = Lease::of(&world.ask("10min"), 201);
    world.rule(Op::RetireGrant, When::Before, Act::Drop, None);
    let ran = world.host.grantd(&["revoke", &lease.reference]);
    assert_eq!(ran.code, Some(75), "{ran:?}");
    assert!(ran.stderr.contains("grantd keeps trying"), "{ran:?}");
    world.sandbox.handle().clear();
    until("it is ended", || world.sandbox.living().is_empty().then_some(()));
    let closed = world.closes(&Lease { deadline_ms: now_ms(), ..lease });
    assert_eq!(closed["grants"][0]["how"], "retired", "{closed}");
}

/// A grant that the views do not show yet cannot be ended by id; after a restart there is no token.
#[track_caller]
fn an_end_before_propagation(unseen: EndUnseen) {
    let sandbox = Sandbox::start();
    let host = sandbox.host(GRANTD, &Config { settle: "12s", ..Config::default() });
    let daemon = host.ready();
    Lease::make(&host, &sandbox, "1s").ends_on_time(&sandbox);
    sandbox.handle().with(|core| {
        core.settings_mut().propagation = Propagation::fixed(6_000);
        core.settings_mut().unconfirmed.end_unseen = unseen;
    });
    let lease = Lease::make(&host, &sandbox, "2s");
    daemon.kill();
    let daemon = host.ready();
    let world = World { sandbox, host, _daemon: daemon };
    let closed = world.closes(&lease);
    assert_eq!(closed["grants"][0]["how"], "retired", "{closed}");
    let (made, ended) = world.grants(&lease)[0];
    let after = ended.unwrap() - made;
    assert!((6_000..16_000).contains(&after), "ended {after} ms after it was made");
}

#[test]
fn not_found_before_propagation_is_not_believed() {
    an_end_before_propagation(EndUnseen::NotFound);
}

#[test]
fn denied_before_propagation_is_no_last_word() {
    an_end_before_propagation(EndUnseen::AccessDenied);
}

/// The looks after an end are met by `act`: the row waits for one that is answered.
#[track_caller]
fn looks_that_meet(when: When, act: Act) {
    let world = World::new("3s");
    let lease = Lease::of(&world.ask("2s"), 201);
    world.rule(Op::ListGrants, when, act, Some(3));
    let closed = world.closes(&lease);
    assert_eq!(closed["grants"][0]["how"], "retired", "{closed}");
    world.ended_in_time(&lease, 1..=1);
}

#[test]
fn looks_without_an_answer_close_nothing() {
    std::thread::scope(|scope| {
        for (when, act) in [
            (When::After, Act::Drop),
            (When::Before, Act::Fail),
            (When::Before, Act::Throttle),
            (When::Before, Act::Deny),
        ] {
            scope.spawn(move || looks_that_meet(when, act));
        }
    });
}

/// The grants of a key that is deleted go with it. KMS says so only by not knowing the key.
#[test]
fn the_rows_of_a_deleted_key_are_closed_as_gone() {
    const DAY_MS: i64 = 86_400_000;
    let world = World::new("3s");
    let leases: Vec<Lease> = (0..7).map(|_| Lease::of(&world.ask("12s"), 201)).collect();
    let (story, handle) = (&world.sandbox.story, world.sandbox.handle());
    // Scheduled eight days ago, to be deleted after seven.
    let body = serde_json::json!({ "KeyId": story.key_id, "PendingWindowInDays": 7 });
    let (admin, then) = (&story.admin.caller, now_ms() - 8 * DAY_MS);
    handle.with(|core| core.call(admin, Op::ScheduleKeyDeletion, &body, then)).unwrap();
    for lease in &leases {
        let closed = world.closes(lease);
        assert_eq!(closed["grants"][0]["how"], "gone", "{closed}");
    }
    let status = world.host.get("/v1/status").body;
    assert!(status["lanes"][0]["frozen"].is_null(), "seven at once are no riddle: {status}");
    let history = world.host.grantd(&["history", &leases[0].reference]).ok().stdout;
    assert!(history.contains("the key itself is gone: NotFoundException"), "{history}");
    let closed = leases[0].now(&world.host);
    let apart = instant(&closed["closed-at"]) - leases[0].deadline_ms;
    assert!(apart >= 3_000, "two looks settle apart, not {apart} ms");
}
