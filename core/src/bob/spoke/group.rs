//! The prime-order subgroup of edwards25519, and integers to multiply its elements with (`bob-relay` 4.2).

use core::fmt;

use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::{Scalar, clamp_integer};
use curve25519_dalek::traits::IsIdentity;
use rand_core::CryptoRng;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// A point of the curve. Any point can be decoded; only one of the prime-order subgroup can be multiplied.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Element(EdwardsPoint);

impl Element {
    pub(super) const fn from_point(point: EdwardsPoint) -> Self {
        Self(point)
    }

    /// The point of an encoding, if it is one. A y coordinate of p or more is reduced, and the sign of an x coordinate
    /// of zero does not matter, as the other implementation has it.
    #[must_use]
    pub fn decode(bytes: &[u8; 32]) -> Option<Self> {
        CompressedEdwardsY(*bytes).decompress().map(Self)
    }

    /// The canonical encoding.
    #[must_use]
    pub fn encode(&self) -> [u8; 32] {
        self.0.compress().to_bytes()
    }

    /// The sum of both.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self(self.0 + other.0)
    }

    /// The difference.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        Self(self.0 - other.0)
    }

    /// `exponent` times this. None if this has small order or a component of it, or if the product is the identity
    /// (T-30).
    #[must_use]
    pub fn times(&self, exponent: &Exponent) -> Option<Self> {
        if self.0.is_small_order() || !self.0.is_torsion_free() {
            return None;
        }
        let product = self.0 * *exponent.reduced();
        (!product.is_identity()).then_some(Self(product))
    }

    /// `exponent` times the base point.
    #[must_use]
    pub fn base_times(exponent: &Exponent) -> Self {
        Self(EdwardsPoint::mul_base(&exponent.reduced()))
    }
}

impl Zeroize for Element {
    fn zeroize(&mut self) {
        self.0.zeroize();
    }
}

/// Elements depend on the password.
impl fmt::Debug for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Element").finish_non_exhaustive()
    }
}

/// A secret integer of 255 bits, little endian. It is kept as drawn: reducing it modulo the group order changes no
/// product with an element of the prime-order subgroup.
#[derive(Clone)]
pub struct Exponent([u8; 32]);

impl Exponent {
    /// The integer of these bytes, without the top bit.
    #[must_use]
    pub const fn from_bits(mut bytes: [u8; 32]) -> Self {
        let [.., last] = &mut bytes;
        *last &= 0x7f;
        Self(bytes)
    }

    /// A multiple of eight, as both sides draw one: bit 254 is what it is.
    #[must_use]
    pub const fn masked(mut bytes: [u8; 32]) -> Self {
        let [first, ..] = &mut bytes;
        *first &= 0xf8;
        Self::from_bits(bytes)
    }

    /// A multiple of eight with bit 254 set, as for X25519.
    #[must_use]
    pub const fn clamped(bytes: [u8; 32]) -> Self {
        Self(clamp_integer(bytes))
    }

    /// A random one, [masked](Exponent::masked): draws 32 bytes, and again while all of them are zero.
    pub fn random(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        loop {
            let mut bytes = Zeroizing::new([0; 32]);
            rng.fill_bytes(bytes.as_mut_slice());
            let exponent = Self::masked(*bytes);
            if exponent.0 != [0; 32] {
                return exponent;
            }
        }
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    fn reduced(&self) -> Zeroizing<Scalar> {
        Zeroizing::new(Scalar::from_bytes_mod_order(self.0))
    }
}

impl Drop for Exponent {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl ZeroizeOnDrop for Exponent {}

impl fmt::Debug for Exponent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exponent").finish_non_exhaustive()
    }
}
