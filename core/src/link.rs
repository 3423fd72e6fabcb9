//! The link vocabulary: what every machine that faces the network hears and says, whatever its protocol.
//!
//! A *link* is a byte stream (or a stream of whole messages) to one remote place. Its carrier is a socket, or a stream
//! of another link. Two drivers speak this vocabulary, one on real sockets and one in a simulated network; so do
//! embedders. The rules for a driver:
//!
//! - Ids of listeners and of dialled links are chosen by the machine, those of accepted links by the driver, from
//!   [`LinkId::ACCEPTED`] upwards. Ids are never reused.
//! - [`Output::Send`] is never refused; [`Input::Written`] reports what has left towards the peer.
//! - [`Input::Closed`] comes exactly once for each link that was opened or dialled, also after [`Output::Close`], and is
//!   the last word about it.
//! - While a link is paused, the driver reads nothing from it.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::convert::Infallible;
use core::fmt;
use core::net::SocketAddr;

use bytes::Bytes;

/// A link of this node.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct LinkId(pub u64);

impl LinkId {
    /// The first id of accepted links, chosen by the driver; dialled links lie below.
    pub const ACCEPTED: u64 = 1 << 63;
}

/// A listener of this node, chosen by the machine.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ListenerId(pub u32);

/// A datagram socket of this node: the listener that was opened for it.
pub type SocketId = ListenerId;

/// A question to the outer world, chosen by the machine.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct QueryId(pub u64);

/// Where a listener binds or a dial goes. Each network maps its own form of addresses to this one.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Address {
    /// A TCP (or, for datagrams, UDP) socket address.
    Socket(SocketAddr),
    /// A host name, resolved by the driver.
    Name {
        /// The name.
        host: String,
        /// The TCP port.
        port: u16,
    },
    /// A WebSocket endpoint; framing, and TLS where `secure`, are the driver's.
    WebSocket {
        /// Whether over TLS.
        secure: bool,
        /// Host name or address.
        host: String,
        /// The TCP port.
        port: u16,
        /// The path of the request, with its leading slash.
        path: String,
    },
    /// An onion service, reached through the driver's SOCKS proxy.
    Onion {
        /// The name, with its `.onion` end.
        host: String,
        /// The port.
        port: u16,
    },
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(address) => address.fmt(f),
            Self::Name { host, port } | Self::Onion { host, port } => write!(f, "{host}:{port}"),
            Self::WebSocket { secure, host, port, path } => {
                write!(f, "{}://{host}:{port}{path}", if *secure { "wss" } else { "ws" })
            }
        }
    }
}

/// How a link came to be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Via {
    /// We dialled it.
    Dialled,
    /// It came in.
    Accepted {
        /// The listener that took it.
        listener: ListenerId,
    },
}

/// What a link carries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MessageKind {
    /// UTF-8 text.
    Text,
    /// Any bytes.
    Binary,
}

/// The local end of a dial.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum From {
    /// Any free port.
    #[default]
    Anywhere,
    /// The port of this listener, shared with it.
    Listener(ListenerId),
}

/// Our part when both ends dial at the same moment.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Role {
    /// The end that speaks first in handshakes.
    #[default]
    Dialler,
    /// The other.
    Listener,
}

/// How to close.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum How {
    /// After everything sent has left.
    Flush,
    /// At once; what was not written is lost, and the peer may see a reset.
    Abort,
}

/// Why a link closed, a dial failed, or a listener could not be opened.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Cause {
    /// Both ends finished, or we closed it.
    Finished,
    /// The peer or the network reset it.
    Reset,
    /// The peer refused the dial.
    Refused,
    /// No answer in time.
    TimedOut,
    /// No route, or the name does not resolve.
    Unreachable,
    /// The local address is taken.
    AddressInUse,
    /// The local address cannot be used: not ours, or not permitted.
    AddressUnusable,
    /// A limit of the driver (descriptors, memory).
    Exhausted,
    /// The address is of a kind that this driver, or the system that it runs on, does not serve.
    Unsupported,
    /// Anything else that the operating system reported.
    Other,
}

