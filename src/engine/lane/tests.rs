use super::*;
use crate::ids::{AccountId, Principal, Region};
use crate::rng::OsRng;

type Said = (Option<Class>, Sent);

const PLAIN: Sent = Sent { young: false, way: Way::Only };
const DENIED: Said = (Some(Class::Denied), PLAIN);
const LOST: Said = (Some(Class::Unavailable), PLAIN);
const YES: Said = (None, PLAIN);

/// A try on a lane with a revoke role.
fn by(way: Way, class: Option<Class>) -> Said {
    (class, Sent { young: false, way })
}

fn lane() -> LaneState {
    let lane = Lane {
        id: 1,
        account: AccountId::parse("111122223333").unwrap(),
        region: Region::parse("eu-west-1").unwrap(),
        role_arn: None,
        external_id: None,
        endpoint: None,
        retiring_principal: Principal::parse("arn:aws:iam::111122223333:role/grantd").unwrap(),
        ways: crate::kms::Ways::default(),
    };
    LaneState::new(Arc::new(lane), Rates::default())
}

fn with_revoke_role() -> LaneState {
    let mut state = lane();
    let mut lane = Lane::clone(&state.lane);
    lane.ways.revoke_role = Some(lane.retiring_principal.clone());
    state.lane = Arc::new(lane);
    state
}

fn key() -> KeyArn {
    KeyArn::parse("arn:aws:kms:eu-west-1:111122223333:key/a").unwrap()
}

fn hear(lane: &mut LaneState, said: Said, ms: i64) -> Vec<Notice> {
    lane.heard((Op::End, Some(&key())), said, Some("words"), (Time(ms), Time(ms)), &OsRng)
}

#[test]
fn one_try_at_a_time_and_a_try_that_never_came_back_frees_the_lane() {
    let mut lane = lane();
    hear(&mut lane, LOST, 0);
    let until = lane.shut(Op::End, Time(0)).unwrap();
    assert_eq!(lane.shut(Op::End, until), None);
    lane.trying(None, Op::End, until);
    assert!(lane.shut(Op::End, until.plus(SECOND)).is_some());
    assert_eq!(lane.shut(Op::End, until.plus(PATIENCE)), None);
}

#[test]
fn the_alarm_comes_once_after_ten_seconds_and_is_taken_back() {
    let mut lane = lane();
    assert_eq!(hear(&mut lane, LOST, 0), []);
    assert_eq!(hear(&mut lane, LOST, 9_999), []);
    assert!(matches!(hear(&mut lane, LOST, 10_000)[..], [Notice::Alarm { tries: 3, .. }]));
    assert_eq!(hear(&mut lane, LOST, 60_000), []);
    assert!(matches!(hear(&mut lane, YES, 61_000)[..], [Notice::Over { lasted: 61_000, .. }]));
    assert_eq!(lane.stall, None);
}

#[test]
fn where_nothing_was_sent_nothing_was_answered() {
    let mut lane = lane();
    let unsent = crate::rules::life::Outcome::<()>::Refused(Class::Unavailable).class();
    hear(&mut lane, (unsent, PLAIN), 5);
    assert_eq!((lane.answered_at, lane.answer.as_deref()), (None, None));
    assert!(lane.shut(Op::End, Time(5)).is_some());
    hear(&mut lane, YES, 1_000);
    hear(&mut lane, (unsent, PLAIN), 2_000);
    assert_eq!(lane.answered_at, Some(Time(1_000)));
}

#[test]
fn a_denied_key_waits_and_the_lane_does_not() {
    let mut lane = lane();
    hear(&mut lane, DENIED, 0);
    assert_eq!(lane.shut(Op::End, Time(0)), None);
    assert!(lane.key_shut(&key(), Op::End, Time(0)).is_some());
    assert_eq!(lane.key_shut(&key(), Op::End, Time(4_001)), None);
}

#[test]
fn an_outage_while_a_key_is_tried_does_not_hold_the_key() {
    let mut lane = lane();
    hear(&mut lane, DENIED, 0);
    lane.trying(Some(&key()), Op::End, Time(5_000));
    hear(&mut lane, LOST, 15_000);
    hear(&mut lane, YES, 16_000);
    assert_eq!(
        (lane.shut(Op::End, Time(16_000)), lane.key_shut(&key(), Op::End, Time(16_000))),
        (None, None)
    );
}

#[test]
fn a_throttled_end_slows_ends_alone() {
    let mut lane = lane();
    hear(&mut lane, (Some(Class::Throttled), PLAIN), 0);
    assert!(lane.pace(Op::End).slowed() && !lane.pace(Op::Create).slowed());
    assert_eq!(
        (lane.shut(Op::End, Time(0)), lane.key_shut(&key(), Op::End, Time(0))),
        (None, None)
    );
}

