use proptest::prelude::*;

use super::*;

/// Send `n` as fast as allowed from `from`; the instants.
fn drain(pace: &mut Pace, part: Part, from: Time, n: usize) -> Vec<i64> {
    let mut now = from;
    (0..n)
        .map(|_| {
            now = pace.next(part, now).max(now);
            pace.sent(part, now);
            now.0
        })
        .collect()
}

#[test]
fn the_kth_of_a_burst_leaves_after_k_over_rate() {
    let sent = drain(&mut Pace::new(24, 4), Part::Due, Time(0), 61);
    assert_eq!((sent[0], sent[19], sent[20], sent[40], sent[60]), (0, 0, 1_000, 2_000, 3_000));
}

#[test]
fn urgent_sends_find_the_kept_share_free() {
    let mut pace = Pace::new(24, 4);
    drain(&mut pace, Part::Due, Time(0), 20);
    assert_eq!(pace.next(Part::Due, Time(1)), Time(1_000));
    assert_eq!(drain(&mut pace, Part::Urgent, Time(1), 5), [1, 1, 1, 1, 1_000]);
}

#[test]
fn throttling_halves_and_quiet_recovers() {
    let mut pace = Pace::new(16, 0);
    for burst in 0..9 {
        pace.throttled(Time(burst));
    }
    assert_eq!(pace.next(Part::Due, Time(9)), Time(9));
    for second in 1..4 {
        pace.throttled(Time(second * SECOND));
    }
    assert_eq!(drain(&mut pace, Part::Due, Time(3_000), 3), [3_000, 4_000, 5_000]);
    assert!(pace.slowed());
    let later = Time(60 * SECOND);
    assert_eq!(drain(&mut pace, Part::Due, later, 16), [later.0; 16]);
    assert!(!pace.slowed());
}

#[test]
fn a_clock_set_back_does_not_hold_the_lane() {
    let mut pace = Pace::new(1, 0);
    pace.sent(Part::Due, Time(1_000_000));
    assert_eq!(pace.next(Part::Due, Time(0)), Time(0));
}

#[test]
fn a_flood_of_urgent_sends_leaves_half_to_the_deadlines() {
    let mut pace = Pace::new(24, 4);
    assert_eq!(drain(&mut pace, Part::Urgent, Time(0), 13)[12], 1_000);
    let mut pace = Pace::new(24, 4);
    drain(&mut pace, Part::Urgent, Time(0), 12);
    assert_eq!(drain(&mut pace, Part::Due, Time(1), 13)[11..], [1, 1_000]);
}

#[test]
fn what_was_only_found_takes_half_of_an_idle_pace_and_leaves_the_rest_free() {
    let mut pace = Pace::new(24, 4);
    pace.found_waits(true);
    assert_eq!(drain(&mut pace, Part::Found, Time(0), 13)[11..], [0, 1_000]);
    let mut pace = Pace::new(24, 4);
    drain(&mut pace, Part::Found, Time(0), 12);
    assert_eq!(drain(&mut pace, Part::Due, Time(1), 13)[11..], [1, 1_000], "ours leave at once");
}

#[test]
fn what_was_only_found_has_four_a_second_however_busy_the_lane_is() {
    for busy in [Part::Due, Part::Urgent] {
        let mut pace = Pace::new(24, 4);
        pace.found_waits(true);
        let (mut now, mut found) = (Time(0), 0);
        while now < Time(10 * SECOND) {
            for part in [busy, Part::Due, Part::Found] {
                while pace.next(part, now) <= now {
                    pace.sent(part, now);
                    found += u32::from(part == Part::Found);
                }
            }
            now = now.plus(10);
        }
        assert_eq!(found, 40, "{busy:?}");
    }
}

#[test]
fn a_small_pace_gives_found_ones_what_is_left() {
    let mut pace = Pace::new(1, 0);
    pace.found_waits(true);
    assert_eq!(drain(&mut pace, Part::Found, Time(0), 3), [0, 1_000, 2_000]);
    assert_eq!(pace.next(Part::Due, Time(2_001)), Time(3_000));
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
            now = pace.next(Part::Urgent, now).max(now);
            pace.sent(Part::Urgent, now);
            sent.push(now.0);
        }
        for (i, at) in sent.iter().enumerate() {
            let within = sent[i..].iter().take_while(|t| **t < at + SECOND).count();
            prop_assert!(within <= usize::try_from(full).unwrap());
        }
    }
}
