use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};
use proptest::prelude::*;

use super::{Scripted, public};
use crate::bob::spoke::group::{Element, Exponent};
use crate::bob::spoke::map::from_uniform;
use crate::bob::spoke::{Client, Failure, Secret, Server, VERIFIER_LENGTH, Verifier};

fn identity() -> Element {
    Element::from_point(EIGHT_TORSION[0])
}

#[test]
fn s4_1_zero_maps_to_the_identity() {
    assert_eq!(from_uniform(&[0; 32]), identity());
}

#[test]
fn s4_1_the_map_reduces_its_number() {
    for more in 0..=18u8 {
        let (mut low, mut high) = ([0; 32], [0xff; 32]);
        low[0] = more;
        (high[0], high[31]) = (0xed + more, 0x7f);
        assert_eq!(from_uniform(&low), from_uniform(&high), "{more}");
    }
}

proptest! {
    #[test]
    fn s4_1_the_map_reaches_the_prime_order_subgroup(mut bytes in any::<[u8; 32]>()) {
        let point = from_uniform(&bytes);
        // Times the order plus one is the point itself, but only in the subgroup.
        prop_assert_eq!(point.times(&Exponent::from_bits(order_and(1))), Some(point));
        bytes[31] ^= 0x80;
        prop_assert_eq!(from_uniform(&bytes).plus(&point), identity(), "the top bit is the sign");
    }
}

/// The group order plus a small number, little endian.
fn order_and(more: u8) -> [u8; 32] {
    let mut order = [0; 32];
    order[..16].copy_from_slice(&[
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    ]);
    (order[0], order[31]) = (order[0] + more, 0x10);
    order
}

#[test]
fn t30_only_elements_of_the_prime_order_subgroup_are_multiplied() {
    let base = Element::from_point(ED25519_BASEPOINT_POINT);
    let exponent = Exponent::masked([0xff; 32]);
    assert_eq!(base.times(&exponent), Some(Element::base_times(&exponent)));
    for torsion in EIGHT_TORSION.map(Element::from_point) {
        assert_eq!(torsion.times(&exponent), None);
        let mixed = base.plus(&torsion);
        assert_eq!(mixed.times(&exponent).is_some(), mixed == base);
    }
    for product in [order_and(0), [0; 32]] {
        assert_eq!(base.times(&Exponent::from_bits(product)), None, "the identity");
    }
}

#[test]
fn s4_2_points_decode_as_upstream_has_it() {
    let (mut high, mut signed, mut none) = ([0xff; 32], [0; 32], [0; 32]);
    // y = p + 1; x = 0 with a sign; y = 2.
    (high[0], high[31], signed[0], signed[31], none[0]) = (0xee, 0x7f, 1, 0x80, 2);
    for bytes in [high, signed] {
        let point = Element::decode(&bytes).unwrap();
        assert_eq!(point, identity());
        let mut canonical = [0; 32];
        canonical[0] = 1;
        assert_eq!(point.encode(), canonical);
    }
    assert_eq!(Element::decode(&none), None);
}

#[test]
fn s4_2_exponents_are_masked_and_drawn_until_they_are_not_zero() {
    assert_eq!(Exponent::from_bits([0xff; 32]).as_bytes()[31], 0x7f);
    assert_eq!(Exponent::masked([0xff; 32]).as_bytes()[..1], [0xf8]);
    let masked = Exponent::masked([0; 32]);
    assert_eq!(masked.as_bytes(), &[0; 32], "bit 254 is not forced");
    assert_eq!(Exponent::clamped([0; 32]).as_bytes()[31], 0x40);
    let mut script = [0; 128];
    // Zero, zero once it is masked, then 8; what follows is not drawn.
    (script[32], script[63], script[64]) = (7, 0x80, 8);
    let mut draws = Scripted(&script);
    assert_eq!(Exponent::random(&mut draws).as_bytes()[..2], [8, 0]);
    assert_eq!(draws.0.len(), 32);
}

#[test]
fn t30_a_point_outside_the_subgroup_ends_the_run() {
    let secret = Secret::derive(public(1), b"password");
    let verifier = secret.verifier();
    let draws = || Scripted(&[9; 32]);
    let (honest, _) = Client::start(&secret, &mut Scripted(&[5; 32]));
    let (answer, _) = Server::respond(&verifier, &honest, b"c", b"s", &mut draws()).unwrap();
    let mut undecodable = [0; 32];
    undecodable[0] = 2;
    let shifted = |point: &[u8; 32], by: &Element| Element::decode(point).unwrap().plus(by).encode();
    let torsion = EIGHT_TORSION.map(Element::from_point);
    let wrong = |honest: &[u8; 32], hides: &Element| {
        let mixed = torsion.iter().skip(1).map(|torsion| shifted(honest, torsion));
        let small = torsion.iter().map(|torsion| hides.plus(torsion).encode());
        mixed.chain(small).chain([undecodable]).collect::<alloc::vec::Vec<_>>()
    };
    for x in wrong(&honest, &secret.shared.m) {
        let responded = Server::respond(&verifier, &x, b"c", b"s", &mut draws());
        assert_eq!(responded.unwrap_err(), Failure::NotInSubgroup);
    }
    for y in wrong(&answer.y, &secret.shared.n) {
        let (_, client) = Client::start(&secret, &mut Scripted(&[5; 32]));
        let finished = client.finish(&y, &answer.validator, b"c", b"s");
        assert_eq!(finished.unwrap_err(), Failure::NotInSubgroup);
    }
}

#[test]
fn s4_2_a_verifier_that_is_none() {
    let encoded = *Secret::derive(public(1), b"password").verifier().encode();
    assert_eq!(*Verifier::decode(&encoded).unwrap().encode(), encoded);
    for length in [0, 34, VERIFIER_LENGTH - 1] {
        assert_eq!(Verifier::decode(&encoded[..length]).unwrap_err(), Failure::InvalidSecret);
    }
    let long = [encoded.as_slice(), &[0]].concat();
    assert_eq!(Verifier::decode(&long).unwrap_err(), Failure::InvalidSecret);
    let mut no_point = [0; 32];
    no_point[0] = 2;
    for (at, bytes) in [(34, &no_point[..]), (66, &no_point), (130, &no_point), (0, &[9, 9])] {
        let mut wrong = encoded;
        wrong[at..at + bytes.len()].copy_from_slice(bytes);
        assert_eq!(Verifier::decode(&wrong).unwrap_err(), Failure::InvalidSecret, "{at}");
    }
    // L of order 2 decodes, and ends every run.
    let mut wrong = encoded;
    wrong[130..].copy_from_slice(&Element::from_point(EIGHT_TORSION[4]).encode());
    let verifier = Verifier::decode(&wrong).unwrap();
    let (x, _) = Client::start(&Secret::derive(public(1), b"password"), &mut Scripted(&[5; 32]));
    let responded = Server::respond(&verifier, &x, b"c", b"s", &mut Scripted(&[9; 32]));
    assert_eq!(responded.unwrap_err(), Failure::NotInSubgroup);
}