#[test]
fn a_grant_too_young_to_be_seen_stalls_nothing() {
    let mut lane = lane();
    hear(&mut lane, (Some(Class::Denied), Sent { young: true, way: Way::Only }), 0);
    assert!(lane.keys.is_empty() && lane.stall.is_none());
}

#[test]
fn what_is_refused_to_one_operation_holds_no_other() {
    let mut lane = lane();
    for op in [Op::Create, Op::List] {
        lane.heard((op, Some(&key())), DENIED, None, (Time(0), Time(0)), &OsRng);
        assert_eq!(lane.key_shut(&key(), Op::End, Time(0)), None);
    }
    assert!(lane.key_shut(&key(), Op::List, Time(0)).is_some());
    assert_eq!(lane.key_shut(&key(), Op::Create, Time(0)), None, "its asker has the answer");
    hear(&mut lane, YES, 1);
    assert!(lane.key_shut(&key(), Op::List, Time(1)).is_some(), "an end proves no listing");
}

#[test]
fn dead_credentials_of_the_lane_hold_no_end_where_a_revoke_role_has_others() {
    let dead = (Some(Class::Credentials), PLAIN);
    let mut without = lane();
    hear(&mut without, dead, 0);
    assert!(without.shut(Op::End, Time(0)).is_some());
    let mut lane = with_revoke_role();
    hear(&mut lane, by(Way::First, Some(Class::Credentials)), 0);
    assert_eq!(lane.shut(Op::End, Time(0)), None);
    assert!(lane.shut(Op::List, Time(0)).is_some(), "looks have no other credentials");
    lane.trying(Some(&key()), Op::End, Time(250));
    assert_eq!(lane.shut(Op::List, Time(250)), None, "an end is not the lane's one try");
    // What the revoke role can do does not bring the lane's own back: the alarm comes.
    assert_eq!(hear(&mut lane, by(Way::Second, None), 5_000), []);
    let told = hear(&mut lane, by(Way::First, Some(Class::Credentials)), 10_000);
    assert!(matches!(told[..], [Notice::Alarm { class: Class::Credentials, .. }]), "{told:?}");
    // An outage is no matter of credentials.
    hear(&mut lane, LOST, 11_000);
    assert!(lane.shut(Op::End, Time(11_000)).is_some());
    assert!(matches!(hear(&mut lane, by(Way::Second, None), 12_000)[..], [Notice::Over { .. }]));
}

#[test]
fn a_key_that_denies_both_ways_is_tried_less_and_less_and_alarms() {
    let mut lane = with_revoke_role();
    let (mut now, mut rounds, mut told) = (Time(0), 0, Vec::new());
    while now < Time(300_000) {
        lane.trying(Some(&key()), Op::End, now);
        told.extend(hear(&mut lane, by(Way::First, Some(Class::Denied)), now.0));
        let other = lane.key_shut(&key(), Op::End, now);
        assert!(rounds == 0 || other.is_some(), "another row comes between the two halves");
        assert_eq!(lane.second_shut(&key(), now), None, "the second half waits");
        told.extend(hear(&mut lane, by(Way::Second, Some(Class::Denied)), now.0));
        rounds += 1;
        now = lane.key_shut(&key(), Op::End, now).unwrap();
    }
    assert!(rounds < 100, "{rounds} rounds in five minutes");
    assert!(matches!(told[..], [Notice::Alarm { class: Class::Denied, .. }]), "{told:?}");
    assert!(matches!(hear(&mut lane, by(Way::Second, None), now.0)[..], [Notice::Over { .. }]));
    assert!(lane.keys.is_empty());
}

#[test]
fn a_young_grant_s_denial_ends_no_stall_of_its_key() {
    let mut lane = lane();
    hear(&mut lane, DENIED, 0);
    let young = (Some(Class::Denied), Sent { young: true, way: Way::Only });
    hear(&mut lane, young, 5_000);
    assert!(matches!(hear(&mut lane, DENIED, 10_000)[..], [Notice::Alarm { tries: 2, .. }]));
}

#[test]
fn what_vanished_keeps_the_lane_frozen_whoever_we_are() {
    let vanished = || Frozen::Vanished("6 of 6".to_owned());
    let other = || Frozen::Identity { why: "another".to_owned(), since: Time(0) };
    let mut lane = lane();
    assert_eq!(
        [other(), other(), vanished(), other()].map(|why| lane.freeze(why)),
        [true, false, true, false]
    );
    assert_eq!(lane.frozen, Some(vanished()));
}
