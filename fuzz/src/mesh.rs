//! Decoders of the mesh.

use bytes::Bytes;
use pleach_core::mesh::establishment::Message;
use pleach_core::mesh::{heads, rpc};
use pleach_core::wire::frame::{Deframer, Prefix};

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
