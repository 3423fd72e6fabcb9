//! The messages of `/pleach/session/1` and their wire form (`mesh` 2).

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use super::super::Malformed;
use crate::identity::PeerId;
use crate::identity::stamp::Stamp;
use crate::wire::cbor::{Decoder, encode};
use crate::wire::frame;

/// The longest name of a network, in bytes.
pub const NETWORK_MAX: usize = 64;
/// The most metadata, in bytes.
pub const METADATA_MAX: usize = 1024;
/// The most alternatives in a NACK.
pub const ALTERNATIVES_MAX: usize = 99;
/// The most addresses of an alternative.
pub const ADDRESSES_MAX: usize = 8;

/// A message of the stream.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Message {
    /// Who we are: the first message of each side, and only that.
    Hello(Hello),
    /// The peer may stay.
    Ack {
        /// The version that is spoken.
        version: u64,
    },
    /// The peer may not stay.
    Nack {
        /// Why.
        motive: Motive,
        /// Whom it may try instead, unverified.
        alternatives: Vec<Alternative>,
    },
    /// The link is about to be closed; the last message.
    Bye {
        /// Why.
        motive: Motive,
    },
}

/// What a side says of itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Hello {
    /// The network's name, 1..64 bytes.
    pub network: String,
    /// The lowest version it speaks.
    pub lowest: u64,
    /// The highest version it speaks.
    pub highest: u64,
    /// Proof of work over its public key.
    pub stamp: Option<Stamp>,
    /// For the application, at most 1024 bytes.
    pub metadata: Bytes,
}

/// A peer to try instead.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Alternative {
    /// Who.
    pub peer: PeerId,
    /// Where, at most 8 binary multiaddrs, not looked at.
    pub addresses: Vec<Bytes>,
}

/// Why a link is refused or closed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Motive {
    /// 0: not said.
    Unspecified,
    /// 1: no version in common.
    Version,
    /// 2: another network.
    Network,
    /// 3: the proof of work is missing or too little.
    Stamp,
    /// 4: not registered.
    Registration,
    /// 5: only privileged peers are let in.
    PrivilegedOnly,
    /// 6: another link of the two stays.
    Duplicate,
    /// 7: no place, or evicted.
    Quota,
    /// 8: the node shuts down.
    ShuttingDown,
    /// 9: the application does not want it.
    Application,
    /// A motive that this version does not know.
    Other(u64),
}

impl Motive {
    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> u64 {
        match self {
            Self::Unspecified => 0,
            Self::Version => 1,
            Self::Network => 2,
            Self::Stamp => 3,
            Self::Registration => 4,
            Self::PrivilegedOnly => 5,
            Self::Duplicate => 6,
            Self::Quota => 7,
            Self::ShuttingDown => 8,
            Self::Application => 9,
            Self::Other(number) => number,
        }
    }

    /// The motive of a number.
    #[must_use]
    pub const fn of(number: u64) -> Self {
        match number {
            0 => Self::Unspecified,
            1 => Self::Version,
            2 => Self::Network,
            3 => Self::Stamp,
            4 => Self::Registration,
            5 => Self::PrivilegedOnly,
            6 => Self::Duplicate,
            7 => Self::Quota,
            8 => Self::ShuttingDown,
            9 => Self::Application,
            other => Self::Other(other),
        }
    }

    /// How long not to dial a peer that refused us so (E5). Unknown motives count as 0.
    #[must_use]
    pub const fn back_off(self) -> Duration {
        match self {
            Self::Quota => Duration::from_secs(30),
            Self::Duplicate | Self::ShuttingDown => Duration::ZERO,
            Self::Unspecified
            | Self::Version
            | Self::Network
            | Self::Stamp
            | Self::Registration
            | Self::PrivilegedOnly
            | Self::Application
            | Self::Other(_) => Duration::from_secs(600),
        }
    }
}

