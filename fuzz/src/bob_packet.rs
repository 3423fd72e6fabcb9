//! The decoder of Bob's handshake port.

use bytes::{Bytes, BytesMut};
use pleach_core::bob::packet::{DecodeError, Decoder, Packet};
use pleach_tests::allocations;

/// Heap that a decoder may hold: one packet with the longest identity, as a vector grows.
const HELD_MAX: i64 = 1024;

/// `bob::packet`: a stream cut anywhere gives the same packets, each of which can be written and read again.
pub fn packet(data: &[u8]) {
    let (first, stream) = data.split_first().unwrap_or((&0, &[]));
    let whole = decode(std::iter::once(stream));
    assert_eq!(whole, decode(stream.chunks(1)), "byte by byte");
    assert_eq!(whole, decode(stream.chunks(usize::from(*first).saturating_add(1))), "in pieces");
    for packet in &whole.0 {
        let mut encoded = BytesMut::new();
        // Only what others wrote may have an identity that is too long for us.
        if packet.encode(&mut encoded).is_ok() {
            assert!(encoded.len() <= Packet::WRITTEN_MAX);
            let again = decode(std::iter::once(encoded.as_ref()));
            assert_eq!(again, (vec![packet.clone()], Ok(false)), "written and read again");
        }
    }
}

/// The packets, and whether the stream stopped inside one, or how it failed.
fn decode<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Packet>, Result<bool, DecodeError>) {
    let (mut decoder, mut packets) = (Decoder::new(), Vec::new());
    let pieces: Vec<Bytes> = pieces.map(Bytes::copy_from_slice).collect();
    for mut bytes in pieces {
        loop {
            let before = allocations::live();
            let next = decoder.next(&mut bytes);
            match next {
                Ok(Some(packet)) => packets.push(packet),
                Ok(None) => {
                    assert!(allocations::live().saturating_sub(before) <= HELD_MAX, "too much is held");
                    break;
                }
                Err(error) => {
                    assert_eq!(decoder.next(&mut Bytes::from_static(b"000108")), Err(error), "it stays so");
                    return (packets, Err(error));
                }
            }
        }
        assert!(bytes.is_empty(), "all has been taken");
    }
    (packets, Ok(decoder.is_inside_packet()))
}
