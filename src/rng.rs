//! The randomness port: refs and jitter. The simulation gives a seeded one, so that a seed replays.

/// A source of random bits.
pub trait Rng {
    /// 64 fresh bits.
    fn next_u64(&self) -> u64;

    /// Evenly spread over `0..=max` (the bias of the remainder is below 2⁻³² for spans of days in
    /// ms).
    fn up_to(&self, max: i64) -> i64 {
        let span = u64::try_from(max).unwrap_or(0).saturating_add(1);
        i64::try_from(self.next_u64() % span).unwrap_or(0)
    }
}

/// The operating system's generator (getrandom(2)).
#[derive(Debug, Default, Clone, Copy)]
pub struct OsRng;

impl Rng for OsRng {
    fn next_u64(&self) -> u64 {
        // getrandom(2) cannot fail after early boot; if it ever does, a constant would make refs
        // collide, and the unique index of the ledger then refuses the lease: loud, and nothing is
        // lost.
        getrandom::u64().unwrap_or_default()
    }
}
