use super::*;

#[test]
fn an_overdue_lease_is_looked_at_no_more_often_than_another() {
    for (left, wanted) in [
        (60 * SECOND, TELL_EVERY),
        (TELL_EVERY, TELL_EVERY),
        (AFTER, AFTER),
        (1, 1),
        (0, TELL_EVERY),
        (-60 * SECOND, TELL_EVERY),
    ] {
        assert_eq!(nap(left), wanted, "{left}");
    }
}
