//! The Names by which anybody's tool gives his grant a deadline (DESIGN 8): `ttl:2h`,
//! `ttl:90m/label`, `until:2026-11-23T18:00:00Z/label`.
//!
//! They need no grantd command: AWS CLI, boto3 and Terraform write them. They are wishes and prove
//! nothing; whether one is heard is for the policies to say. What begins as one and is none is told
//! of, with what is wrong, and is never taken for a Name without a wish: whoever wrote it believes
//! that the grant ends when it says.

use crate::rules::policy::parse_span;
use crate::rules::time::{BadInstant, Time};

const TTL: &str = "ttl:";
const UNTIL: &str = "until:";

/// When a Name wants its grant to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// So many ms after it was made.
    Ttl(i64),
    /// Then, UTC.
    Until(Time),
}

/// A Name that was meant to state a deadline, and does not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadWish {
    /// `TTL:2h`.
    #[error("its Name says {0:?}, which counts only in lower case")]
    Case(String),
    /// `ttl:2 fortnights`.
    #[error("its Name says {0:?}, which is no span of time: {1} (such as ttl:2h or ttl:90m/label)")]
    Span(String, String),
    /// `ttl:0s`.
    #[error("its Name says {0:?}, which is no time at all")]
    Nothing(String),
    /// `until:tomorrow`, `until:2026-11-23`.
    #[error(
        "its Name says {0:?}, which {1} (such as until:2026-11-23T18:00:00Z or \
         until:2026-11-23T18:00:00Z/label)"
    )]
    Instant(String, BadInstant),
}

/// Read a Name. `None` where it is not of this kind. The label, from the first `/` on, may be
/// anything.
#[must_use]
pub fn read(name: &str) -> Option<Result<Wish, BadWish>> {
    let stated = name.split('/').next().unwrap_or_default();
    if let Some(span) = stated.strip_prefix(TTL) {
        return Some(ttl(stated, span));
    }
    if let Some(instant) = stated.strip_prefix(UNTIL) {
        return Some(until(stated, instant));
    }
    let lower = stated.to_ascii_lowercase();
    let meant = lower.starts_with(TTL) || lower.starts_with(UNTIL);
    meant.then(|| Err(BadWish::Case(stated.to_owned())))
}

fn ttl(stated: &str, span: &str) -> Result<Wish, BadWish> {
    match parse_span(span) {
        Ok(0) => Err(BadWish::Nothing(stated.to_owned())),
        Ok(ms) => Ok(Wish::Ttl(ms)),
        Err(why) => Err(BadWish::Span(stated.to_owned(), why.to_string())),
    }
}

/// Whatever `--until` takes, but for zones by name: KMS takes no brackets in a Name.
fn until(stated: &str, instant: &str) -> Result<Wish, BadWish> {
    Time::parse(instant).map(Wish::Until).map_err(|bad| BadWish::Instant(stated.to_owned(), bad))
}

#[cfg(test)]
mod tests;
