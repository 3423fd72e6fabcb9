//! What the application says to a relay and hears from it.

use core::net::IpAddr;

use crate::bob::Identity;
use crate::bob::packet::Uid;
use crate::link::{Address, Cause};

/// What the application wants.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Command {
    /// Accept nobody any more, close every link after what was sent to it has left; [`Event::Stopped`] follows.
    Shutdown,
}

/// A port of the relay.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Port {
    /// Where peers say hello and shake hands.
    Handshake,
    /// Where pairs exchange bytes.
    Room,
}

/// What a registered peer does.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Role {
    /// It sends a file.
    Server,
    /// It receives one.
    Client,
}

/// Why a registered peer is gone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Departure {
    /// Its pair was made: it goes on to the room.
    Paired,
    /// It left, or its link broke.
    Left,
    /// It broke the protocol.
    Violation,
    /// It read too slowly.
    Slow,
    /// Its time was over.
    TimedOut,
    /// The relay is shutting down.
    Shutdown,
}

/// What the application hears.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event {
    /// A port is open.
    Listening {
        /// Which.
        port: Port,
        /// Where, with the port number that was bound.
        address: Address,
    },
    /// A port could not be opened, or died. The relay is of no use without both.
    ListenFailed {
        /// Which.
        port: Port,
        /// Why.
        cause: Cause,
    },
    /// A peer said hello.
    Registered {
        /// Its uid.
        uid: Uid,
        /// What it does.
        role: Role,
        /// What the relay calls it.
        identity: Identity,
    },
    /// A registered peer is gone.
    Departed {
        /// Its uid.
        uid: Uid,
        /// Why.
        why: Departure,
    },
    /// A client accepted a server: a room waits for the two.
    Agreed {
        /// The client.
        client: Uid,
        /// The server.
        server: Uid,
    },
    /// Both have come into their room.
    RoomOpened {
        /// The client.
        client: Uid,
        /// The server.
        server: Uid,
    },
    /// A room is no more.
    RoomClosed {
        /// The client.
        client: Uid,
        /// The server.
        server: Uid,
        /// Bytes copied, both directions together; none if the two never met there.
        bytes: u64,
    },
    /// A handshake is made to wait (`threats` T-34): others of its address with this server have failed, or too many
    /// with all servers together, or too many are under way.
    Guessing {
        /// Who may be guessing.
        address: IpAddr,
        /// At whom.
        server: Uid,
        /// How many handshakes of its address with this server have failed: none, if it waits for another reason.
        failures: u32,
    },
    /// The relay has shut down: the last word.
    Stopped,
}
