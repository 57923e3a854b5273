use proptest::prelude::*;

use super::*;

#[test]
fn spans_are_read_to_the_millisecond() {
    for (text, ms) in [
        ("0s", 0),
        ("250ms", 250),
        ("1.5h", 5_400_000),
        ("90m", 5_400_000),
        ("1h 30min", 5_400_000),
        ("2hours", 7_200_000),
        ("7d", 604_800_000),
        ("1w", 604_800_000),
        ("1000000us", 1_000),
        ("1d12h", 129_600_000),
        ("PT2H", 7_200_000),
        ("P1DT2H30M", 95_400_000),
        ("P1W", 604_800_000),
        ("PT1.5H", 5_400_000),
        ("PT0S", 0),
    ] {
        assert_eq!(parse_span(text), Ok(ms), "{text}");
    }
}

#[test]
fn what_is_no_span_says_why() {
    let calendar = |unit: &str| BadSpan::Calendar(unit.to_owned());
    for (text, why) in [
        ("1month", calendar("month")),
        ("2 months", calendar("months")),
        ("1M", calendar("M")),
        ("1y", calendar("y")),
        ("1year 2h", calendar("year")),
        ("", BadSpan::Empty),
        ("  ", BadSpan::Empty),
        ("8", BadSpan::NoUnit),
        ("1 2h", BadSpan::Split),
        ("1500us", BadSpan::TooFine),
        ("18446744073709551615s 1000ms", BadSpan::TooLong),
        ("2 fortnights", BadSpan::Unit("fortnights".to_owned())),
        ("-2h", BadSpan::Negative),
        ("h", BadSpan::Other),
        ("2h+3m", BadSpan::Other),
        ("2026-11-23T18:00:00Z", BadSpan::Other),
        ("P1M", calendar("M")),
        ("P1Y", calendar("Y")),
        ("P", BadSpan::Other),
        ("PT", BadSpan::Other),
        ("PT2D", BadSpan::Other),
        ("PT2", BadSpan::NoUnit),
        ("pt2h", BadSpan::Other),
    ] {
        assert_eq!(parse_span(text), Err(why), "{text}");
    }
}

#[test]
fn spans_are_shown_without_months() {
    for (ms, text) in [
        (0, "0s"),
        (1, "1ms"),
        (28_800_000, "8h"),
        (5_400_000, "1h 30m"),
        (31_536_000_000, "365d"),
        (-90_000, "-1m 30s"),
    ] {
        assert_eq!(show_span(ms), text);
    }
}

proptest! {
    #[test]
    fn what_is_shown_is_read_again(ms in 0..1_000_000_000_000_i64) {
        prop_assert_eq!(parse_span(&show_span(ms)), Ok(ms));
    }

    #[test]
    fn no_text_panics(text in "[0-9a-zM. µ-]{0,40}|\\PC{0,80}") {
        let _read = parse_span(&text);
    }
}
