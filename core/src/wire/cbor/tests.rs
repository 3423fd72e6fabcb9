use alloc::vec;

use proptest::prelude::*;

use super::*;

fn hex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2).map(|pair| core::str::from_utf8(pair).unwrap());
    digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

#[test]
fn reads_what_minicbor_writes() {
    let bytes =
        encode(|out| out.array(6)?.u64(u64::MAX)?.bytes(b"ab")?.str("cd")?.null()?.u8(255)?.u16(256)?.ok());
    let mut decoder = Decoder::new(&bytes);
    assert_eq!(decoder.array(), Ok(6));
    assert_eq!(decoder.u64(), Ok(u64::MAX));
    assert_eq!(decoder.byte_array(), Ok(*b"ab"));
    assert_eq!(decoder.text(), Ok("cd"));
    assert!(decoder.null());
    assert!(!decoder.null(), "a number is no null and is not consumed");
    assert_eq!(decoder.u8(), Ok(255));
    assert_eq!(decoder.u16(), Ok(256));
    assert_eq!(decoder.finish(), Ok(()));
}

#[test]
fn longer_forms_than_needed_are_refused() {
    for (shortest, longer) in [
        ("17", "1817"),
        ("18ff", "1900ff"),
        ("19ffff", "1a0000ffff"),
        ("1affffffff", "1b00000000ffffffff"),
        ("4161", "580161"),
        ("6161", "780161"),
        ("8101", "980101"),
        ("a10102", "b8010102"),
        ("c101", "d80101"),
        ("20", "3800"),
    ] {
        assert_eq!(validate(&hex(shortest)), Ok(()), "{shortest}");
        assert_eq!(validate(&hex(longer)), Err(CborError::NotCanonical), "{longer}");
    }
}

#[test]
fn indefinite_lengths_floats_and_odd_simple_values_are_refused() {
    for bytes in ["5f4161ff", "7f6161ff", "9f01ff", "bf0102ff"] {
        assert_eq!(validate(&hex(bytes)), Err(CborError::NotCanonical), "{bytes}");
    }
    for bytes in ["f93c00", "fa47c35000", "fb3ff199999999999a", "e0", "f8ff", "f810", "ff", "1c", "df", "1f"]
    {
        assert_eq!(validate(&hex(bytes)), Err(CborError::Unsupported), "{bytes}");
    }
    for bytes in ["f4", "f5", "f6", "f7"] {
        assert_eq!(validate(&hex(bytes)), Ok(()), "{bytes}");
    }
}

#[test]
fn map_keys_ascend_without_repetition() {
    assert_eq!(validate(&hex("a3010220034100f6")), Ok(()), "number, negative, bytes");
    assert_eq!(validate(&hex("a201020102")), Err(CborError::NotCanonical), "repeated");
    assert_eq!(validate(&hex("a202000100")), Err(CborError::NotCanonical), "descending");
    assert_eq!(validate(&hex("a18000")), Err(CborError::Unsupported), "an array as a key");
    assert_eq!(validate(&hex("a201a2010203040200")), Ok(()), "a map inside a map has keys of its own");
}

#[test]
fn ends_of_input_and_trailing_bytes() {
    let whole = hex("8301426162a1016163");
    assert_eq!(validate(&whole), Ok(()));
    for end in 0..whole.len() {
        assert_eq!(validate(&whole[..end]), Err(CborError::Short), "{end}");
    }
    assert_eq!(validate(&[whole, vec![0]].concat()), Err(CborError::Trailing));
}

#[test]
fn nesting_is_counted_not_recursed() {
    let nested = |levels: usize| [vec![0x81; levels], vec![0]].concat();
    assert_eq!(validate(&nested(DEPTH_MAX)), Ok(()));
    assert_eq!(validate(&nested(DEPTH_MAX + 1)), Err(CborError::TooDeep));
    assert_eq!(validate(&nested(200_000)), Err(CborError::TooDeep));
    let tags = [vec![0xc1; 40], vec![0]].concat();
    assert_eq!(validate(&tags), Err(CborError::TooDeep));
}

#[test]
fn declared_lengths_reserve_nothing() {
    for head in [0x5b, 0x7b, 0x9b, 0xbb] {
        for length in [u64::MAX, 1 << 63, (1 << 63) - 1, (1 << 32), (1 << 32) + 1] {
            let bytes = [&[head][..], &length.to_be_bytes()].concat();
            assert_eq!(validate(&bytes), Err(CborError::Short), "{head:x} {length}");
        }
    }
}

#[test]
fn further_elements_are_read_over_but_not_missing_ones() {
    let mut decoder = Decoder::new(&[0x83, 1, 2, 3]);
    let further = decoder.array_of(1).unwrap();
    assert_eq!((further, decoder.u64()), (2, Ok(1)));
    assert_eq!(decoder.skip(further), Ok(()));
    assert_eq!(decoder.finish(), Ok(()));
    assert_eq!(Decoder::new(&[0x81, 1]).array_of(2), Err(CborError::TooFew));
    assert_eq!(Decoder::new(&[0xa1, 1, 2]).array(), Err(CborError::WrongType));
    assert_eq!(Decoder::new(&hex("190100")).u8(), Err(CborError::WrongType));
    assert_eq!(Decoder::new(&hex("6161")).bytes(), Err(CborError::WrongType));
    assert_eq!(Decoder::new(&hex("61ff")).text(), Err(CborError::NotUtf8));
}

proptest! {
    /// An independent decoder reads whatever passes, to the same end.
    #[test]
    fn minicbor_reads_whatever_passes(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        if validate(&bytes).is_ok() {
            let mut decoder = minicbor::Decoder::new(&bytes);
            prop_assert!(decoder.skip().is_ok());
            prop_assert_eq!(decoder.position(), bytes.len());
        }
    }
}
