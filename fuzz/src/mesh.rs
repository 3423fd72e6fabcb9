//! Decoders of the mesh.

use bytes::Bytes;
use pleach_core::identity::Keypair;
use pleach_core::mesh::establishment::Message;
use pleach_core::mesh::signed::{Refusal, Signed};
use pleach_core::mesh::{heads, rpc};
use pleach_core::peers::{self, Book, Kind};
use pleach_core::wire::frame::{Deframer, Prefix};
use pleach_core::{At, Instant, WallTime};

use crate::wire::frugal;

/// The body of an encoded frame.
fn body(frame: Bytes) -> Bytes {
    let mut deframer = Deframer::new(Prefix::Varint, usize::MAX);
    deframer.push(frame);
    deframer.next_frame().ok().flatten().unwrap_or_default()
}

/// Overlay and broadcast messages.
pub fn rpc(data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    if let Ok(message) = frugal(data, || rpc::decode(&bytes))
        && message.action != rpc::Action::Unknown
    {
        let again = rpc::decode(&rpc::encode(&message.topic, &message.action));
        let again = again.map(|again| (again.topic, again.action));
        assert_eq!(again, Ok((message.topic, message.action)));
    }
}

/// HEADs.
pub fn heads(data: &[u8]) {
    if let Ok(Some(found)) = frugal(data, || heads::decode_frame(data)) {
        assert!(found.len() <= heads::HEADS_MAX);
        assert_eq!(heads::decode_frame(&body(heads::encode_frame(&found))), Ok(Some(found)));
    }
    if let Ok(fields) = frugal(data, || heads::Fields::from_body(data)) {
        assert_eq!(heads::Fields::from_body(&fields.to_body()), Ok(fields));
    }
}

/// Messages of the establishment.
pub fn establishment(data: &[u8]) {
    if let Ok(Some(message)) = frugal(data, || Message::from_frame(data)) {
        assert_eq!(Message::from_frame(&body(message.to_frame())), Ok(Some(message)));
    }
}

/// Signed payloads: those that are opened can be read, and no others are.
pub fn signed(data: &[u8]) {
    let payload = Bytes::copy_from_slice(data);
    let read = frugal(data, || Signed::read(&payload));
    let now = read.as_ref().map_or(WallTime::default(), |signed| signed.issued);
    let opened = frugal(data, || Signed::open(&payload, "network", "topic", now));
    match (&read, opened) {
        (Some(read), Ok(opened)) => assert_eq!(*read, opened),
        (Some(_), Err(refusal)) => assert_eq!(refusal, Refusal::BadSignature),
        (None, opened) => assert_eq!(opened, Err(Refusal::Malformed)),
    }
    // What is sealed can be opened, and is what was sealed.
    let pair = Keypair::from_seed(&[7; 32]);
    let sealed = Signed::seal(&pair, "network", "topic", now, 3, data);
    let again = Signed::open(&sealed, "network", "topic", now).map(|signed| signed.content);
    assert_eq!(again.as_deref(), Ok(data));
    assert_eq!(Signed::open(&sealed, "network", "another", now), Err(Refusal::BadSignature));
}

/// Records of the peer book, as a store gives them back after a restart.
pub fn record(data: &[u8]) {
    for kind in [Kind::Ban, Kind::Peer] {
        let mut book = Book::new(peers::Config::default());
        let at = At { now: Instant::ORIGIN, wall: WallTime::from_unix_ms(1_800_000_000_000) };
        let restored = frugal(data, || book.restore(at, 1_u8, kind, data));
        let known = usize::from(restored == Ok(true));
        assert!(book.len().saturating_add(book.offenders()) == known, "{restored:?}, and yet {book:?}");
    }
}
