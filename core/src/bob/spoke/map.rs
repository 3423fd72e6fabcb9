//! From 32 uniform bytes to a point of the prime-order subgroup (`bob-relay` 4.1): Elligator 2 on the Montgomery form,
//! the sign on the Edwards form, times eight.

use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::montgomery::MontgomeryPoint;
use curve25519_dalek::traits::Identity;
use subtle::ConditionallySelectable;

use super::field::Field;
use super::group::Element;

/// The coefficient of the Montgomery curve `y^2 = x^3 + A x^2 + x`.
const A: u64 = 486_662;

/// The point of these bytes. Bit 255 is the sign of the Edwards x coordinate, the others are a number, which need not
/// be reduced. The time does not depend on the bytes, which come from a password. The result may be the identity, as
/// it is for zero.
#[must_use]
pub fn from_uniform(bytes: &[u8; 32]) -> Element {
    let [.., last] = bytes;
    let point = MontgomeryPoint(elligator(bytes).to_bytes()).to_edwards(last >> 7);
    // Elligator gives no coordinate of the twist, so there always is a point.
    Element::from_point(point.unwrap_or_else(EdwardsPoint::identity).mul_by_cofactor())
}

/// The Montgomery x coordinate.
fn elligator(bytes: &[u8; 32]) -> Field {
    let (a, r) = (Field::small(A), Field::from_bytes(bytes));
    let square = r.times(r);
    // -A / (1 + 2 r^2). The divisor is not zero: -1/2 is no square.
    let first = a.negated().times(Field::ONE.plus(square).plus(square).inverted());
    let second = first.negated().plus(a.negated());
    let on_curve = first.plus(a).times(first).plus(Field::ONE).times(first);
    Field::conditional_select(&first, &second, on_curve.is_non_square())
}