impl Cause {
    /// A short name, for metrics and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Reset => "reset",
            Self::Refused => "refused",
            Self::TimedOut => "timed-out",
            Self::Unreachable => "unreachable",
            Self::AddressInUse => "address-in-use",
            Self::AddressUnusable => "address-unusable",
            Self::Exhausted => "exhausted",
            Self::Unsupported => "unsupported",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a node hears. `C` are its commands, `A` the answers that only its embedder can give.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Input<C, A = Infallible> {
    /// A listener is open, bound to `local`.
    Listening {
        /// Which.
        listener: ListenerId,
        /// Where it is bound; the port is known now.
        local: Address,
    },
    /// A listener could not be opened, or died.
    ListenFailed {
        /// Which.
        listener: ListenerId,
        /// Why.
        cause: Cause,
    },
    /// A link stands.
    Opened {
        /// Which.
        link: LinkId,
        /// Who opened it.
        via: Via,
        /// Our end.
        local: Address,
        /// The other end.
        remote: Address,
    },
    /// A piece of a byte stream, cut anywhere.
    Received {
        /// From which link.
        link: LinkId,
        /// The bytes; never empty.
        bytes: Bytes,
    },
    /// One whole message of a message link.
    Message {
        /// From which link.
        link: LinkId,
        /// Text or binary.
        kind: MessageKind,
        /// Its content.
        bytes: Bytes,
    },
    /// So many more bytes have left towards the peer.
    Written {
        /// On which link.
        link: LinkId,
        /// How many.
        count: usize,
    },
    /// The peer's half is closed: nothing more will be received.
    Finished {
        /// Of which link.
        link: LinkId,
    },
    /// The link is gone, or the dial failed.
    Closed {
        /// Which.
        link: LinkId,
        /// Why.
        cause: Cause,
    },
    /// A datagram came.
    Datagram {
        /// To which socket.
        socket: SocketId,
        /// From where.
        from: SocketAddr,
        /// Its content.
        bytes: Bytes,
    },
    /// The addresses of this machine changed.
    AddressesChanged,
    /// The answer to a question.
    Answer {
        /// To which.
        query: QueryId,
        /// What.
        answer: Answer<A>,
    },
    /// What the application wants.
    Command(C),
}

/// What a node wants done. `E` are its events, `Q` the questions that only its embedder can answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Output<E, Q = Infallible> {
    /// Open a listener; answered by `Listening` or `ListenFailed`.
    Listen {
        /// The id it will have.
        listener: ListenerId,
        /// Where to bind.
        address: Address,
    },
    /// Close a listener; its links stay.
    Unlisten {
        /// Which.
        listener: ListenerId,
    },
    /// Open a link; answered by `Opened` or `Closed`.
    Dial {
        /// The id it will have.
        link: LinkId,
        /// Where to.
        address: Address,
        /// The local end.
        from: From,
        /// Our part in a simultaneous open.
        role: Role,
    },
    /// Send bytes on a byte-stream link.
    Send {
        /// On which.
        link: LinkId,
        /// What.
        bytes: Bytes,
    },
    /// Send one whole message on a message link.
    Message {
        /// On which.
        link: LinkId,
        /// Text or binary.
        kind: MessageKind,
        /// Its content.
        bytes: Bytes,
    },
    /// Close our half after what was sent has left.
    Finish {
        /// Of which link.
        link: LinkId,
    },
    /// Close the link; `Closed` follows.
    Close {
        /// Which.
        link: LinkId,
        /// How.
        how: How,
    },
    /// Stop reading from the link.
    Pause {
        /// Which.
        link: LinkId,
    },
    /// Read from it again.
    Resume {
        /// Which.
        link: LinkId,
    },
    /// Send a datagram.
    Datagram {
        /// From which socket.
        socket: SocketId,
        /// Where to.
        to: SocketAddr,
        /// Its content.
        bytes: Bytes,
    },
    /// Ask the outer world; answered by `Answer`.
    Query {
        /// The id of the question.
        query: QueryId,
        /// What.
        question: Question<Q>,
    },
    /// Something for the application.
    Event(E),
}

/// What every driver can be asked, and what only the embedder knows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Question<Q> {
    /// The addresses of a host name.
    Resolve {
        /// The name.
        host: String,
    },
    /// The record stored under a key.
    Load {
        /// The key.
        key: String,
    },
    /// Keep this record under a key (`None` deletes it).
    Store {
        /// The key.
        key: String,
        /// The record.
        value: Option<Bytes>,
    },
    /// Check an Ed25519 signature outside the event loop.
    Verify(Box<Verification>),
    /// A question of this network.
    Other(Q),
}

/// A signature to be checked by a worker.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Verification {
    /// The signer's public key.
    pub key: [u8; 32],
    /// What was signed.
    pub message: Bytes,
    /// The signature.
    pub signature: [u8; 64],
}

/// Answers to [`Question`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Answer<A> {
    /// Addresses of a name; empty if it has none.
    Resolved(Vec<core::net::IpAddr>),
    /// The stored record, if there is one.
    Loaded(Option<Bytes>),
    /// Whether the record is kept.
    Stored(bool),
    /// Whether the signature is good.
    Verified(bool),
    /// An answer of this network.
    Other(A),
    /// The question could not be answered.
    Failed(Cause),
}
