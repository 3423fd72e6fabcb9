//! Small parts on their own.

use alloc::vec::Vec;

use super::super::bits::Bits;
use super::super::outbox::Outbox;
use crate::bob::packet::Uid;

#[test]
fn bits_hold_what_was_inserted() {
    let mut bits = Bits::default();
    for number in [0, 63, 64, 1000] {
        assert!(!bits.contains(number));
        bits.insert(number);
        assert!(bits.contains(number));
    }
    assert_eq!(bits.iter().collect::<Vec<_>>(), [0, 63, 64, 1000]);
    assert!(bits.remove(64));
    assert!(!bits.remove(64));
    assert!(!bits.remove(5000));
    assert_eq!(bits.iter().collect::<Vec<_>>(), [0, 63, 1000]);
}

#[test]
fn an_outbox_knows_whose_bytes_have_left() {
    let mut outbox = Outbox::default();
    outbox.sent(Uid(1), 10);
    outbox.sent(Uid(1), 5);
    outbox.sent(Uid(2), 20);
    outbox.sent(Uid(1), 1);
    let of = |outbox: &Outbox| (outbox.bytes(), outbox.bytes_of(Uid(1)), outbox.bytes_of(Uid(2)));
    assert_eq!(of(&outbox), (36, 16, 20));
    outbox.written(12);
    assert_eq!(of(&outbox), (24, 4, 20));
    outbox.written(13);
    assert_eq!(of(&outbox), (11, 1, 10));
    outbox.written(100);
    assert_eq!(of(&outbox), (0, 0, 0));
}
