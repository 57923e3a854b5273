//! Spans of time as people write them: `2h`, `90m`, `1h 30min`, `1d12h`, `7d`, and `PT2H` as ISO
//! 8601 does.

use std::time::Duration;

/// Digits of one number. More are no span of time that anybody means, and humantime 2.4.0 panics on
/// `18446744073709551615s 1000ms` (its carry overflows `Duration::new`).
const DIGITS_MAX: usize = 12;
/// Characters of one text: all units at once fit.
const TEXT_MAX: usize = 64;

/// Why a text is no span of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSpan {
    /// `1month`, `1y`.
    #[error("{0:?} has no fixed length")]
    Calendar(String),
    /// `8`.
    #[error("it has no unit")]
    NoUnit,
    /// `1 2h`.
    #[error("there is a space within a number")]
    Split,
    /// More than 64 characters, or 12 digits in a number.
    #[error("it is too long a text")]
    TooLong,
    /// `1500us`.
    #[error("it is not in whole milliseconds")]
    TooFine,
    /// Nothing.
    #[error("it is empty")]
    Empty,
    /// `-2h`.
    #[error("it is less than nothing")]
    Negative,
    /// `2 fortnights`.
    #[error("{0:?} is no unit")]
    Unit(String),
    /// `h`, `2h+3m`, `2026-11-23T18:00:00Z`.
    #[error("it is not numbers with units")]
    Other,
}

impl BadSpan {
    /// What would be right.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self {
            Self::Calendar(_) => {
                "months and years differ in length: write days, such as 30d or 365d"
            }
            Self::NoUnit
            | Self::Split
            | Self::TooLong
            | Self::TooFine
            | Self::Empty
            | Self::Negative
            | Self::Unit(_)
            | Self::Other => "write a number and a unit, such as 90s, 30m, 2h, 1h 30m or 7d",
        }
    }
}

/// Read a span of time into ms: humantime's grammar or ISO 8601's, without months and years, 0
/// included.
///
/// # Errors
/// [`BadSpan`].
pub fn parse_span(text: &str) -> Result<i64, BadSpan> {
    match text.strip_prefix('P') {
        Some(rest) if text.chars().count() <= TEXT_MAX => words(&iso(rest)?),
        Some(_) | None => words(text),
    }
}

/// What stands behind the `P` of ISO 8601, as words: `1DT2H30M` is `1d2h30m`.
fn iso(rest: &str) -> Result<String, BadSpan> {
    let (days, clock) = rest.split_once('T').unwrap_or((rest, ""));
    if let Some(unit) = days.chars().find(|c| matches!(c, 'Y' | 'M')) {
        return Err(BadSpan::Calendar(unit.to_string()));
    }
    let fits = |text: &str, units: &str| {
        text.chars().all(|c| c.is_ascii_digit() || c == '.' || units.contains(c))
    };
    if rest.is_empty() || rest.ends_with('T') || !fits(days, "WD") || !fits(clock, "HMS") {
        return Err(BadSpan::Other);
    }
    Ok(format!("{days}{clock}").to_ascii_lowercase())
}

fn words(text: &str) -> Result<i64, BadSpan> {
    if text.trim_start().starts_with(['-', '\u{2212}']) {
        return Err(BadSpan::Negative);
    }
    let mut numbers = text.split(|c: char| !c.is_ascii_digit());
    if text.chars().count() > TEXT_MAX || numbers.any(|digits| digits.len() > DIGITS_MAX) {
        return Err(BadSpan::TooLong);
    }
    let mut units = text.split(|c: char| !c.is_alphabetic());
    let calendar = ["months", "month", "M", "years", "year", "yrs", "yr", "y"];
    if let Some(unit) = units.find(|unit| calendar.contains(unit)) {
        return Err(BadSpan::Calendar(unit.to_owned()));
    }
    let words: Vec<_> = text.split_whitespace().collect();
    let number = |word: &str| word.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let follows = |word: &str| word.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    if words.windows(2).any(|pair| number(pair[0]) && follows(pair[1])) {
        return Err(BadSpan::Split);
    }
    match humantime::parse_duration(text) {
        Ok(span) => to_ms(span),
        Err(humantime::DurationError::Empty) => Err(BadSpan::Empty),
        Err(humantime::DurationError::UnknownUnit { unit, .. }) if unit.is_empty() => {
            Err(BadSpan::NoUnit)
        }
        Err(humantime::DurationError::UnknownUnit { unit, .. }) => Err(BadSpan::Unit(unit)),
        Err(_) => Err(BadSpan::Other),
    }
}

fn to_ms(span: Duration) -> Result<i64, BadSpan> {
    if !span.subsec_nanos().is_multiple_of(1_000_000) {
        return Err(BadSpan::TooFine);
    }
    i64::try_from(span.as_millis()).map_err(|_| BadSpan::TooLong)
}

/// A span of time for people, such as `1h 30m`; exact, and without months and years.
#[must_use]
pub fn show_span(ms: i64) -> String {
    let mut rest = ms.unsigned_abs();
    let mut parts = Vec::new();
    for (unit, length) in
        [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)]
    {
        if rest >= length {
            parts.push(format!("{}{unit}", rest / length));
            rest %= length;
        }
    }
    match (parts.is_empty(), ms < 0) {
        (true, _) => "0s".to_owned(),
        (false, true) => format!("-{}", parts.join(" ")),
        (false, false) => parts.join(" "),
    }
}

#[cfg(test)]
mod tests;
