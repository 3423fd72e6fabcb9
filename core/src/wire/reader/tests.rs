use super::*;

#[test]
fn a_failed_read_consumes_nothing() {
    let mut reader = Reader::new(&[1, 2, 3]);
    assert_eq!(reader.u32(), Err(Short));
    assert_eq!(reader.take(4), Err(Short));
    assert_eq!(reader.u16(), Ok(0x0102));
    assert_eq!((reader.peek(), reader.len()), (Some(3), 1));
    assert_eq!(reader.u8(), Ok(3));
    assert!(reader.is_empty() && reader.peek().is_none());
}
