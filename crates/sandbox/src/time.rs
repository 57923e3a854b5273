//! Civil time without a clock: the three ways AWS writes an instant.

const DAY_S: i64 = 86_400;

/// `20261123T171346Z`, the `X-Amz-Date` of SigV4.
pub(crate) fn stamp(ms: i64) -> String {
    let (y, mo, d, h, mi, s) = civil(ms.div_euclid(1_000));
    format!("{y:04}{mo:02}{d:02}T{h:02}{mi:02}{s:02}Z")
}

/// `2026-11-23T17:13:46Z`, as STS writes an expiry.
pub(crate) fn iso(ms: i64) -> String {
    let (y, mo, d, h, mi, s) = civil(ms.div_euclid(1_000));
    format!("{y:04}-{mo:02}-{d:02}T{h:02}:{mi:02}:{s:02}Z")
}

/// Epoch seconds with milliseconds, as the JSON protocol writes a timestamp.
#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 stay below 2^53")]
pub(crate) fn epoch(ms: i64) -> f64 {
    ms as f64 / 1_000.0
}

/// Reads `20261123T171346Z` as Unix milliseconds.
pub(crate) fn parse_stamp(text: &str) -> Option<i64> {
    let b = text.as_bytes();
    if b.len() != 16 || b[8] != b'T' || b[15] != b'Z' {
        return None;
    }
    let number = |from: usize, to: usize| -> Option<i64> {
        let digits = text.get(from..to)?;
        digits.bytes().all(|c| c.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    let (y, mo, d) = (number(0, 4)?, number(4, 6)?, number(6, 8)?);
    let (h, mi, s) = (number(9, 11)?, number(11, 13)?, number(13, 15)?);
    if !(1..=12).contains(&mo) || !(1..=31).contains(&d) || h > 23 || mi > 59 || s > 60 {
        return None;
    }
    Some((days(y, mo, d) * DAY_S + h * 3_600 + mi * 60 + s) * 1_000)
}

/// Days from 1970-01-01 (proleptic Gregorian; years counted from March, so leap days come last).
fn days(y: i64, m: i64, d: i64) -> i64 {
    let y = if m <= 2 { y - 1 } else { y };
    let era = y.div_euclid(400);
    let year_of_era = y.rem_euclid(400);
    let day_of_year = (153 * ((m + 9) % 12) + 2) / 5 + d - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn civil(unix_s: i64) -> (i64, i64, i64, i64, i64, i64) {
    let (day, rest) = (unix_s.div_euclid(DAY_S) + 719_468, unix_s.rem_euclid(DAY_S));
    let (era, doe) = (day.div_euclid(146_097), day.rem_euclid(146_097));
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let m = if mp < 10 { mp + 3 } else { mp - 9 };
    let y = yoe + era * 400 + i64::from(m <= 2);
    (y, m, doy - (153 * mp + 2) / 5 + 1, rest / 3_600, rest / 60 % 60, rest % 60)
}

#[cfg(test)]
mod tests;
