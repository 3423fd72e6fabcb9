//! Packets out of a stream that is cut anywhere.

use alloc::vec::Vec;
use core::fmt;

use bytes::{Buf, Bytes};

use super::{
    Body, HEADER_LEN, Identity, POINT_LEN, PUBLIC_LEN, Packet, RelayFailure, SpokeFailure, UID_LEN, Uid,
    VALIDATOR_LEN,
};
use crate::wire::Reader;

/// Why a stream of packets cannot go on: fatal for its link.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DecodeError {
    /// A digit in front of a packet is not hexadecimal.
    Header,
    /// No packet is of this kind.
    Kind(u8),
    /// A uid in a body is not hexadecimal.
    Uid,
    /// The uid of an announced server is not hexadecimal.
    NewServer,
    /// A failure that is none of those defined.
    Failure,
    /// An identity that does not end within [`Identity::READ_MAX`] bytes.
    TooLong,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header => f.write_str("invalid header"),
            Self::Kind(kind) => write!(f, "invalid packet ({kind:02x})"),
            Self::Uid => f.write_str("invalid uid"),
            Self::NewServer => f.write_str("invalid new server"),
            Self::Failure => f.write_str("invalid failure"),
            Self::TooLong => f.write_str("packet too long"),
        }
    }
}

impl core::error::Error for DecodeError {}

/// Cuts a stream into packets. Holds one packet at most, and nothing between packets; each byte is looked at once.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    partial: Vec<u8>,
    error: Option<DecodeError>,
}

impl Decoder {
    /// At the start of a stream.
    #[must_use]
    pub const fn new() -> Self {
        Self { partial: Vec::new(), error: None }
    }

    /// Takes from `bytes` up to the end of the next packet, if that is there; else all of them.
    ///
    /// # Errors
    /// The stream is malformed; so is, from then on, all that follows. What has been taken is lost.
    pub fn next(&mut self, bytes: &mut Bytes) -> Result<Option<Packet>, DecodeError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let next = self.advance(bytes);
        if next.is_err() {
            self.partial = Vec::new();
        }
        self.error = next.as_ref().err().copied();
        next
    }

    /// Whether the stream stands inside a packet.
    #[must_use]
    pub const fn is_inside_packet(&self) -> bool {
        !self.partial.is_empty()
    }

    fn advance(&mut self, bytes: &mut Bytes) -> Result<Option<Packet>, DecodeError> {
        if !self.fill(bytes, HEADER_LEN) {
            return Ok(None);
        }
        let kind = header(&self.partial)?.1;
        let (fixed, has_identity) = shape(kind)?;
        if !self.fill(bytes, HEADER_LEN + fixed) {
            return Ok(None);
        }
        if has_identity && !self.fill_identity(bytes, HEADER_LEN + fixed)? {
            return Ok(None);
        }
        parse(&core::mem::take(&mut self.partial)).map(Some)
    }

    /// Whether the packet has its first `length` bytes now.
    fn fill(&mut self, bytes: &mut Bytes, length: usize) -> bool {
        let missing = length.saturating_sub(self.partial.len()).min(bytes.len());
        self.take(bytes, missing);
        self.partial.len() >= length
    }

    /// Whether the packet has its identity, with the NUL behind it. The search begins behind the fixed part, which may
    /// hold NULs of its own.
    fn fill_identity(&mut self, bytes: &mut Bytes, start: usize) -> Result<bool, DecodeError> {
        let have = self.partial.len().saturating_sub(start);
        let room = (Identity::READ_MAX + 1).saturating_sub(have);
        if let Some(end) = bytes.iter().take(room).position(|byte| *byte == 0) {
            self.take(bytes, end + 1);
            return Ok(true);
        }
        if bytes.len() >= room {
            return Err(DecodeError::TooLong);
        }
        self.take(bytes, bytes.len());
        Ok(false)
    }

    fn take(&mut self, bytes: &mut Bytes, count: usize) {
        self.partial.extend_from_slice(bytes.get(..count).unwrap_or_default());
        bytes.advance(count.min(bytes.len()));
    }
}

