use alloc::vec::Vec;

use proptest::prelude::*;
use subtle::{Choice, ConditionallySelectable};

use crate::bob::spoke::field::Field;

/// p + `more`, little endian.
fn p_and(more: u8) -> [u8; 32] {
    let mut bytes = [0xff; 32];
    (bytes[0], bytes[31]) = (0xed + more, 0x7f);
    bytes
}

fn number(number: u8) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[0] = number;
    bytes
}

/// Where limbs and carries are extreme.
fn edges() -> Vec<[u8; 32]> {
    let mut edges: Vec<_> = (0..=18).map(p_and).chain([0, 1, 2, 18, 19, 20].map(number)).collect();
    edges.extend([[0xff; 32], [0x80; 32], [0x7f; 32]]);
    edges.extend((1..256).filter(|bit| (bit + 2) % 51 < 4).map(|bit| {
        let mut bytes = [0; 32];
        bytes[bit / 8] = 1 << (bit % 8);
        bytes
    }));
    edges
}

/// The same by school arithmetic on bits: slow, and with nothing in common.
fn slow_product(a: &[u8; 32], b: &[u8; 32]) -> [u8; 32] {
    let bit = |bytes: &[u8; 32], at: usize| bytes[at / 8] >> (at % 8) & 1 == 1;
    let a = slow_sum(a, &[0; 32]);
    let mut product = [0; 32];
    for at in (0..255).rev() {
        product = slow_sum(&product, &product);
        if bit(b, at) {
            product = slow_sum(&product, &a);
        }
    }
    product
}

/// Of numbers below 2^255, of which the top bit is left out; reduced.
fn slow_sum(a: &[u8; 32], b: &[u8; 32]) -> [u8; 32] {
    let mut sum: Vec<u16> = a.iter().zip(b).map(|(a, b)| u16::from(*a) + u16::from(*b)).collect();
    sum[31] -= (u16::from(a[31]) & 0x80) + (u16::from(b[31]) & 0x80);
    carry(&mut sum);
    loop {
        let mut less: Vec<i32> =
            sum.iter().zip(p_and(0)).map(|(sum, p)| i32::from(*sum) - i32::from(p)).collect();
        for at in 0..31 {
            let borrow = i32::from(less[at] < 0);
            less[at] += 256 * borrow;
            less[at + 1] -= borrow;
        }
        if less[31] < 0 {
            break;
        }
        sum = less.into_iter().map(|byte| u16::try_from(byte).unwrap()).collect();
    }
    let bytes: Vec<u8> = sum.into_iter().map(|byte| u8::try_from(byte).unwrap()).collect();
    bytes.try_into().unwrap()
}

fn carry(bytes: &mut [u16]) {
    for at in 0..31 {
        bytes[at + 1] += bytes[at] >> 8;
        bytes[at] &= 0xff;
    }
}

fn check(a: &[u8; 32], b: &[u8; 32]) {
    let (x, y) = (Field::from_bytes(a), Field::from_bytes(b));
    assert_eq!(x.plus(y).to_bytes(), slow_sum(a, b));
    assert_eq!(x.times(y).to_bytes(), slow_product(a, b));
    assert_eq!(x.plus(y.negated()).plus(y).to_bytes(), x.to_bytes());
    // Chains of operations without encoding between them.
    assert_eq!(
        x.plus(y).times(x.plus(y.negated())).to_bytes(),
        x.times(x).plus(y.times(y).negated()).to_bytes()
    );
}

#[test]
fn s4_1_numbers_are_reduced() {
    for more in 0..=18 {
        assert_eq!(Field::from_bytes(&p_and(more)).to_bytes(), number(more));
        let mut signed = p_and(more);
        signed[31] |= 0x80;
        assert_eq!(Field::from_bytes(&signed).to_bytes(), number(more), "the top bit is no part of it");
    }
    let mut last = p_and(0);
    last[0] -= 1;
    assert_eq!(Field::ONE.negated().to_bytes(), last);
    assert_eq!(Field::small(0).negated().to_bytes(), number(0));
}

#[test]
fn s4_1_arithmetic_at_its_edges() {
    let edges = edges();
    assert_eq!(edges.len(), 19 + 6 + 3 + 20);
    for (at, a) in edges.iter().enumerate() {
        assert_eq!(Field::from_bytes(a).to_bytes(), slow_sum(a, &[0; 32]));
        for b in &edges[..=at] {
            check(a, b);
        }
    }
}

#[test]
fn s4_1_squares_and_inverses() {
    let of = |number| Field::small(number);
    for (number, non_square) in
        [(0, false), (1, false), (2, true), (3, false), (4, false), (6, true), (8, true)]
    {
        assert_eq!(bool::from(of(number).is_non_square()), non_square, "{number}");
    }
    assert!(!bool::from(Field::ONE.negated().is_non_square()), "p is 1 modulo 4");
    assert_eq!(of(0).inverted().to_bytes(), number(0));
    for (a, b) in [(3, 5), (7, 11)] {
        let [a, b] = [a, b].map(of);
        assert_eq!(Field::conditional_select(&a, &b, Choice::from(0)).to_bytes(), a.to_bytes());
        assert_eq!(Field::conditional_select(&a, &b, Choice::from(1)).to_bytes(), b.to_bytes());
    }
}

proptest! {
    #[test]
    fn s4_1_arithmetic(a in any::<[u8; 32]>(), b in any::<[u8; 32]>()) {
        check(&a, &b);
        let x = Field::from_bytes(&a);
        let (square, double) = (x.times(x), x.times(x).plus(x.times(x)));
        let is_zero = x.to_bytes() == [0; 32];
        prop_assert_eq!(x.times(x.inverted()).to_bytes(), number(u8::from(!is_zero)));
        prop_assert!(!bool::from(square.is_non_square()));
        prop_assert_eq!(bool::from(double.is_non_square()), !is_zero);
    }
}
