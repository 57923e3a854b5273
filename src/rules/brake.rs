//! When the ending of adopted grants of a key stops by itself: a policy that is wider than was
//! meant must not empty a key within one night.

use crate::config::Brake;
use crate::rules::time::{DAY, MINUTE, Time};

/// Ends count for this long (DESIGN 9).
pub const WINDOW: i64 = DAY;
/// A grant that the brake keeps is asked about again this much later: beyond the look-ahead of ten
/// minutes, where thousands of them would keep others out. `grantd resume` does not wait for it.
pub const AGAIN: i64 = 15 * MINUTE;

impl Brake {
    /// How many ends of adopted grants it lets pass within [`WINDOW`] on a key that holds so many
    /// grants: its count, or its share of them, whichever is more.
    #[must_use]
    pub fn allows(self, grants: u32) -> u32 {
        let share = u64::from(grants) * u64::from(self.percent) / 100;
        u32::try_from(share).unwrap_or(u32::MAX).max(self.count)
    }
}

/// From when on ends count at `least`, the least clock: a clock that is ahead must not let more
/// pass. `from`: since somebody resumed.
#[must_use]
pub fn counts_since(from: Time, least: Time) -> Time {
    from.max(least.plus(-WINDOW))
}

#[cfg(test)]
mod tests;
