//! The one source of chance: SHA-256 over a seed and a counter. The same seed gives the same key
//! ids, grant ids and tokens, so a simulation replays to the letter.

use sha2::{Digest, Sha256};

/// A seedable generator. Good enough for key material that protects nothing but a demo.
#[derive(Clone, Debug)]
pub(crate) struct Rng {
    seed: u64,
    counter: u64,
}

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, counter: 0 }
    }

    pub(crate) fn block(&mut self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(b"kms-sandbox rng");
        hash.update(self.seed.to_be_bytes());
        hash.update(self.counter.to_be_bytes());
        self.counter += 1;
        hash.finalize().into()
    }

    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        for chunk in out.chunks_mut(32) {
            let block = self.block();
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
        out
    }

    pub(crate) fn many(&mut self, len: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(len + 32);
        while out.len() < len {
            out.extend_from_slice(&self.block());
        }
        out.truncate(len);
        out
    }

    /// A number in `low..=high`; the bias of the modulus does not matter for delays of minutes.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        if high <= low {
            return low;
        }
        let draw = u64::from_be_bytes(self.bytes());
        low + draw % (high - low + 1)
    }

    /// 64 lower-case hex characters: the form of every published grant id.
    pub(crate) fn grant_id(&mut self) -> String {
        hex(&self.block())
    }

    /// A version 4 UUID: the form of a key id.
    pub(crate) fn uuid(&mut self) -> String {
        let mut b: [u8; 16] = self.bytes();
        b[6] = (b[6] & 0x0f) | 0x40;
        b[8] = (b[8] & 0x3f) | 0x80;
        let h = hex(&b);
        format!("{}-{}-{}-{}-{}", &h[..8], &h[8..12], &h[12..16], &h[16..20], &h[20..])
    }

    /// `prefix` and 16 upper-case base-32 characters: the form of `AROA…`, `AIDA…`, `ASIA…` ids.
    pub(crate) fn unique_id(&mut self, prefix: &str) -> String {
        const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let tail = self.bytes::<16>().map(|b| char::from(ALPHABET[usize::from(b % 32)]));
        prefix.chars().chain(tail).collect()
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |n: u8| char::from(DIGITS[usize::from(n)]);
    bytes.iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]).collect()
}
