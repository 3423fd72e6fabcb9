use alloc::vec::Vec;

use super::*;

fn parse(bytes: &[u8]) -> Result<(u64, usize), VarintError> {
    let mut reader = Reader::new(bytes);
    read(&mut reader).map(|value| (value, reader.len()))
}

#[test]
fn every_length_survives_a_round_trip() {
    for bits in 0..63 {
        for value in [(1u64 << bits) - 1, 1 << bits, (1 << bits) + 1] {
            let mut out = Vec::new();
            write(value, &mut out);
            assert_eq!(out.len(), length(value), "{value}");
            assert_eq!(
                parse(&out),
                if value < 1 << 63 { Ok((value, 0)) } else { Err(VarintError::TooLarge) }
            );
            assert_eq!(read_protobuf(&mut Reader::new(&out)), Ok(value));
        }
    }
}

#[test]
fn exhaustive_over_one_and_two_bytes_only_minimal_forms_pass() {
    for first in 0..=255u8 {
        for second in 0..=255u8 {
            let parsed = parse(&[first, second]);
            let expected = if first < 0x80 {
                Ok((u64::from(first), 1))
            } else if second == 0 {
                Err(VarintError::NotMinimal)
            } else if second < 0x80 {
                Ok((u64::from(first & 0x7f) | u64::from(second) << 7, 0))
            } else {
                Err(VarintError::Short)
            };
            assert_eq!(parsed, expected);
        }
    }
}

#[test]
fn the_two_forms_differ_in_length_and_minimality() {
    assert_eq!(parse(&[0xff; 9]), Err(VarintError::TooLarge));
    let ten = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    assert_eq!(read_protobuf(&mut Reader::new(&ten)), Ok(u64::MAX));
    let eleventh_bit = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02];
    assert_eq!(read_protobuf(&mut Reader::new(&eleventh_bit)), Err(VarintError::TooLarge));
    assert_eq!(read_protobuf(&mut Reader::new(&[0x83, 0x00])), Ok(3));
    assert_eq!(parse(&[0x83, 0x00]), Err(VarintError::NotMinimal));
}
