use super::*;

struct Max;

impl Rng for Max {
    fn next_u64(&self) -> u64 {
        u64::MAX
    }

    fn up_to(&self, max: i64) -> i64 {
        max
    }
}

#[test]
fn each_class_makes_the_smallest_thing_wait() {
    let told = [
        (Class::Unavailable, Waits::Lane),
        (Class::Credentials, Waits::Lane),
        (Class::Throttled, Waits::Operation),
        (Class::Denied, Waits::Key),
        (Class::KeyState, Waits::Key),
        (Class::NotFound, Waits::Row),
        (Class::BadToken, Waits::Row),
        (Class::Quota, Waits::Row),
        (Class::Invalid, Waits::Row),
    ];
    for (class, expected) in told {
        assert_eq!(waits(class, false), expected, "{class:?}");
    }
    assert_eq!(waits(Class::Denied, true), Waits::Row);
}

#[test]
fn a_lane_never_pauses_longer_than_two_seconds_nor_a_key_longer_than_a_minute() {
    let lane: Vec<_> = (0..6).map(lane_pause).collect();
    assert_eq!(lane, [250, 500, 1_000, 2_000, 2_000, 2_000]);
    let key: Vec<_> = (0..7).map(|n| key_pause(n, &Max)).collect();
    assert_eq!(key, [4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
    assert_eq!(key_pause(u32::MAX, &Max), 60_000);
}
