use serde_json::json;

use super::*;
use crate::{Story, StoryOptions};

const T0: i64 = 1_795_000_000_000;

fn world() -> (Handle, Caller, Value) {
    let story = Story::new(StoryOptions::default(), T0);
    let body = json!({
        "KeyId": story.key_arn, "GranteePrincipal": story.role_b.arn,
        "Operations": ["Decrypt"], "Name": "n",
    });
    (Handle::new(story.core, Arc::new(|| T0)), story.grantd.caller, body)
}

fn alive(handle: &Handle) -> usize {
    handle.with(|core| core.count_alive(T0))
}

#[tokio::test]
async fn a_held_call_waits_on_its_side_of_the_effect() {
    for (when, kept) in [(When::Before, 0), (When::After, 1)] {
        let (handle, caller, body) = world();
        let hold = handle.hold(Match::op(Op::CreateGrant), when);
        let (answer, ()) = tokio::join!(handle.call(&caller, Op::CreateGrant, &body), async {
            handle.wait_held(hold, 1).await;
            assert_eq!(handle.held()[0].op, Op::CreateGrant);
            assert_eq!(alive(&handle), kept);
            assert!(handle.release(hold));
        });
        assert!(answer.is_ok());
        assert_eq!(alive(&handle), 1);
        assert!(handle.held().is_empty() && handle.faults().is_empty());
    }
}

#[tokio::test]
async fn a_discarded_call_has_no_answer() {
    for (when, left) in [(When::Before, 0), (When::After, 1)] {
        let (handle, caller, body) = world();
        let hold = handle.hold(Match::op(Op::CreateGrant), when);
        let (answer, ()) = tokio::join!(handle.call(&caller, Op::CreateGrant, &body), async {
            handle.wait_held(hold, 1).await;
            handle.discard(hold);
        });
        assert_eq!(answer.unwrap_err(), Failure::Dropped);
        assert_eq!(alive(&handle), left);
    }
}

#[tokio::test]
async fn failures_come_before_or_after_the_effect() {
    let table = [
        (When::Before, Act::Throttle, "ThrottlingException", 0),
        (When::Before, Act::Deny, "AccessDeniedException", 0),
        (When::Before, Act::Fail, "KMSInternalException", 0),
        (When::After, Act::Fail, "KMSInternalException", 1),
    ];
    for (when, act, code, left) in table {
        let (handle, caller, body) = world();
        handle.inject(Fault::new(Match::default(), when, act).times(1));
        let Err(Failure::Refused(error)) = handle.call(&caller, Op::CreateGrant, &body).await
        else {
            panic!("{code} was asked for");
        };
        assert_eq!((error.code.as_str(), alive(&handle)), (code, left));
        assert!(handle.call(&caller, Op::CreateGrant, &body).await.is_ok());
    }
}

#[tokio::test]
async fn a_late_request_takes_effect_when_it_arrives() {
    let (handle, caller, body) = world();
    handle.inject(Fault::new(Match::default(), When::Before, Act::Late(5_000)).times(1));
    let lost = handle.call(&caller, Op::CreateGrant, &body).await;
    assert_eq!((lost.unwrap_err(), alive(&handle), handle.late()), (Failure::Dropped, 0, 1));
    handle.set_offset(4_999);
    assert_eq!(alive(&handle), 0);
    handle.set_offset(9_000);
    assert_eq!((alive(&handle), handle.late()), (1, 0));
    let at = handle.with(|core| core.journal().iter().last().map(|entry| entry.at_ms));
    assert_eq!(at, Some(T0 + 5_000));
}

#[tokio::test]
async fn an_echo_takes_effect_twice() {
    let (handle, caller, mut body) = world();
    body["Name"] = Value::Null;
    handle.inject(Fault::new(Match::default(), When::Before, Act::Echo(1_000)).times(1));
    handle.call(&caller, Op::CreateGrant, &body).await.unwrap();
    assert_eq!(alive(&handle), 1);
    handle.set_offset(1_000);
    assert_eq!(alive(&handle), 2);
}
