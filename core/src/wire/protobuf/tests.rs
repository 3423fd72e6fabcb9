use alloc::vec::Vec;

use super::*;

fn read(bytes: &[u8]) -> Result<Vec<(u32, Value<'_>)>, ProtobufError> {
    Fields::new(bytes).collect()
}

#[test]
fn every_wire_type_survives_a_round_trip() {
    let mut out = Vec::new();
    put_varint(1, 300, &mut out);
    put_fixed64(100, u64::MAX - 1, &mut out);
    put_bytes(2, b"text", &mut out);
    let expected = [(1, Value::Varint(300)), (100, Value::Fixed64(u64::MAX - 1)), (2, Value::Bytes(b"text"))];
    assert_eq!(read(&out).unwrap(), expected);
    assert_eq!(read(&[0x0d, 1, 0, 0, 0]).unwrap(), [(1, Value::Fixed32(1))]);
}

#[test]
fn malformed_fields_are_named() {
    let cases: [(&[u8], ProtobufError); 8] = [
        (&[0x08], ProtobufError::Short),
        (&[0x0a, 0x05, 1], ProtobufError::Short),
        (&[0x0b], ProtobufError::Short),
        (&[0x0c], ProtobufError::Group),
        (&[0x0b, 0x14], ProtobufError::Group),
        (&[0x00, 0x01], ProtobufError::BadTag),
        (&[0x0e], ProtobufError::BadTag),
        (&[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02], ProtobufError::BadVarint),
    ];
    for (bytes, error) in cases {
        assert_eq!(read(bytes), Err(error), "{bytes:02x?}");
    }
    assert_eq!(Value::Varint(1).bytes(), Err(ProtobufError::WrongType));
    assert_eq!(Value::Bytes(&[0xff]).text(), Err(ProtobufError::NotText));
}

#[test]
fn an_error_ends_the_fields() {
    let mut fields = Fields::new(&[0x0c, 0x08, 0x01]);
    assert!(fields.next().is_some_and(|field| field.is_err()));
    assert!(fields.next().is_none());
}

#[test]
fn t4_groups_are_skipped_to_a_depth() {
    // 15: { 1: 7, 2: { 3: "x" } }, then 1: 2.
    let nested = [0x7b, 0x08, 0x07, 0x13, 0x1a, 0x01, b'x', 0x14, 0x7c, 0x08, 0x02];
    assert_eq!(read(&nested).unwrap(), [(15, Value::Group), (1, Value::Varint(2))]);
    assert_eq!(Value::Group.varint(), Err(ProtobufError::WrongType));
    let deep = |levels: usize| {
        [
            Vec::from_iter(core::iter::repeat_n(0x7b, levels)),
            Vec::from_iter(core::iter::repeat_n(0x7c, levels)),
        ]
        .concat()
    };
    assert_eq!(read(&deep(32)).unwrap(), [(15, Value::Group)]);
    assert_eq!(read(&deep(33)), Err(ProtobufError::Group));
}
