use proptest::prelude::*;

use super::*;

/// Send `n` as fast as allowed from `from`; the instants.
fn drain(pace: &mut Pace, urgent: bool, from: Time, n: usize) -> Vec<i64> {
    let mut now = from;
    (0..n)
        .map(|_| {
            now = pace.next(urgent, now).max(now);
            pace.sent(now);
            now.0
        })
        .collect()
}

#[test]
fn the_kth_of_a_burst_leaves_after_k_over_rate() {
    let sent = drain(&mut Pace::new(24, 4), false, Time(0), 61);
    assert_eq!((sent[0], sent[19], sent[20], sent[40], sent[60]), (0, 0, 1_000, 2_000, 3_000));
}

#[test]
fn urgent_sends_find_the_kept_share_free() {
    let mut pace = Pace::new(24, 4);
    drain(&mut pace, false, Time(0), 20);
    assert_eq!(pace.next(false, Time(1)), Time(1_000));
    assert_eq!(drain(&mut pace, true, Time(1), 5), [1, 1, 1, 1, 1_000]);
}

#[test]
fn throttling_halves_and_quiet_recovers() {
    let mut pace = Pace::new(16, 0);
    for _ in 0..9 {
        pace.throttled(Time(0));
    }
    assert_eq!(drain(&mut pace, false, Time(0), 3), [0, 1_000, 2_000]);
    assert!(pace.slowed());
    let later = Time(60 * SECOND);
    assert_eq!(drain(&mut pace, false, later, 16), [later.0; 16]);
    assert!(!pace.slowed());
}

#[test]
fn a_clock_set_back_does_not_hold_the_lane() {
    let mut pace = Pace::new(1, 0);
    pace.sent(Time(1_000_000));
    assert_eq!(pace.next(false, Time(0)), Time(0));
}

proptest! {
    #[test]
    fn no_second_holds_more_than_the_rate(
        full in 1u32..60, kept in 0u32..10, gaps in proptest::collection::vec(0i64..400, 1..200)
    ) {
        let mut pace = Pace::new(full, kept);
        let mut now = Time(0);
        let mut sent = Vec::new();
        for gap in gaps {
            now = now.plus(gap);
            now = pace.next(true, now).max(now);
            pace.sent(now);
            sent.push(now.0);
        }
        for (i, at) in sent.iter().enumerate() {
            let within = sent[i..].iter().take_while(|t| **t < at + SECOND).count();
            prop_assert!(within <= usize::try_from(full).unwrap());
        }
    }
}
