use super::*;
use crate::rules::time::HOUR;

const NOW: Time = Time(1_764_000_000_000);

fn lasting(ms: i64) -> Held {
    Held { at: NOW, expires: Some(NOW.plus(ms)) }
}

#[test]
fn an_hour_is_renewed_ten_minutes_before_its_end_and_used_until_just_before() {
    let hour = lasting(HOUR);
    let at = |minutes: i64| NOW.plus(minutes * MINUTE);
    assert!(hour.usable(at(0)) && !hour.stale(at(0)));
    assert!(hour.usable(at(49)) && !hour.stale(at(49)));
    assert!(hour.usable(at(50)) && hour.stale(at(50)));
    assert!(hour.usable(at(59)) && hour.stale(at(59)));
    assert!(!hour.usable(NOW.plus(HOUR - SPARE)));
    assert!(!hour.usable(at(61)));
}

#[test]
fn a_short_life_is_renewed_at_its_half_not_at_every_look() {
    let short = lasting(4 * MINUTE);
    assert!(!short.stale(NOW.plus(MINUTE)));
    assert!(short.stale(NOW.plus(2 * MINUTE)));
}

#[test]
fn undated_ones_are_read_again_and_never_given_up() {
    let undated = Held { at: NOW, expires: None };
    assert!(!undated.stale(NOW.plus(UNDATED_LIFE - 1)));
    assert!(undated.stale(NOW.plus(UNDATED_LIFE)));
    assert!(undated.usable(NOW.plus(1_000 * HOUR)));
}

#[test]
fn debug_of_the_slot_shows_no_secret() {
    let slot = Slot::default();
    slot.put(Credentials::new("AKIA", "very-secret", Some("token-7".to_owned()), None, "test"));
    let text = format!("{slot:?}");
    assert!(!text.contains("very-secret") && !text.contains("token-7"), "{text}");
}
