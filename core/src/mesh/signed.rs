//! Signed payloads: what the `native` preset publishes, so that every node can check who wrote a message before it
//! relays it.
//!
//! Payload: deterministic CBOR `[body bstr, signature bstr(64)]`. Body: `[1, author bstr(38), issued uint (Unix ms),
//! sequence uint, content bstr]`; further elements are ignored. Signature: Ed25519 (strict) by the author over
//! `ff "pleach/message/1" 00 || varint(length) network || varint(length) topic || body`.
//!
//! The time makes equal contents different messages, and old ones recognisable after everybody has forgotten their ids:
//! [`AGE_MAX`] stays below the time that ids are remembered (T-49).

use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use crate::identity::{Keypair, PeerId};
use crate::time::WallTime;
use crate::wire::cbor::{Decoder, encode};
use crate::wire::varint;

/// A message older than this, or this much ahead of our clock, is ignored.
pub const AGE_MAX: Duration = Duration::from_secs(5 * 60);

/// The form of bodies that this page describes.
const FORM: u64 = 1;
const DOMAIN: &[u8] = b"\xffpleach/message/1\0";

/// What a payload says, once its signature was found good.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Signed {
    /// Who wrote it.
    pub author: PeerId,
    /// When, by the author's clock.
    pub issued: WallTime,
    /// How many messages the author's node wrote before.
    pub sequence: u64,
    /// The message.
    pub content: Bytes,
}

/// Why a payload is not delivered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// Not of this form: perhaps of a newer version, so nobody is to blame.
    Malformed,
    /// The signature is wrong: whoever passed it on did not check it.
    BadSignature,
    /// Too old, or from the future; clocks differ, so nobody is to blame.
    OutOfTime,
}

impl Signed {
    /// Signs this content for one topic of one network.
    #[must_use]
    pub fn seal(
        pair: &Keypair,
        network: &str,
        topic: &str,
        issued: WallTime,
        sequence: u64,
        content: &[u8],
    ) -> Bytes {
        let author = pair.peer_id().to_bytes();
        let body = encode(|to| {
            to.array(5)?.u64(FORM)?.bytes(&author)?.u64(issued.unix_ms())?.u64(sequence)?.bytes(content)?.ok()
        });
        let signature = pair.sign(&signed_bytes(network, topic, &body));
        Bytes::from(encode(|to| to.array(2)?.bytes(&body)?.bytes(&signature)?.ok()))
    }

    /// Reads a payload and checks its signature and age.
    pub fn open(payload: &Bytes, network: &str, topic: &str, now: WallTime) -> Result<Self, Refusal> {
        let (body, signature) = split(payload).ok_or(Refusal::Malformed)?;
        let signed = read_body(&body).ok_or(Refusal::Malformed)?;
        if now.since(signed.issued) > AGE_MAX || signed.issued.since(now) > AGE_MAX {
            return Err(Refusal::OutOfTime);
        }
        if !signed.author.public_key().verify(&signed_bytes(network, topic, &body), &signature) {
            return Err(Refusal::BadSignature);
        }
        Ok(signed)
    }

    /// Reads a payload whose signature was found good before.
    #[must_use]
    pub fn read(payload: &Bytes) -> Option<Self> {
        read_body(&split(payload)?.0)
    }
}

fn split(payload: &Bytes) -> Option<(Bytes, [u8; 64])> {
    let mut decoder = Decoder::new(payload);
    let further = decoder.array_of(2).ok()?;
    let body = payload.slice_ref(decoder.bytes().ok()?);
    let signature = decoder.byte_array().ok()?;
    decoder.skip(further).ok()?;
    decoder.finish().ok()?;
    Some((body, signature))
}

fn read_body(body: &Bytes) -> Option<Signed> {
    let mut decoder = Decoder::new(body);
    let further = decoder.array_of(5).ok()?;
    if decoder.u64().ok()? != FORM {
        return None;
    }
    let author = PeerId::from_bytes(decoder.bytes().ok()?)?;
    let issued = WallTime::from_unix_ms(decoder.u64().ok()?);
    let sequence = decoder.u64().ok()?;
    let content = body.slice_ref(decoder.bytes().ok()?);
    decoder.skip(further).ok()?;
    decoder.finish().ok()?;
    Some(Signed { author, issued, sequence, content })
}

fn signed_bytes(network: &str, topic: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = DOMAIN.to_vec();
    for name in [network, topic] {
        varint::write(u64::try_from(name.len()).unwrap_or(u64::MAX), &mut bytes);
        bytes.extend_from_slice(name.as_bytes());
    }
    bytes.extend_from_slice(body);
    bytes
}

#[cfg(test)]
mod tests;
