//! What a run counted.

use std::collections::BTreeMap;
use std::fmt;

/// What one run counted, or many.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    pub(crate) seeds: usize,
    pub(crate) granted: usize,
    pub(crate) crashes: usize,
    pub(crate) refused: BTreeMap<&'static str, usize>,
    pub(crate) recorded: usize,
    pub(crate) extended: usize,
    pub(crate) reloaded: usize,
    pub(crate) calls: usize,
    pub(crate) trace: u64,
}

impl Figures {
    pub(crate) fn add(&mut self, other: &Self) {
        self.seeds += 1;
        self.granted += other.granted;
        self.crashes += other.crashes;
        self.recorded += other.recorded;
        self.extended += other.extended;
        self.reloaded += other.reloaded;
        self.calls += other.calls;
        for (kind, n) in &other.refused {
            *self.refused.entry(kind).or_default() += n;
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} days: {} leases made, {} of unknown outcome, {} extended, {} reloads, {} crashes, {} calls; \
             refused: {:?}",
            self.seeds,
            self.granted,
            self.recorded,
            self.extended,
            self.reloaded,
            self.crashes,
            self.calls,
            self.refused
        )
    }
}

/// FNV-1a: enough to tell two traces apart.
pub(crate) fn hash(trace: &[String]) -> u64 {
    let bytes = trace.iter().flat_map(|line| line.bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
