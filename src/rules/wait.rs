//! Who waits: the smallest thing that explains a refusal, so that one broken key does not hold up a
//! lane, and one broken lane does not send a thousand calls a second into the void. There is no
//! attempt limit anywhere.

use crate::rng::Rng;
use crate::rules::life::Class;
use crate::rules::time::SECOND;

/// A lane that cannot reach KMS tries again at most this far apart, so that an outage ends for us
/// when it ends.
const LANE_TRY: i64 = 2 * SECOND;
/// A key that refuses us is asked again within this.
const KEY_TRY_MAX: i64 = 60 * SECOND;
/// The first tries of a refusing key come sooner: most refusals are a mistake that somebody is
/// mending.
const KEY_TRY_FIRST: i64 = 4 * SECOND;

/// What waits after a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waits {
    /// All of the lane: one try at a time until KMS answers.
    Lane,
    /// The operation on the lane: its pace is halved.
    Operation,
    /// All rows of the key: one row tries for all.
    Key,
    /// The row alone.
    Row,
}

/// What waits after `class`. A denial is the row's `alone` where its grant is young (unsettled) and
/// may simply not be visible yet, or where another way out is left.
#[must_use]
pub const fn waits(class: Class, alone: bool) -> Waits {
    match class {
        Class::Unavailable | Class::Credentials => Waits::Lane,
        Class::Throttled => Waits::Operation,
        Class::Denied if alone => Waits::Row,
        Class::Denied | Class::KeyState => Waits::Key,
        Class::NotFound | Class::BadToken | Class::Quota | Class::Invalid => Waits::Row,
    }
}

/// How long a lane waits after its `tries`-th failure in a row, in ms.
#[must_use]
pub fn lane_pause(tries: u32) -> i64 {
    (SECOND / 4).saturating_mul(1 << tries.min(3)).min(LANE_TRY)
}

/// How long a key waits after its `tries`-th refusal in a row, in ms: full jitter below a doubling
/// bound, never under a second, so that hosts of a group do not march in step.
#[must_use]
pub fn key_pause(tries: u32, rng: &dyn Rng) -> i64 {
    let bound = KEY_TRY_FIRST.saturating_mul(1 << tries.min(5)).min(KEY_TRY_MAX);
    SECOND + rng.up_to(bound - SECOND)
}

#[cfg(test)]
mod tests;
