//! Decoders: no panic, no more memory than the input warrants (T-2), what is decoded can be encoded (T-9), and the
//! cuts of a stream do not matter (T-7).

use bytes::{Bytes, BytesMut};
use pleach_core::identity::{Keypair, PeerId, PublicKey};
use pleach_core::wire::frame::{Deframer, FrameError, Prefix};
use pleach_core::wire::multiaddr::Multiaddr;
use pleach_core::wire::protobuf::{Fields, Value};
use pleach_core::wire::{self, Reader};
use pleach_tests::allocations;
use pleach_tests::choices::Choices;

/// Decodes, and bounds what that takes (T-2).
pub(crate) fn frugal<T>(data: &[u8], decode: impl FnOnce() -> T) -> T {
    let (decoded, used) = allocations::during(decode);
    let limit = data.len().saturating_mul(4).saturating_add(64 * 1024);
    assert!(used.peak <= limit, "{} bytes of memory for {} of input", used.peak, data.len());
    decoded
}

/// `wire::varint`: both readers.
pub fn varint(data: &[u8]) {
    let mut reader = Reader::new(data);
    if let Ok(value) = wire::varint::read(&mut reader) {
        let mut encoded = BytesMut::new();
        wire::varint::write(value, &mut encoded);
        assert_eq!(encoded.len(), wire::varint::length(value));
        assert_eq!(data.strip_suffix(reader.rest()), Some(&*encoded), "a minimal varint has one form");
    }
    let mut reader = Reader::new(data);
    if let Ok(value) = wire::varint::read_protobuf(&mut reader) {
        let consumed = data.len().saturating_sub(reader.len());
        assert!((wire::varint::length(value)..=10).contains(&consumed));
    }
}

/// `wire::protobuf`: the field walker.
pub fn protobuf(data: &[u8]) {
    let fields: Vec<_> = Fields::new(data).collect();
    assert!(fields.len() <= data.len());
    let good: Vec<_> = fields.iter().filter_map(|field| field.ok()).collect();
    assert!(good.len().saturating_add(1) >= fields.len(), "the first error is the end");
    let mut encoded = BytesMut::new();
    for (number, value) in &good {
        match value {
            Value::Varint(value) => wire::protobuf::put_varint(*number, *value, &mut encoded),
            Value::Fixed64(value) => wire::protobuf::put_fixed64(*number, *value, &mut encoded),
            Value::Bytes(value) => wire::protobuf::put_bytes(*number, value, &mut encoded),
            // Nothing here writes these.
            Value::Fixed32(_) | Value::Group => return,
        }
    }
    let again: Result<Vec<_>, _> = Fields::new(&encoded).collect();
    assert_eq!(again, Ok(good));
}

/// `wire::frame`: every prefix, cut anywhere.
pub fn frame(data: &[u8]) {
    let mut choices = Choices::new(data);
    let prefix = choices.pick(&[Prefix::Varint, Prefix::U16, Prefix::U32]).unwrap_or(Prefix::Varint);
    let limit = usize::from(choices.byte()).saturating_mul(4);
    let seed = choices.byte();
    let stream = data.get(3..).unwrap_or_default();
    let whole = frames(prefix, limit, [stream].into_iter());
    assert_eq!(whole, frames(prefix, limit, stream.chunks(1)), "byte by byte");
    let size = usize::from(seed).saturating_add(1);
    assert_eq!(whole, frames(prefix, limit, stream.chunks(size)), "in pieces of {size}");
}

fn frames<'a>(
    prefix: Prefix,
    limit: usize,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> (Vec<Bytes>, Option<FrameError>) {
    let mut deframer = Deframer::new(prefix, limit);
    let mut found = Vec::new();
    for piece in pieces {
        deframer.push(Bytes::copy_from_slice(piece));
        loop {
            match deframer.next_frame() {
                Ok(Some(frame)) => {
                    assert!(frame.len() <= limit);
                    found.push(frame);
                }
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(deframer.buffered(), 0, "nothing is kept of a broken stream");
                    return (found, Some(error));
                }
            }
        }
        assert!(deframer.buffered() <= limit.saturating_add(10), "no more is held than one frame");
    }
    (found, None)
}

/// `wire::base58`.
pub fn base58(data: &[u8]) {
    let short = data.get(..64).unwrap_or(data);
    let text = wire::base58::encode(short);
    assert_eq!(wire::base58::decode(&text).as_deref(), Some(short));
    if let Ok(text) = str::from_utf8(data)
        && let Some(bytes) = frugal(data, || wire::base58::decode(text))
    {
        assert_eq!(wire::base58::encode(&bytes), text, "base58 has one form");
    }
}

/// Peer ids, binary and text.
pub fn peer_id(data: &[u8]) {
    if let Some(id) = PeerId::from_bytes(data) {
        assert_eq!(id.to_bytes().as_slice(), data);
        assert_eq!(id.to_base58().parse(), Ok(id));
    }
    if let Ok(text) = str::from_utf8(data)
        && let Ok(id) = frugal(data, || text.parse::<PeerId>())
    {
        assert_eq!(id.to_string().parse(), Ok(id));
    }
}

/// Keys in their protobuf forms.
pub fn keys(data: &[u8]) {
    if let Some(key) = PublicKey::from_protobuf(data) {
        assert_eq!(key.to_protobuf().as_slice(), data);
    }
    if let Some(pair) = Keypair::from_protobuf(data) {
        assert_eq!(pair.to_protobuf().as_slice(), data);
        assert!(pair.public().verify(data, &pair.sign(data)));
    }
}

/// `wire::cbor`: exactly one deterministic value, or an error.
pub fn cbor(data: &[u8]) {
    if frugal(data, || wire::cbor::validate(data)).is_ok() {
        let longer = [data, &[0]].concat();
        assert!(wire::cbor::validate(&longer).is_err(), "one value, and nothing behind it");
        let shorter = data.split_last().map(|(_, shorter)| shorter).unwrap_or_default();
        assert!(wire::cbor::validate(shorter).is_err(), "no value is the start of another");
    }
}

/// `wire::multiaddr`: bytes and text.
pub fn multiaddr(data: &[u8]) {
    if let Ok(address) = frugal(data, || Multiaddr::try_from(data)) {
        assert_eq!(address.as_bytes(), data, "a multiaddr has one binary form");
        // The address of no component, which binary forms may carry, has no text form.
        assert!(data.is_empty() || address.to_string().parse() == Ok(address.clone()), "{address}");
        assert!(address.components().count() <= data.len());
    }
    if let Ok(text) = str::from_utf8(data)
        && let Ok(address) = frugal(data, || text.parse::<Multiaddr>())
    {
        assert_eq!(Multiaddr::try_from(address.as_bytes()), Ok(address.clone()));
        assert_eq!(address.to_string().parse(), Ok(address));
    }
}
