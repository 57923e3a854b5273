//! Instants as people write them: a day, a time and a zone, in RFC 3339 or ISO 8601.

use jiff::civil::{Date, Time as Clock};
use jiff::fmt::temporal::Pieces;
use jiff::tz::TimeZone;

use super::Time;

/// Why a text is no instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadInstant {
    /// `18:00`.
    #[error("names no day")]
    NoDay,
    /// `2026-11-23`.
    #[error("names no time of the day")]
    NoTime,
    /// `2026-11-23T18:00:00`.
    #[error("names no time zone")]
    NoZone,
    /// `…[Asia/Tokio]`.
    #[error("names the zone {0:?}, which this host does not know")]
    UnknownZone(String),
    /// `…+01:00[Asia/Tokyo]`.
    #[error("contradicts itself: {0} is at {1} then")]
    Contradiction(String, String),
    /// A local time that a clock shows twice, or never.
    #[error("is shown twice or never by the clocks of {0} on that day")]
    Folded(String),
    /// Anything else.
    #[error("is no instant")]
    Other,
}

impl BadInstant {
    /// What would be right.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self {
            Self::Contradiction(..) | Self::Folded(_) => {
                "write the offset alone, such as 2026-11-23T18:00:00+09:00"
            }
            Self::UnknownZone(_) => {
                "write the offset, such as 2026-11-23T18:00:00+09:00, or Z for UTC"
            }
            Self::NoDay | Self::NoTime | Self::NoZone | Self::Other => {
                "write day, time and zone: 2026-11-23T18:00:00Z, 2026-11-23T19:00+01:00"
            }
        }
    }
}

/// Read an instant: day and time in extended or basic form, seconds or not, and an offset, `Z` or
/// a zone in brackets (`[Asia/Tokyo]`), which `zones` looks up. Where both stand there they agree.
///
/// # Errors
/// [`BadInstant`].
pub fn parse(text: &str, zones: &dyn Fn(&str) -> Option<TimeZone>) -> Result<Time, BadInstant> {
    let Ok(pieces) = Pieces::parse(text) else {
        return Err(if text.parse::<Clock>().is_ok() {
            BadInstant::NoDay
        } else {
            BadInstant::Other
        });
    };
    let Some(clock) = pieces.time() else {
        // 18:00 in basic form is a day in basic form to nobody.
        return Err(if text.parse::<Date>().is_ok() {
            BadInstant::NoTime
        } else {
            BadInstant::Other
        });
    };
    let civil = pieces.date().to_datetime(clock);
    let offset = pieces.to_numeric_offset();
    let exact = |offset: jiff::tz::Offset| {
        let stamp = offset.to_timestamp(civil).map_err(|_| BadInstant::Other)?;
        Ok(stamp)
    };
    let Some(name) = zone_name(text) else {
        let stamp = exact(offset.ok_or(BadInstant::NoZone)?)?;
        return Ok(Time(stamp.as_millisecond()));
    };
    let zone = zones(name).ok_or_else(|| BadInstant::UnknownZone(name.to_owned()))?;
    let stamp = match offset {
        Some(offset) => {
            let stamp = exact(offset)?;
            let there = zone.to_offset(stamp);
            if there != offset {
                return Err(BadInstant::Contradiction(name.to_owned(), there.to_string()));
            }
            stamp
        }
        None => {
            let local = zone.to_ambiguous_timestamp(civil);
            local.unambiguous().map_err(|_| BadInstant::Folded(name.to_owned()))?
        }
    };
    Ok(Time(stamp.as_millisecond()))
}

/// What stands in the brackets. `!` marks what must be understood; all of it must, here.
fn zone_name(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once('[')?;
    let name = rest.split(']').next().unwrap_or(rest);
    Some(name.strip_prefix('!').unwrap_or(name))
}

#[cfg(test)]
mod tests;
