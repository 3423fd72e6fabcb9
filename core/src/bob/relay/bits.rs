//! Small sets of small numbers.

use alloc::vec::Vec;

/// A set of numbers as one bit each: an idle peer pays an eighth of a byte for each server that it was told of.
#[derive(Clone, Debug, Default)]
pub(super) struct Bits(Vec<u64>);

impl Bits {
    pub(super) fn insert(&mut self, number: usize) {
        let (word, bit) = place(number);
        if self.0.len() <= word {
            // Exactly: growth by doubling would cost every client up to twice what it needs.
            self.0.reserve_exact(word.saturating_add(1).saturating_sub(self.0.len()));
            self.0.resize(word.saturating_add(1), 0);
        }
        if let Some(word) = self.0.get_mut(word) {
            *word |= bit;
        }
    }

    /// Whether it was in the set.
    pub(super) fn remove(&mut self, number: usize) -> bool {
        let (word, bit) = place(number);
        let Some(word) = self.0.get_mut(word) else { return false };
        let was_in = *word & bit != 0;
        *word &= !bit;
        was_in
    }

    pub(super) fn contains(&self, number: usize) -> bool {
        let (word, bit) = place(number);
        self.0.get(word).is_some_and(|word| word & bit != 0)
    }

    /// The numbers, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        let words = self.0.iter().enumerate().filter(|(_, word)| **word != 0);
        words.flat_map(|(at, word)| {
            let bits = (0..64).filter(move |bit| word >> bit & 1 != 0);
            bits.map(move |bit| at.saturating_mul(64).saturating_add(bit))
        })
    }
}

const fn place(number: usize) -> (usize, u64) {
    (number / 64, 1 << (number % 64))
}
