use core::num::NonZeroU32;

use alloc::vec::Vec;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::public;
use crate::bob::public::COUNT_MAX;
use crate::bob::spoke::derivation::Derivation;
use crate::bob::spoke::{Deriving, Secret};

const SALT: &[u8; 16] = b"sixteen of salt.";

fn derive(password: &[u8], count: u32, length: usize, mut step: impl FnMut() -> u32) -> (Vec<u8>, u32) {
    let mut derivation = Derivation::new(password, SALT, NonZeroU32::new(count).unwrap(), length);
    for calls in 1.. {
        if let Some(output) = derivation.advance(step()) {
            assert_eq!(derivation.advance(u32::MAX), None, "there is nothing after it");
            return (output.to_vec(), calls);
        }
    }
    unreachable!()
}

fn hmac(password: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(password).unwrap();
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

#[test]
fn s4_1_the_block_index_is_little_endian() {
    for password in [&b""[..], b"pear-hedge", &[7; 64], &[7; 65]] {
        let (output, _) = derive(password, 2, 64, || u32::MAX);
        for (block, index) in output.chunks(32).zip(1u8..) {
            let first = hmac(password, &[SALT, &[index, 0, 0, 0]]);
            let second = hmac(password, &[&first]);
            let sum: Vec<u8> = first.iter().zip(second).map(|(first, second)| first ^ second).collect();
            assert_eq!(block, sum);
        }
    }
}

#[test]
fn s4_1_shorter_outputs_are_prefixes() {
    let (whole, _) = derive(b"password", 3, 100, || u32::MAX);
    for length in [0, 1, 31, 32, 33, 64, 99] {
        assert_eq!(derive(b"password", 3, length, || u32::MAX).0, whole[..length]);
    }
}

#[test]
fn t34_the_work_is_done_in_any_steps() {
    let whole = derive(b"password", 5, 100, || u32::MAX);
    assert_eq!(whole.1, 1);
    // Four blocks of five iterations.
    for (step, calls) in [(1, 20), (3, 7), (5, 4), (19, 2), (20, 1), (21, 1)] {
        assert_eq!(derive(b"password", 5, 100, || step), (whole.0.clone(), calls), "{step}");
    }
    let mut step = 0;
    let growing = derive(b"password", 5, 100, || {
        step += 1;
        step - 1
    });
    assert_eq!(growing.0, whole.0);
}

#[test]
fn t34_a_hostile_count_costs_a_call_no_more_than_its_budget() {
    let mut deriving = Deriving::new(public(COUNT_MAX), b"password");
    for _ in 0..10 {
        assert!(deriving.advance(100).is_none());
    }
    let mut deriving = Deriving::new(public(16), b"password");
    assert!(deriving.advance(4 * 16 - 1).is_none());
    let secret = deriving.advance(1).unwrap();
    assert!(deriving.advance(u32::MAX).is_none());
    let whole = Secret::derive(public(16), b"password");
    assert_eq!(*secret.verifier().encode(), *whole.verifier().encode());
}

#[test]
fn s4_1_the_password_is_raw_bytes() {
    let secrets = [&b"password"[..], b"password ", b"\0password", b"Password", b""];
    let mut secrets: Vec<_> =
        secrets.map(|password| *Secret::derive(public(1), password).verifier().encode()).into();
    secrets.sort();
    secrets.dedup();
    assert_eq!(secrets.len(), 5);
}
