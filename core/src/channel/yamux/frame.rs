//! The twelve bytes in front of every frame.

use core::fmt;
use core::ops::BitOr;

/// Bytes of a header.
pub const HEADER_LENGTH: usize = 12;

const VERSION: u8 = 0;

/// What a frame is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Bytes of a stream; as many as the length says follow.
    Data,
    /// Credit; the length says how much.
    WindowUpdate,
    /// A question whether the peer lives, or its answer; the length is an opaque value.
    Ping,
    /// No more streams; the length is a [`GoAway`] code.
    GoAway,
}

/// What a frame does to its stream beside.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Flags(pub u16);

impl Flags {
    /// None.
    pub const NONE: Self = Self(0);
    /// Opens a stream, or asks a ping.
    pub const SYN: Self = Self(1);
    /// Accepts a stream, or answers a ping.
    pub const ACK: Self = Self(2);
    /// Closes the sender's half.
    pub const FIN: Self = Self(4);
    /// Kills the stream.
    pub const RST: Self = Self(8);

    /// Whether all of `flags` are set.
    #[must_use]
    pub const fn contains(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }
}

impl BitOr for Flags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Why a connection ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum GoAway {
    /// Nothing is wrong.
    Normal,
    /// The other side broke the protocol.
    ProtocolError,
    /// The sender cannot go on, or gave a code that is not known.
    InternalError,
}

impl GoAway {
    /// Of the code on the wire.
    #[must_use]
    pub const fn of(code: u32) -> Self {
        match code {
            0 => Self::Normal,
            1 => Self::ProtocolError,
            _ => Self::InternalError,
        }
    }

    /// The code on the wire.
    #[must_use]
    pub const fn code(self) -> u32 {
        match self {
            Self::Normal => 0,
            Self::ProtocolError => 1,
            Self::InternalError => 2,
        }
    }
}

/// The header of a frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Header {
    /// What the frame is.
    pub kind: Kind,
    /// Flags; unknown ones are ignored.
    pub flags: Flags,
    /// Which stream; 0 for the connection.
    pub stream: u32,
    /// Bytes that follow, credit, opaque value, or code.
    pub length: u32,
}

/// Why a header was refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HeaderError {
    /// Not version 0.
    BadVersion,
    /// No known type.
    BadKind,
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadVersion => "a yamux frame has an unknown version",
            Self::BadKind => "a yamux frame has an unknown type",
        })
    }
}

impl core::error::Error for HeaderError {}

impl Header {
    /// Reads a header.
    pub const fn decode(bytes: &[u8; HEADER_LENGTH]) -> Result<Self, HeaderError> {
        let [version, kind, f0, f1, s0, s1, s2, s3, l0, l1, l2, l3] = *bytes;
        if version != VERSION {
            return Err(HeaderError::BadVersion);
        }
        let kind = match kind {
            0 => Kind::Data,
            1 => Kind::WindowUpdate,
            2 => Kind::Ping,
            3 => Kind::GoAway,
            _ => return Err(HeaderError::BadKind),
        };
        Ok(Self {
            kind,
            flags: Flags(u16::from_be_bytes([f0, f1])),
            stream: u32::from_be_bytes([s0, s1, s2, s3]),
            length: u32::from_be_bytes([l0, l1, l2, l3]),
        })
    }

    /// Writes it.
    #[must_use]
    pub const fn encode(&self) -> [u8; HEADER_LENGTH] {
        let kind = match self.kind {
            Kind::Data => 0,
            Kind::WindowUpdate => 1,
            Kind::Ping => 2,
            Kind::GoAway => 3,
        };
        let [f0, f1] = self.flags.0.to_be_bytes();
        let [s0, s1, s2, s3] = self.stream.to_be_bytes();
        let [l0, l1, l2, l3] = self.length.to_be_bytes();
        [VERSION, kind, f0, f1, s0, s1, s2, s3, l0, l1, l2, l3]
    }
}