impl Message {
    /// The frame, with its prefix.
    #[must_use]
    pub fn to_frame(&self) -> Bytes {
        let bytes = encode(|out| match self {
            Self::Hello(hello) => {
                out.array(6)?.u8(0)?.str(&hello.network)?.u64(hello.lowest)?.u64(hello.highest)?;
                match &hello.stamp {
                    Some(stamp) => out.bytes(&stamp.0)?,
                    None => out.null()?,
                };
                out.bytes(&hello.metadata)?.ok()
            }
            Self::Ack { version } => out.array(2)?.u8(1)?.u64(*version)?.ok(),
            Self::Nack { motive, alternatives } => {
                out.array(3)?.u8(2)?.u64(motive.number())?.array(length(alternatives))?;
                for Alternative { peer, addresses } in alternatives {
                    out.array(2)?.bytes(&peer.to_bytes())?.array(length(addresses))?;
                    for address in addresses {
                        out.bytes(address)?;
                    }
                }
                Ok(())
            }
            Self::Bye { motive } => out.array(2)?.u8(3)?.u64(motive.number())?.ok(),
        });
        frame::with_varint(&bytes)
    }

    /// Reads a frame without its prefix. None if its message number is unknown: to be ignored and counted.
    pub fn from_frame(frame: &[u8]) -> Result<Option<Self>, Malformed> {
        let mut decoder = Decoder::new(frame);
        let elements = decoder.array_of(1)?;
        let (known, message) = match decoder.u64()? {
            0 => (5, Some(Self::Hello(decode_hello(&mut decoder, elements)?))),
            1 => (1, Some(Self::Ack { version: decoder.u64()? })),
            2 => (2, Some(decode_nack(&mut decoder)?)),
            3 => (1, Some(Self::Bye { motive: Motive::of(decoder.u64()?) })),
            _ => (0, None),
        };
        decoder.skip(elements.checked_sub(known).ok_or(Malformed::Length)?)?;
        decoder.finish()?;
        Ok(message)
    }
}

fn decode_hello(decoder: &mut Decoder<'_>, elements: u64) -> Result<Hello, Malformed> {
    if elements < 5 {
        return Err(Malformed::Length);
    }
    let network = decoder.text()?;
    if !(1..=NETWORK_MAX).contains(&network.len()) {
        return Err(Malformed::Length);
    }
    let (lowest, highest) = (decoder.u64()?, decoder.u64()?);
    if lowest > highest {
        return Err(Malformed::Range);
    }
    let stamp = if decoder.null() { None } else { Some(Stamp(decoder.byte_array()?)) };
    let metadata = decoder.bytes()?;
    if metadata.len() > METADATA_MAX {
        return Err(Malformed::Length);
    }
    let metadata = Bytes::copy_from_slice(metadata);
    Ok(Hello { network: String::from(network), lowest, highest, stamp, metadata })
}

fn decode_nack(decoder: &mut Decoder<'_>) -> Result<Message, Malformed> {
    let motive = Motive::of(decoder.u64()?);
    let count = decoder.array()?;
    if count > length(&[(); ALTERNATIVES_MAX]) {
        return Err(Malformed::TooManyAlternatives);
    }
    let mut alternatives = Vec::new();
    for _ in 0..count {
        alternatives.push(decode_alternative(decoder)?);
    }
    Ok(Message::Nack { motive, alternatives })
}

fn decode_alternative(decoder: &mut Decoder<'_>) -> Result<Alternative, Malformed> {
    let further = decoder.array_of(2)?;
    let peer = PeerId::from_bytes(decoder.bytes()?).ok_or(Malformed::PeerId)?;
    let count = decoder.array()?;
    if count > length(&[(); ADDRESSES_MAX]) {
        return Err(Malformed::Length);
    }
    let mut addresses = Vec::new();
    for _ in 0..count {
        addresses.push(Bytes::copy_from_slice(decoder.bytes()?));
    }
    decoder.skip(further)?;
    Ok(Alternative { peer, addresses })
}

fn length<T>(items: &[T]) -> u64 {
    u64::try_from(items.len()).unwrap_or(u64::MAX)
}
