//! What travels between the two ends of a connection, and what a host says to its own end.

use bytes::Bytes;
use pleach_core::link::Cause;

/// What travels on a connection, or what its own host says of it.
#[derive(Debug)]
pub(super) enum Segment {
    Open,
    Accepted,
    Refused,
    Bytes(Bytes),
    /// So much was read at the other end: room to send more.
    Read(usize),
    Finish,
    Reset,
    /// To the own end: so much has left.
    Written(usize),
    /// To the own end: the machine reads again.
    Resumed,
    /// To the own end: what was to leave before it closes has had its time.
    Overdue,
    /// To the own end: it is closed.
    Closed(Cause),
}

impl Segment {
    pub(super) const fn size(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Read(count) | Self::Written(count) => *count as u64,
            Self::Open
            | Self::Accepted
            | Self::Refused
            | Self::Finish
            | Self::Reset
            | Self::Resumed
            | Self::Overdue
            | Self::Closed(_) => 0,
        }
    }

    pub(super) const fn kind(&self) -> u8 {
        match self {
            Self::Open => 2,
            Self::Accepted => 3,
            Self::Refused => 4,
            Self::Bytes(_) => 5,
            Self::Read(_) => 6,
            Self::Finish => 7,
            Self::Reset => 8,
            Self::Written(_) => 9,
            Self::Closed(_) => 10,
            Self::Resumed => 11,
            Self::Overdue => 12,
        }
    }
}
