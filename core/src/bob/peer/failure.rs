//! Why a transfer failed.

use core::fmt;

use crate::bob::packet::DecodeError;
use crate::link::Cause;

/// Why it ended without success. Nothing is left to be done with the machine; a new one may try again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Failure<C> {
    /// The relay's handshake port was not reached, or nothing there answered in time.
    Relay(Cause),
    /// The relay's room was not reached, or the link to it broke before the partner came.
    Room(Cause),
    /// The relay closed the link before anything was agreed on.
    RelayClosed,
    /// The relay's patience, or ours, was over before the partner came.
    TimedOut,
    /// What the relay sent is not the protocol.
    Malformed(DecodeError),
    /// The relay sent what is not its to send, or out of order.
    RelayProtocol,
    /// The partner did not come into the room in time.
    RoomTimedOut,
    /// The room's answer: it knows nothing of this pair.
    RoomUnknown,
    /// The connection ended before the end of the file.
    Interrupted,
    /// Nothing moved for too long.
    Stalled,
    /// What came was changed on the way: a record did not open.
    Corrupted,
    /// The partner gave up.
    PartnerGaveUp,
    /// The application called it off.
    Cancelled,
    /// What only one side can meet.
    Other(C),
}

impl<C: fmt::Display> fmt::Display for Failure<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Relay(cause) => write!(f, "the relay cannot be reached: {cause}"),
            Self::Room(cause) => write!(f, "the relay's room cannot be reached: {cause}"),
            Self::RelayClosed => f.write_str("the relay closed the connection"),
            Self::TimedOut => f.write_str("nobody with this password came in time"),
            Self::Malformed(error) => write!(f, "the relay does not speak the protocol: {error}"),
            Self::RelayProtocol => f.write_str("the relay broke the protocol"),
            Self::RoomTimedOut => f.write_str("the other side did not come into the room in time"),
            Self::RoomUnknown => f.write_str("the relay knows nothing of this room"),
            Self::Interrupted => f.write_str("the connection broke before the end of the file"),
            Self::Stalled => f.write_str("the transfer stood still for too long"),
            Self::Corrupted => f.write_str("what came was changed on the way"),
            Self::PartnerGaveUp => f.write_str("the other side gave up"),
            Self::Cancelled => f.write_str("called off"),
            Self::Other(failure) => failure.fmt(f),
        }
    }
}

impl<C: fmt::Debug + fmt::Display> core::error::Error for Failure<C> {}
