use super::*;

#[test]
fn a_brake_goes_by_its_count_or_its_share_whichever_is_more() {
    let brake = Brake { count: 10, percent: 10 };
    for (grants, allowed) in [(0, 10), (99, 10), (100, 10), (101, 10), (110, 11), (50_000, 5_000)] {
        assert_eq!(brake.allows(grants), allowed, "{grants}");
    }
    assert_eq!(Brake { count: 3, percent: 0 }.allows(50_000), 3);
}

#[test]
fn ends_count_for_a_day_or_since_somebody_resumed() {
    let now = Time(10 * DAY);
    assert_eq!(counts_since(Time(0), now), Time(9 * DAY));
    assert_eq!(counts_since(Time(10 * DAY - 5), now), Time(10 * DAY - 5));
}
