//! Decisions read from bytes: random bytes make a random run, a fuzzer's bytes make a guided one.

use bytes::Bytes;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

/// A cursor over bytes that decide. When they end, every choice is the first of its kind.
#[derive(Clone, Debug)]
pub struct Choices<'a> {
    rest: &'a [u8],
}

impl<'a> Choices<'a> {
    /// Decisions from these bytes.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Whether all bytes are used up.
    #[must_use]
    pub const fn is_exhausted(&self) -> bool {
        self.rest.is_empty()
    }

    /// One byte.
    pub const fn byte(&mut self) -> u8 {
        match self.rest {
            [first, rest @ ..] => {
                self.rest = rest;
                *first
            }
            [] => 0,
        }
    }

    /// A number below `bound`, or 0 when there is none.
    pub fn below(&mut self, bound: usize) -> usize {
        let drawn = if bound <= 256 { usize::from(self.byte()) } else { usize::from(self.u16()) };
        drawn.checked_rem(bound).unwrap_or(0)
    }

    /// Yes once in `of` times.
    pub fn once_in(&mut self, of: usize) -> bool {
        of > 0 && self.below(of) == of.saturating_sub(1)
    }

    /// One of these.
    pub fn pick<T: Copy>(&mut self, items: &[T]) -> Option<T> {
        items.get(self.below(items.len())).copied()
    }

    /// Two bytes.
    pub const fn u16(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    /// A number that a hostile peer would choose: near 0, near the limit, or in between.
    pub fn edgy(&mut self, limit: u64) -> u64 {
        let near = u64::from(self.byte() & 3);
        match self.byte() % 8 {
            0..4 => near,
            4 => limit.saturating_sub(near),
            5 => limit.saturating_add(near),
            6 => u64::MAX.saturating_sub(near),
            _ => u64::from(self.u16()),
        }
    }

    /// The same for 32 bits.
    pub fn edgy32(&mut self, limit: u32) -> u32 {
        u32::try_from(self.edgy(u64::from(limit))).unwrap_or(u32::MAX)
    }

    /// At most `limit` bytes; few of them differ, so that equal contents meet.
    pub fn content(&mut self, limit: usize) -> Bytes {
        let length = match self.byte() % 8 {
            0..6 => usize::from(self.byte() % 16),
            6 => usize::from(self.byte()),
            _ => usize::from(self.u16()),
        };
        Bytes::from(vec![self.byte() % 8; length.min(limit)])
    }
}

/// `length` random bytes of this seed.
#[must_use]
pub fn random(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    ChaCha8Rng::seed_from_u64(seed).fill_bytes(&mut bytes);
    bytes
}
