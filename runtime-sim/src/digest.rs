//! The digest of a run: every event with its time and node, folded into 128 bits. Two runs of one seed agree.

use std::fmt;

use pleach_core::Instant;

use crate::rng::mix;

/// A running digest. Not cryptographic: it compares runs, it does not resist anybody.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Digest {
    one: u64,
    other: u64,
}

impl Digest {
    /// Adds an event: when, at which node, of which kind, with what.
    pub const fn event(&mut self, at: Instant, node: u32, kind: u8, detail: u64) {
        self.word(at.as_micros());
        self.word((node as u64) << 8 | kind as u64);
        self.word(detail);
    }

    /// Adds a word.
    pub const fn word(&mut self, word: u64) {
        self.one = (self.one ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        self.other = (self.other.rotate_left(17) ^ word).wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
    }

    /// Adds all that another digest holds.
    pub const fn include(&mut self, other: &Self) {
        self.word(other.one);
        self.word(other.other);
    }

    /// Adds bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.word(bytes.len() as u64);
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            for (to, from) in word.iter_mut().zip(chunk) {
                *to = *from;
            }
            self.word(u64::from_le_bytes(word));
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:016x}", mix(self.one), mix(self.other ^ self.one))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_events_counts() {
        let (mut one, mut other) = (Digest::default(), Digest::default());
        one.event(Instant::from_micros(1), 0, 1, 0);
        one.event(Instant::from_micros(1), 1, 1, 0);
        other.event(Instant::from_micros(1), 1, 1, 0);
        other.event(Instant::from_micros(1), 0, 1, 0);
        assert_ne!(one, other);
        assert_ne!(one.to_string(), other.to_string());
        assert_eq!(one.to_string().len(), 32);
    }

    #[test]
    fn lengths_count() {
        let (mut one, mut other) = (Digest::default(), Digest::default());
        one.bytes(b"ab");
        other.bytes(b"ab\0");
        assert_ne!(one, other);
    }
}
