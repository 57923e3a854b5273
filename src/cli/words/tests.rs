use super::*;

fn at(text: &str) -> Time {
    Time::parse(text).unwrap()
}

#[test]
fn spans_have_at_most_two_units() {
    let table = [
        (0, "0 s"),
        (499, "0 s"),
        (45_000, "45 s"),
        (59_600, "1 min"),
        (545_000, "9 min 5 s"),
        (599_600, "10 min"),
        (HOUR - 1, "1 h"),
        (2 * HOUR - 100, "2 h"),
        (2 * HOUR + 5 * MINUTE, "2 h 5 min"),
        (DAY - 1, "1 d"),
        (3 * DAY + 4 * HOUR, "3 d 4 h"),
        (-45_000, "45 s"),
        (i64::MIN, "106751991167 d 7 h"),
    ];
    for (ms, words) in table {
        assert_eq!(span(ms), words, "{ms} ms");
    }
}

#[test]
fn a_deadline_shows_utc_local_and_distance() {
    let deadline_at = at("2026-11-23T18:00:00Z");
    let now = at("2026-11-23T16:00:00.250Z");
    let berlin = TimeZone::get("Europe/Berlin").unwrap();
    let tokyo = TimeZone::get("Asia/Tokyo").unwrap();
    assert_eq!(deadline(deadline_at, now, &berlin), "2026-11-23 18:00:00Z (19:00 CET, in 2 h)");
    assert_eq!(
        deadline(deadline_at, now, &tokyo),
        "2026-11-23 18:00:00Z (2026-11-24 03:00 JST, in 2 h)"
    );
    assert_eq!(deadline(deadline_at, now, &TimeZone::UTC), "2026-11-23 18:00:00Z (in 2 h)");
    assert_eq!(
        deadline(deadline_at, deadline_at.plus(90_000), &TimeZone::UTC),
        "2026-11-23 18:00:00Z (1 min 30 s ago)"
    );
}

#[test]
fn lateness_is_in_ms_where_ms_matter() {
    let deadline = at("2026-11-23T18:00:00Z");
    assert_eq!(lateness(deadline.plus(12), deadline), "12 ms after the deadline");
    assert_eq!(lateness(deadline.plus(-3 * HOUR), deadline), "3 h before the deadline");
    assert_eq!(lateness(deadline, deadline), "0 ms after the deadline");
}

#[test]
fn texts_of_others_cannot_steer_the_terminal() {
    assert_eq!(clean("a\u{1b}[2Jb\nc\u{202e}d é"), "a\\u{1b}[2Jb\\nc\\u{202e}d é");
}

#[test]
fn a_key_is_named_as_it_was_asked_for() {
    let arn = KeyArn::parse("arn:aws:kms:eu-west-1:111122223333:key/1234-5678").unwrap();
    assert_eq!(key("alias/app", &arn), "alias/app");
    assert_eq!(key("arn:aws:kms:eu-west-1:111122223333:alias/app", &arn), "alias/app");
    assert_eq!(key(arn.as_str(), &arn), "key/1234-5678");
    assert_eq!(key("", &arn), "1234-5678");
}

#[test]
fn long_texts_are_broken_at_blanks() {
    assert_eq!(fold("left alone: no policy", 11), ["left alone:", "no policy"]);
    assert_eq!(fold("a longerthanwide b", 4), ["a", "longerthanwide", "b"]);
    assert_eq!(fold("", 4), [""]);
}
