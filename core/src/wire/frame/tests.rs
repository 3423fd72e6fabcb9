use alloc::vec::Vec;

use super::*;

fn frames(deframer: &mut Deframer) -> Result<Vec<Bytes>, FrameError> {
    let mut all = Vec::new();
    while let Some(frame) = deframer.next_frame()? {
        all.push(frame);
    }
    Ok(all)
}

#[test]
fn any_split_gives_the_same_frames() {
    let bodies: [&[u8]; 4] = [b"", b"one", &[7; 200], b"last"];
    let stream: Vec<u8> = bodies.iter().flat_map(|body| with_varint(body)).collect();
    for split in 0..=stream.len() {
        let mut deframer = Deframer::new(Prefix::Varint, 200);
        let mut all = Vec::new();
        for piece in [&stream[..split], &stream[split..]] {
            deframer.push(Bytes::copy_from_slice(piece));
            all.extend(frames(&mut deframer).unwrap());
        }
        assert_eq!(all, bodies, "split at {split}");
        assert_eq!(deframer.buffered(), 0);
    }
}

#[test]
fn the_limit_holds_at_its_edge_and_before_the_body() {
    for (length, fits) in [(9u8, true), (10, true), (11, false)] {
        let mut deframer = Deframer::new(Prefix::Varint, 10);
        deframer.push(Bytes::from(alloc::vec![length]));
        assert_eq!(deframer.next_frame().is_ok(), fits, "{length}");
    }
    let mut deframer = Deframer::new(Prefix::U32, 10);
    deframer.push(Bytes::from_static(&[0xff; 4]));
    assert_eq!(deframer.next_frame(), Err(FrameError::Oversize));
    deframer.push(Bytes::from_static(&[0, 0, 0, 0]));
    assert_eq!(deframer.next_frame(), Err(FrameError::Oversize), "it stays refused");
    assert_eq!(deframer.buffered(), 0);
}

#[test]
fn a_prefix_that_is_not_minimal_is_refused() {
    let mut deframer = Deframer::new(Prefix::Varint, 1000);
    deframer.push(Bytes::from_static(&[0x83, 0x00]));
    assert_eq!(deframer.next_frame(), Err(FrameError::BadPrefix));
}

#[test]
fn t5_a_length_has_at_most_five_bytes() {
    let mut deframer = Deframer::new(Prefix::Varint, usize::MAX);
    deframer.push(Bytes::from_static(&[0xff; 4]));
    assert_eq!(deframer.next_frame(), Ok(None));
    deframer.push(Bytes::from_static(&[0xff]));
    assert_eq!(deframer.next_frame(), Err(FrameError::Oversize));
}

#[test]
fn t17_a_frame_that_has_begun_does_not_hold_its_piece() {
    let piece = Bytes::from(alloc::vec![9; 60_000]);
    let mut deframer = Deframer::new(Prefix::Varint, 100);
    deframer.push(piece.slice(..5));
    assert_eq!(deframer.next_frame(), Ok(None));
    assert!(piece.is_unique());
    assert_eq!(deframer.buffered(), 5);
}

#[test]
fn leftover_bytes_are_handed_on() {
    let mut deframer = Deframer::new(Prefix::U16, 1000);
    deframer.push(Bytes::from_static(&[0, 1, b'x', b'r', b'e', b's', b't']));
    assert_eq!(deframer.next_frame(), Ok(Some(Bytes::from_static(b"x"))));
    assert_eq!(deframer.into_rest(), Bytes::from_static(b"rest"));
}
