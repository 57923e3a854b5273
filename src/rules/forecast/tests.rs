use proptest::prelude::*;

use super::*;
use crate::rules::pace::{Pace, Part};

fn at(ms: &[i64]) -> Vec<Time> {
    ms.iter().copied().map(Time).collect()
}

#[test]
fn what_the_pace_lets_through_is_no_burst() {
    assert_eq!(bursts(&[], 5), []);
    assert_eq!(bursts(&at(&[0; 5]), 5), []);
    let each: Vec<i64> = (0..100).map(|i| i * 200).collect();
    assert_eq!(bursts(&at(&each), 5), []);
}

#[test]
fn what_is_above_it_leaves_second_by_second() {
    let burst =
        |from, over, late, latest_ms| Burst { from: Time(from), over: Time(over), late, latest_ms };
    assert_eq!(bursts(&at(&[0; 12]), 5), [burst(0, 2_000, 7, 2_000)]);
    // Two, an hour apart; and one that joins the queue before it is over.
    let hour = 3_600_000;
    let two: Vec<i64> = [vec![0; 6], vec![hour; 11], vec![hour + 500; 1]].concat();
    let told = bursts(&at(&two), 5);
    assert_eq!(told, [burst(0, 1_000, 1, 1_000), burst(hour, hour + 2_000, 7, 2_000)]);
    assert_eq!(bursts(&at(&[0; 3]), 0), [burst(0, 2_000, 2, 2_000)], "no pace is one a second");
}

#[test]
fn one_more_is_late_by_what_is_before_it() {
    let due = Time(10_000);
    for (before, ms) in [(0, 0), (4, 0), (5, 1_000), (9, 1_000), (10, 2_000)] {
        assert_eq!(late(vec![due; before], due, 5), ms, "{before}");
    }
    assert_eq!(late(vec![Time(8_000); 10], due, 5), 0, "the queue is over by then");
    assert_eq!(late(vec![Time(8_000); 15], due, 5), 1_000);
}

#[test]
fn ends_are_counted_by_the_hour_and_later_by_the_day() {
    let now = Time::parse("2026-11-23T10:20:00Z").unwrap();
    let due =
        [10, 70, 80, 90, 60 * 24 * 2, 60 * 24 * 2 + 30, 60 * 24 * 3].map(|m| now.plus(m * 60_000));
    let told: Vec<_> = shares(&due, now)
        .iter()
        .map(|share| format!("{} {}h {}", share.from, share.span / HOUR, share.count))
        .collect();
    assert_eq!(
        told,
        [
            "2026-11-23T10:00:00Z 1h 1",
            "2026-11-23T11:00:00Z 1h 3",
            "2026-11-25T00:00:00Z 24h 2",
            "2026-11-26T00:00:00Z 24h 1",
        ]
    );
}

proptest! {
    /// The lane's own pace sends them at the same instants.
    #[test]
    fn the_forecast_is_what_the_pace_does(
        mut due in prop::collection::vec(0i64..20_000, 0..200),
        pace in 1u32..20,
    ) {
        due.sort_unstable();
        let due = at(&due);
        let mut lane = Pace::new(pace + 4, 4);
        let mut now = Time(0);
        for (due, sent) in due.iter().zip(sent(&due, pace)) {
            now = now.max(*due);
            now = lane.next(Part::Due, now);
            lane.sent(Part::Due, now);
            prop_assert_eq!(now, sent);
        }
    }
}
