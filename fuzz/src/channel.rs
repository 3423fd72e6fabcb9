//! Decoders of the channel.

use bytes::{Bytes, BytesMut};
use pleach_core::Instant;
use pleach_core::channel::identify::{self, PeerRecord};
use pleach_core::channel::multistream::{Negotiation, Progress};
use pleach_core::channel::noise::Payload;
use pleach_core::channel::{Role, yamux};
use pleach_tests::choices::Choices;

use crate::wire::frugal;

/// `channel::multistream`: both sides, cut anywhere.
pub fn multistream(data: &[u8]) {
    let (first, stream) = data.split_first().unwrap_or((&0, &[]));
    let whole = negotiate(*first, std::iter::once(stream));
    assert_eq!(whole, negotiate(*first, stream.chunks(1)), "byte by byte");
    assert_eq!(whole, negotiate(*first, stream.chunks(usize::from(*first).saturating_add(1))), "in pieces");
}

/// What was agreed on, if anything was; what was written; how it failed.
fn negotiate<'a>(side: u8, pieces: impl Iterator<Item = &'a [u8]>) -> (Option<String>, Bytes, String) {
    let mut out = BytesMut::new();
    let mut negotiation = if side.is_multiple_of(2) {
        Negotiation::dialler(vec!["/yamux/1.0.0".into(), "/noise".into()], &mut out)
    } else {
        Negotiation::listener(&mut out)
    };
    for piece in pieces {
        let supported = |name: &str| name == "/noise";
        match negotiation.receive(Bytes::copy_from_slice(piece), supported, &mut out) {
            Ok(Progress::Agreed { protocol, .. }) => {
                return (Some(protocol.to_string()), out.freeze(), String::new());
            }
            Ok(Progress::Pending) => {}
            Ok(other) => return (None, out.freeze(), format!("{other:?}")),
            Err(error) => return (None, Bytes::new(), format!("{error:?}")),
        }
    }
    (None, out.freeze(), String::new())
}

/// The payload of a Noise message.
pub fn noise_payload(data: &[u8]) {
    if let Ok(payload) = frugal(data, || Payload::decode(data)) {
        let mut encoded = BytesMut::new();
        payload.encode(&mut encoded);
        assert_eq!(Payload::decode(&encoded).as_ref(), Ok(&payload));
        assert!(!payload.vouches_for(&[0; 32]), "nobody signed that");
    }
}

/// `channel::yamux`: frames and credit, cut anywhere.
pub fn yamux(data: &[u8]) {
    let mut choices = Choices::new(data);
    let role = if choices.once_in(2) { Role::Dialler } else { Role::Listener };
    let size = usize::from(choices.byte()).saturating_add(1);
    let stream = data.get(2..).unwrap_or_default();
    let whole = multiplex(role, std::iter::once(stream));
    assert_eq!(whole, multiplex(role, stream.chunks(1)), "byte by byte");
    assert_eq!(whole, multiplex(role, stream.chunks(size)), "in pieces");
}

/// Events without the cuts of their bytes, and how it ended.
fn multiplex<'a>(role: Role, pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<yamux::Event>, String) {
    let mut multiplexer = yamux::Multiplexer::new(yamux::Config::default(), role);
    let mut events: Vec<yamux::Event> = Vec::new();
    for piece in pieces {
        let mut bytes = Bytes::copy_from_slice(piece);
        loop {
            match multiplexer.next_event(Instant::ORIGIN, &mut bytes) {
                Ok(Some(event)) => push(&mut events, event),
                Ok(None) => break,
                Err(error) => return (events, format!("{error:?}")),
            }
        }
        assert!(bytes.is_empty(), "all has been taken");
    }
    (events, String::new())
}

/// Joins bytes of one stream that came in several pieces.
fn push(events: &mut Vec<yamux::Event>, event: yamux::Event) {
    if let (
        Some(yamux::Event::Received { stream, bytes }),
        yamux::Event::Received { stream: again, bytes: more },
    ) = (events.last_mut(), &event)
        && stream == again
    {
        *bytes = [bytes.as_ref(), more.as_ref()].concat().into();
        return;
    }
    events.push(event);
}

/// `channel::identify`, with the record in its envelope.
pub fn identify(data: &[u8]) {
    if let Ok(info) = frugal(data, || identify::Info::decode(data)) {
        let mut encoded = BytesMut::new();
        info.encode(&mut encoded);
        assert_eq!(identify::Info::decode(&encoded).as_ref(), Ok(&info));
    }
    if let Ok(record) = frugal(data, || PeerRecord::decode(data)) {
        let mut encoded = BytesMut::new();
        record.encode(&mut encoded);
        assert_eq!(PeerRecord::decode(&encoded).as_ref(), Ok(&record));
    }
    let _ = frugal(data, || PeerRecord::open(data).is_ok());
}
