//! Integers modulo p = 2^255 - 19, as much as the map needs: small and clear, and constant in time.

use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

/// An integer modulo p in five limbs of 51 bits, least first. Limbs stay below 2^52 between operations, so that no
/// sum or product here overflows.
#[derive(Clone, Copy)]
pub(super) struct Field([u64; 5]);

const LIMB: u32 = 51;
const LOW: u64 = (1 << LIMB) - 1;

impl Field {
    pub(super) const ONE: Self = Self::small(1);

    /// A small number: below 2^51.
    pub(super) const fn small(number: u64) -> Self {
        Self([number, 0, 0, 0, 0])
    }

    /// The low 255 bits, little endian, reduced.
    pub(super) fn from_bytes(bytes: &[u8; 32]) -> Self {
        let word = |at: usize| {
            let word = bytes.get(at..).and_then(|rest| rest.first_chunk());
            u64::from_le_bytes(word.copied().unwrap_or_default())
        };
        // Limb n begins at bit 51 n; each of these words begins at the byte that holds that bit, or before it.
        Self([word(0), word(6) >> 3, word(12) >> 6, word(19) >> 1, word(24) >> 12].map(|limb| limb & LOW))
    }

    /// The one encoding of the number: below p, little endian.
    pub(super) fn to_bytes(self) -> [u8; 32] {
        let [a, b, c, d, e] = self.canonical();
        let words = [a | b << 51, b >> 13 | c << 38, c >> 26 | d << 25, d >> 39 | e << 12];
        let mut bytes = [0; 32];
        for (bytes, word) in bytes.chunks_exact_mut(8).zip(words) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    pub(super) fn plus(self, other: Self) -> Self {
        let ([a0, a1, a2, a3, a4], [b0, b1, b2, b3, b4]) = (self.0, other.0);
        carry([a0 + b0, a1 + b1, a2 + b2, a3 + b3, a4 + b4].map(u128::from))
    }

    pub(super) fn negated(self) -> Self {
        // Four times p, limb by limb: each limb is above any that is subtracted.
        let [a, b, c, d, e] = self.0;
        let (first, other) = (4 * (LOW - 18), 4 * LOW);
        carry([first - a, other - b, other - c, other - d, other - e].map(u128::from))
    }

    pub(super) fn times(self, other: Self) -> Self {
        let [a0, a1, a2, a3, a4] = self.0.map(u128::from);
        let [b0, b1, b2, b3, b4] = other.0.map(u128::from);
        // A limb at 2^255 and above counts 19 times at 2^0 and above.
        carry([
            a0 * b0 + 19 * (a1 * b4 + a2 * b3 + a3 * b2 + a4 * b1),
            a0 * b1 + a1 * b0 + 19 * (a2 * b4 + a3 * b3 + a4 * b2),
            a0 * b2 + a1 * b1 + a2 * b0 + 19 * (a3 * b4 + a4 * b3),
            a0 * b3 + a1 * b2 + a2 * b1 + a3 * b0 + 19 * (a4 * b4),
            a0 * b4 + a1 * b3 + a2 * b2 + a3 * b1 + a4 * b0,
        ])
    }

    /// The inverse; zero for zero.
    pub(super) fn inverted(self) -> Self {
        // p - 2
        self.power(0xeb, 0x7f)
    }

    /// Whether no number has this square. Zero is a square.
    pub(super) fn is_non_square(self) -> Choice {
        // (p - 1) / 2
        self.power(0xf6, 0x3f).ct_eq(&Self::ONE.negated())
    }

    /// This to the power of a number that all are told: `first`, thirty bytes of ff, `last`, little endian.
    fn power(self, first: u8, last: u8) -> Self {
        let mut power = Self::ONE;
        for byte in [last].into_iter().chain([0xff; 30]).chain([first]) {
            for bit in (0..8).rev() {
                power = power.times(power);
                if byte >> bit & 1 == 1 {
                    power = power.times(self);
                }
            }
        }
        power
    }

    /// The limbs of the number below p.
    fn canonical(self) -> [u64; 5] {
        let [a, b, c, d, e] = carry(self.0.map(u128::from)).0;
        // Below 2^255 + 2^51 now. It is p or more exactly if adding 19 carries out of 2^255.
        let above = [b, c, d, e].into_iter().fold((a + 19) >> LIMB, |carry, limb| (limb + carry) >> LIMB);
        let mut carry = 19 * above;
        [a, b, c, d, e].map(|limb| {
            let sum = limb + carry;
            carry = sum >> LIMB;
            sum & LOW
        })
    }
}

impl ConditionallySelectable for Field {
    fn conditional_select(a: &Self, b: &Self, choice: Choice) -> Self {
        Self(<[u64; 5]>::conditional_select(&a.0, &b.0, choice))
    }
}

impl ConstantTimeEq for Field {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.to_bytes().ct_eq(&other.to_bytes())
    }
}

/// Carries limbs below 2^112 into limbs below 2^52.
fn carry(mut limbs: [u128; 5]) -> Field {
    // After the first round only the least limb is above 2^51, by less than 2^66.
    for _ in 0..2 {
        let mut carry = 0;
        limbs = limbs.map(|limb| {
            let sum = limb + carry;
            carry = sum >> LIMB;
            sum & u128::from(LOW)
        });
        let [least, ..] = &mut limbs;
        *least += 19 * carry;
    }
    // Nothing is cut off.
    Field(limbs.map(|limb| u64::try_from(limb).unwrap_or_default()))
}