/// Bytes of the fixed part of a body, and whether an identity follows.
const fn shape(kind: u8) -> Result<(usize, bool), DecodeError> {
    Ok(match kind {
        0x00 => (PUBLIC_LEN, false),
        0x01 | 0x08 | 0x0a | 0x0b | 0x0e | 0x0f => (0, false),
        0x02 | 0x03 => (0, true),
        0x04 => (UID_LEN + PUBLIC_LEN, true),
        0x05 => (VALIDATOR_LEN, false),
        0x06 => (POINT_LEN + VALIDATOR_LEN, false),
        0x07 => (POINT_LEN, true),
        0x09 => (UID_LEN, false),
        0x0c => (1 + UID_LEN, false),
        0x0d => (1, false),
        _ => return Err(DecodeError::Kind(kind)),
    })
}

fn header(packet: &[u8]) -> Result<(Uid, u8), DecodeError> {
    let mut reader = Reader::new(packet);
    let uid = uid(&mut reader).ok_or(DecodeError::Header)?;
    let [high, low] = reader.array().map_err(|_| DecodeError::Header)?;
    let kind = digit(high).zip(digit(low)).map(|(high, low)| high << 4 | low).ok_or(DecodeError::Header)?;
    Ok((uid, kind))
}

/// A packet of which every byte is there.
fn parse(packet: &[u8]) -> Result<Packet, DecodeError> {
    let (uid, kind) = header(packet)?;
    let mut reader = Reader::new(packet.get(HEADER_LEN..).unwrap_or_default());
    let short = |_| DecodeError::Header;
    let body = match kind {
        0x00 => Body::HelloAsServer { public: reader.array().map_err(short)? },
        0x01 => Body::HelloAsClient,
        0x02 => Body::ServerIdentity { identity: identity(reader)? },
        0x03 => Body::ClientIdentity { identity: identity(reader)? },
        0x04 => Body::NewServer {
            server: self::uid(&mut reader).ok_or(DecodeError::NewServer)?,
            public: reader.array().map_err(short)?,
            identity: identity(reader)?,
        },
        0x05 => Body::ClientValidator { validator: reader.array().map_err(short)? },
        0x06 => Body::ServerShare {
            share: reader.array().map_err(short)?,
            validator: reader.array().map_err(short)?,
        },
        0x07 => Body::ClientShare { share: reader.array().map_err(short)?, identity: identity(reader)? },
        0x08 => Body::Agreement,
        0x09 => Body::Closed { peer: self::uid(&mut reader).ok_or(DecodeError::Uid)? },
        0x0a => Body::Accepted,
        0x0b => Body::Refused,
        0x0c => {
            let letter = reader.u8().map_err(short)?;
            let about = self::uid(&mut reader).ok_or(DecodeError::Uid)?;
            Body::RelayFailure(RelayFailure::of(letter, about).ok_or(DecodeError::Failure)?)
        }
        0x0d => {
            let byte = reader.u8().map_err(short)?;
            Body::SpokeFailure(SpokeFailure::from_byte(byte).ok_or(DecodeError::Failure)?)
        }
        0x0e => Body::Done,
        0x0f => Body::Timeout,
        _ => return Err(DecodeError::Kind(kind)),
    };
    Ok(Packet { uid, body })
}

/// The rest of the packet but the NUL at its end.
fn identity(reader: Reader<'_>) -> Result<Identity, DecodeError> {
    let bytes = reader.rest().strip_suffix(&[0]).unwrap_or_default();
    Identity::new(Bytes::copy_from_slice(bytes)).map_err(|_| DecodeError::TooLong)
}

/// Four hex digits of either case.
fn uid(reader: &mut Reader<'_>) -> Option<Uid> {
    let digits = reader.array::<UID_LEN>().ok()?;
    digits.into_iter().try_fold(0, |uid, byte| Some(uid << 4 | u16::from(digit(byte)?))).map(Uid)
}

const fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}
