use super::*;

#[test]
fn places_are_counted_by_user_and_given_back() {
    let limits = Limits { holds: 3, holds_per_uid: 2, ..Limits::default() };
    let holds = Holds::default();
    let first = holds.take(1, &limits).unwrap();
    let _second = holds.take(1, &limits).unwrap();
    assert!(holds.take(1, &limits).unwrap_err().text.starts_with("this user holds 2 leases"));
    let _other = holds.take(2, &limits).unwrap();
    assert!(holds.take(3, &limits).unwrap_err().text.starts_with("the daemon holds 3 leases"));
    drop(first);
    let _again = holds.take(1, &limits).unwrap();
}
