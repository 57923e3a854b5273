//! Words for people: instants in UTC and local time, spans, keys, contexts; and texts of others
//! made harmless.

use jiff::tz::TimeZone;

use crate::ids::KeyArn;
use crate::rules::life::Class;
use crate::rules::time::{DAY, HOUR, MINUTE, SECOND, Time};
use crate::terms::{Constraints, Operation};

/// Below this a span is worth its seconds.
const FINE: i64 = 10 * MINUTE;

/// An instant as `2026-11-23 18:00:00Z`.
#[must_use]
pub fn utc(at: Time) -> String {
    format(at, "%Y-%m-%d %H:%M:%SZ")
}

/// An instant as `2026-11-23 18:00:00.012Z`.
#[must_use]
pub fn utc_ms(at: Time) -> String {
    format(at, "%Y-%m-%d %H:%M:%S%.3fZ")
}

/// An instant without its date where that is today's: `18:00:00Z`. For tables; all in UTC.
#[must_use]
pub fn near(at: Time, now: Time) -> String {
    let (day, whole) = (|at: Time| format(at, "%Y-%m-%d"), utc(at));
    match whole.split_once(' ') {
        Some((date, time)) if date == day(now) => time.to_owned(),
        Some(_) | None => whole,
    }
}

fn format(at: Time, form: &str) -> String {
    at.timestamp().map_or_else(
        || at.to_string(),
        |stamp| stamp.to_zoned_datetime(TimeZone::UTC).strftime(form).to_string(),
    )
}

/// The same instant on the reader's wall: `19:00 CET`, with the date where it is another day; none
/// where the wall shows UTC anyway.
#[must_use]
pub fn local(at: Time, zone: &TimeZone) -> Option<String> {
    let stamp = at.timestamp()?;
    let there = stamp.to_zoned_datetime(zone.clone());
    if there.offset().is_zero() {
        return None;
    }
    let same_day = there.date() == stamp.to_zoned_datetime(TimeZone::UTC).date();
    let form = if same_day { "%H:%M %Z" } else { "%Y-%m-%d %H:%M %Z" };
    Some(there.strftime(form).to_string())
}

/// A deadline: `2026-11-23 18:00:00Z (19:00 CET, in 2 h)`.
#[must_use]
pub fn deadline(at: Time, now: Time, zone: &TimeZone) -> String {
    let near = from_now(at, now);
    match local(at, zone) {
        Some(local) => format!("{} ({local}, {near})", utc(at)),
        None => format!("{} ({near})", utc(at)),
    }
}

/// `in 2 h` or `5 min ago`.
#[must_use]
pub fn from_now(at: Time, now: Time) -> String {
    let ms = at.since(now);
    if ms >= 0 { format!("in {}", span(ms)) } else { format!("{} ago", span(ms)) }
}

/// A span's size, in at most two units, rounded to the smaller: `45 s`, `9 min 5 s`, `2 h`, `3 d 4
/// h`.
#[must_use]
pub fn span(ms: i64) -> String {
    let ms = ms.saturating_abs();
    let (unit, small) = if ms < FINE - SECOND / 2 {
        (MINUTE, SECOND)
    } else if ms < DAY - MINUTE / 2 {
        (HOUR, MINUTE)
    } else {
        (DAY, HOUR)
    };
    let rounded = ms.saturating_add(small / 2) / small * small;
    let (large, rest) = (rounded / unit, rounded % unit / small);
    match (large, rest) {
        (0, rest) => format!("{rest} {}", unit_name(small)),
        (large, 0) => format!("{large} {}", unit_name(unit)),
        (large, rest) => format!("{large} {} {rest} {}", unit_name(unit), unit_name(small)),
    }
}

const fn unit_name(unit: i64) -> &'static str {
    match unit {
        SECOND => "s",
        MINUTE => "min",
        HOUR => "h",
        _ => "d",
    }
}

/// How far `at` is from a deadline: `12 ms after the deadline`. Milliseconds up to ten seconds,
/// where they matter.
#[must_use]
pub fn lateness(at: Time, deadline: Time) -> String {
    let ms = at.since(deadline);
    let side = if ms < 0 { "before" } else { "after" };
    let size = if ms.abs() < 10 * SECOND { format!("{} ms", ms.abs()) } else { span(ms) };
    format!("{size} {side} the deadline")
}

/// Operations as a list.
#[must_use]
pub fn operations(all: &[Operation]) -> String {
    let names: Vec<&str> = all.iter().map(|op| op.as_str()).collect();
    names.join(", ")
}

/// The first two of them and how many more, for tables.
#[must_use]
pub fn some_operations(all: &[Operation]) -> String {
    match all {
        [one, two, more @ ..] if !more.is_empty() => {
            format!("{one}, {two} and {} more", more.len())
        }
        _ => operations(all),
    }
}

/// The key as it was asked for, or, where that was a bare ARN, its id.
#[must_use]
pub fn key(asked: &str, arn: &KeyArn) -> String {
    if asked.starts_with("arn:") {
        asked.rsplit_once(':').map_or_else(|| clean(asked), |(_, last)| clean(last))
    } else if asked.is_empty() {
        arn.key_id().to_owned()
    } else {
        clean(asked)
    }
}

/// Under which encryption context; none where there is no condition.
#[must_use]
pub fn context(constraints: &Constraints) -> Option<String> {
    let (word, pairs) = match constraints {
        Constraints::None => return None,
        Constraints::Subset(pairs) => ("contains", pairs),
        Constraints::Equals(pairs) => ("is exactly", pairs),
    };
    let pairs: Vec<String> =
        pairs.iter().map(|(k, v)| format!("{}={}", clean(k), clean(v))).collect();
    Some(format!("{word} {}", pairs.join(", ")))
}

/// What is waited for, in words.
#[must_use]
pub const fn class(class: Class) -> &'static str {
    match class {
        Class::NotFound => "not found",
        Class::BadToken => "token refused",
        Class::Throttled => "throttled",
        Class::Denied => "denied",
        Class::KeyState => "key not usable",
        Class::Credentials => "credentials",
        Class::Unavailable => "no answer",
        Class::Quota => "quota used up",
        Class::Invalid => "request refused",
    }
}

/// A text of others, with control characters written out: a reason or an answer of a server must
/// not steer the reader's terminal.
#[must_use]
pub fn clean(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        // The bidirectional overrides reorder what is read, as control characters do.
        if c.is_control()
            || ('\u{202a}'..='\u{202e}').contains(&c)
            || ('\u{2066}'..='\u{2069}').contains(&c)
        {
            safe.extend(c.escape_default());
        } else {
            safe.push(c);
        }
    }
    safe
}

/// Lines of at most `width` characters, broken at blanks; a longer word stands alone.
#[must_use]
pub fn fold(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) | None => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests;
