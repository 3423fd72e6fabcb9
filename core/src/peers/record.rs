//! What the book keeps across restarts, as bytes: one record for each ban and each good peer.
//!
//! Reading is strict: unknown versions and tags, values out of range, and trailing bytes are refused.

use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::{BufMut, Bytes};

use super::place::{Place, Route};
use crate::time::WallTime;
use crate::wire::{Reader, Short};

const VERSION: u8 = 1;
const LIST_MAX: usize = 255;

/// What a record tells.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// That a peer is banned, or was for points not long ago.
    Ban,
    /// Where a peer was once reached.
    Peer,
}

impl Kind {
    /// A short name, for keys of a store.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ban => "ban",
            Self::Peer => "peer",
        }
    }
}

/// A record that cannot be read: it was not written by [`Output::Store`](super::Output::Store) of this version.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RecordError {
    /// It ends inside a value.
    Short,
    /// A version that is not known.
    Version,
    /// A value out of its range.
    Range,
    /// Bytes after its end.
    Trailing,
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Short => "the record ends inside a value",
            Self::Version => "the record has an unknown version",
            Self::Range => "a value of the record is out of range",
            Self::Trailing => "bytes follow the end of the record",
        })
    }
}

impl core::error::Error for RecordError {}

impl From<Short> for RecordError {
    fn from(Short: Short) -> Self {
        Self::Short
    }
}

/// When a ban ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum End {
    /// It is over.
    Past,
    /// Then, having been pronounced for so many milliseconds.
    At(WallTime, u64),
    /// Never.
    Never,
}

/// A ban, and until when each ban for points counts towards the last one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct BanRecord {
    pub(super) end: End,
    pub(super) counts_until: Vec<WallTime>,
}

/// Where a peer was reached, and when last.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct PeerRecord {
    pub(super) seen: WallTime,
    pub(super) places: Vec<Place>,
}

impl BanRecord {
    pub(super) fn encode(&self) -> Bytes {
        let mut out = alloc::vec![VERSION];
        match self.end {
            End::Past => out.put_u8(0),
            End::At(until, lifetime_ms) => {
                out.put_u8(1);
                out.put_u64(until.unix_ms());
                out.put_u64(lifetime_ms);
            }
            End::Never => out.put_u8(2),
        }
        put_count(self.counts_until.len(), &mut out);
        self.counts_until.iter().take(LIST_MAX).for_each(|until| out.put_u64(until.unix_ms()));
        out.into()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let mut reader = open(bytes)?;
        let end = match reader.u8()? {
            0 => End::Past,
            1 => End::At(wall(&mut reader)?, reader.u64()?),
            2 => End::Never,
            _ => return Err(RecordError::Range),
        };
        let count = reader.u8()?;
        let counts_until = (0..count).map(|_| wall(&mut reader)).collect::<Result<_, _>>()?;
        close(reader, Self { end, counts_until })
    }
}

impl PeerRecord {
    pub(super) fn encode(&self) -> Bytes {
        let mut out = alloc::vec![VERSION];
        out.put_u64(self.seen.unix_ms());
        put_count(self.places.len(), &mut out);
        self.places.iter().take(LIST_MAX).for_each(|place| put_place(place, &mut out));
        out.into()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let mut reader = open(bytes)?;
        let seen = wall(&mut reader)?;
        let count = reader.u8()?;
        let places = (0..count).map(|_| place(&mut reader)).collect::<Result<_, _>>()?;
        close(reader, Self { seen, places })
    }
}

fn open(bytes: &[u8]) -> Result<Reader<'_>, RecordError> {
    let mut reader = Reader::new(bytes);
    if reader.u8()? == VERSION { Ok(reader) } else { Err(RecordError::Version) }
}

fn close<T>(reader: Reader<'_>, value: T) -> Result<T, RecordError> {
    if reader.is_empty() { Ok(value) } else { Err(RecordError::Trailing) }
}

fn put_count(count: usize, out: &mut Vec<u8>) {
    out.put_u8(u8::try_from(count).unwrap_or(u8::MAX));
}

fn wall(reader: &mut Reader<'_>) -> Result<WallTime, Short> {
    reader.u64().map(WallTime::from_unix_ms)
}

fn put_place(place: &Place, out: &mut Vec<u8>) {
    match place.route {
        Route::Direct(address) => {
            match address.ip() {
                IpAddr::V4(ip) => {
                    out.put_u8(4);
                    out.put_slice(&ip.octets());
                }
                IpAddr::V6(ip) => {
                    out.put_u8(6);
                    out.put_slice(&ip.octets());
                }
            }
            out.put_u16(address.port());
        }
        Route::Named { port } => {
            out.put_u8(1);
            out.put_u16(port);
        }
        Route::Relayed => out.put_u8(2),
    }
    let length = u16::try_from(place.address.len()).unwrap_or(u16::MAX);
    out.put_u16(length);
    out.extend(place.address.iter().take(usize::from(length)));
}

fn place(reader: &mut Reader<'_>) -> Result<Place, RecordError> {
    let route = match reader.u8()? {
        4 => {
            let ip = Ipv4Addr::from(reader.array::<4>()?);
            Route::Direct(SocketAddr::new(ip.into(), reader.u16()?))
        }
        6 => {
            let ip = Ipv6Addr::from(reader.array::<16>()?);
            Route::Direct(SocketAddr::new(ip.into(), reader.u16()?))
        }
        1 => Route::Named { port: reader.u16()? },
        2 => Route::Relayed,
        _ => return Err(RecordError::Range),
    };
    let length = reader.u16()?;
    if length == 0 {
        return Err(RecordError::Range);
    }
    Ok(Place { address: Bytes::copy_from_slice(reader.take(usize::from(length))?), route })
}
