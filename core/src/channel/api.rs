//! What a channel hears and says.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use bytes::Bytes;

use super::identify;
use super::multistream::MultistreamError;
use super::noise::NoiseError;
use super::yamux::{GoAway, YamuxError};
use crate::identity::PeerId;
use crate::link::How;
use crate::stats::count;

/// A stream of a channel: odd ids were opened by the dialler, even ones by the listener. Never reused.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct StreamId(pub u32);

/// What happens to a channel.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Input {
    /// The carrier stands: the first bytes are written, and the upgrade deadline starts.
    Start,
    /// The carrier gave bytes.
    Received(Bytes),
    /// The carrier has written so many more of the bytes it was given.
    Written(usize),
    /// The carrier will give no more bytes.
    Finished,
    /// Open a stream of one of these protocols, proposed in order: at least one and at most 16, of at most 1023 bytes
    /// each, or it fails at once as [`OpenError::Unsupported`].
    Open {
        /// Returned with the outcome.
        token: u64,
        /// Their names.
        protocols: Vec<String>,
    },
    /// Send on a stream. Without effect on one that is closed, or not the parent's.
    Send {
        /// Which.
        stream: StreamId,
        /// What.
        bytes: Bytes,
    },
    /// Close our half of a stream behind what was sent.
    Finish {
        /// Which.
        stream: StreamId,
    },
    /// Kill a stream; nothing more is heard of it.
    Reset {
        /// Which.
        stream: StreamId,
    },
    /// The application has read so much more of a stream: credit returns to the peer.
    Consumed {
        /// Which.
        stream: StreamId,
        /// How many bytes.
        count: usize,
    },
    /// What we tell the peer of ourselves. Key and protocols are filled in where they are missing. A change after
    /// [`Output::Ready`] is pushed.
    Describe(Box<identify::Info>),
    /// End the link: after a goodbye and what can still be sent, or at once.
    Close(How),
}

/// What a channel wants done, and what it reports.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Output {
    /// The carrier is to send this.
    Send(Bytes),
    /// Nothing more is to be read from the carrier.
    Pause,
    /// It is to be read again.
    Resume,
    /// The peer has proven who it is. The parent may still close.
    Authenticated {
        /// Who.
        peer: PeerId,
    },
    /// Streams can be opened.
    Ready,
    /// A stream that we asked for stands.
    Opened {
        /// Of the request.
        token: u64,
        /// Its id.
        stream: StreamId,
        /// The protocol that the peer chose.
        protocol: String,
    },
    /// A stream that we asked for does not come to be.
    OpenFailed {
        /// Of the request.
        token: u64,
        /// Why.
        cause: OpenError,
    },
    /// The peer opened a stream of one of our protocols.
    Accepted {
        /// Its id.
        stream: StreamId,
        /// The protocol.
        protocol: String,
    },
    /// Bytes of a stream; never empty. They count against its window until they are reported as consumed.
    Received {
        /// Which.
        stream: StreamId,
        /// What.
        bytes: Bytes,
    },
    /// The peer closed its half of a stream.
    Finished {
        /// Which.
        stream: StreamId,
    },
    /// The peer killed a stream.
    Reset {
        /// Which.
        stream: StreamId,
    },
    /// So many more bytes of a stream were handed to the carrier.
    Sent {
        /// Which.
        stream: StreamId,
        /// How many.
        count: usize,
    },
    /// The peer told what it is, for the first time or anew; a push is merged with what was known.
    Identified(Box<identify::Info>),
    /// How long a probe and its answer took.
    RoundTrip(Duration),
    /// The end: the parent closes the carrier as [`Cause::how`] says. Nothing follows.
    Closed(Cause),
}

/// Why a stream could not be opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OpenError {
    /// The link is not ready yet, or closed.
    NotReady,
    /// There are as many streams as there may be.
    TooMany,
    /// The peer takes no more streams.
    GoneAway,
    /// The peer knows none of the protocols, or they cannot be proposed: see [`Input::Open`].
    Unsupported,
    /// The peer killed or closed the stream before it answered.
    Reset,
    /// The peer did not answer in time, or was not told of the stream in time: it had not answered enough earlier ones.
    TimedOut,
    /// The peer answered nonsense; the stream was reset.
    Violation(MultistreamError),
}

/// What a link waited for when its time was up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Waiting {
    /// The upgrade.
    Upgrade,
    /// The Noise handshake.
    Handshake,
    /// The rest of a Noise message.
    Message,
    /// A sign of life.
    KeepAlive,
}

/// How the peer broke the rules.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Violation {
    /// In a negotiation before streams.
    Multistream(MultistreamError),
    /// In the handshake, or with a message that does not authenticate.
    Noise(NoiseError),
    /// In the multiplexer.
    Yamux(YamuxError),
    /// Too many messages without content.
    EmptyMessages,
}

/// Why a link ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cause {
    /// We closed it.
    Closed(How),
    /// The peer closed it after a goodbye.
    Finished,
    /// The carrier ended without a goodbye.
    Ended,
    /// The peer does not speak our security or multiplexer.
    Unsupported,
    /// The peer said that we, or it, went wrong.
    GoneAway(GoAway),
    /// Something did not come in time.
    TimedOut(Waiting),
    /// The peer is another than we dialled.
    WrongPeer(PeerId),
    /// The peer is ourselves.
    Myself,
    /// The counter of our own direction is used up.
    Exhausted,
    /// The peer broke the rules.
    Violation(Violation),
}

impl Cause {
    /// How the carrier is to be closed.
    #[must_use]
    pub const fn how(&self) -> How {
        match self {
            Self::Closed(how) => *how,
            // A goodbye tells the peer.
            Self::Finished | Self::Violation(Violation::Yamux(_)) => How::Flush,
            Self::Ended
            | Self::Unsupported
            | Self::GoneAway(_)
            | Self::TimedOut(_)
            | Self::WrongPeer(_)
            | Self::Myself
            | Self::Exhausted
            | Self::Violation(_) => How::Abort,
        }
    }

    /// What the peer did wrong, if it did. A peer that is merely slow, foreign, or gone is not at fault.
    #[must_use]
    pub const fn violation(&self) -> Option<Violation> {
        match self {
            Self::Violation(violation) => Some(*violation),
            Self::Closed(_)
            | Self::Finished
            | Self::Ended
            | Self::Unsupported
            | Self::GoneAway(_)
            | Self::TimedOut(_)
            | Self::WrongPeer(_)
            | Self::Myself
            | Self::Exhausted => None,
        }
    }

    /// A short name, for metrics and logs.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Closed(_) => "closed",
            Self::Finished => "finished",
            Self::Ended => "ended",
            Self::Unsupported => "unsupported",
            Self::GoneAway(_) => "gone-away",
            Self::TimedOut(Waiting::Upgrade) => "upgrade-timed-out",
            Self::TimedOut(Waiting::Handshake) => "handshake-timed-out",
            Self::TimedOut(Waiting::Message) => "message-timed-out",
            Self::TimedOut(Waiting::KeepAlive) => "keep-alive-timed-out",
            Self::WrongPeer(_) => "wrong-peer",
            Self::Myself => "myself",
            Self::Exhausted => "exhausted",
            Self::Violation(Violation::Multistream(_)) => "multistream-violation",
            Self::Violation(Violation::Noise(_)) => "noise-violation",
            Self::Violation(Violation::Yamux(_)) => "yamux-violation",
            Self::Violation(Violation::EmptyMessages) => "empty-messages",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongPeer(peer) => write!(f, "the peer is {peer}"),
            Self::Violation(Violation::Multistream(error)) => error.fmt(f),
            Self::Violation(Violation::Noise(error)) => error.fmt(f),
            Self::Violation(Violation::Yamux(error)) => error.fmt(f),
            Self::Closed(_)
            | Self::Finished
            | Self::Ended
            | Self::Unsupported
            | Self::GoneAway(_)
            | Self::TimedOut(_)
            | Self::Myself
            | Self::Exhausted
            | Self::Violation(Violation::EmptyMessages) => f.write_str(self.name()),
        }
    }
}

crate::counters! {
    /// What a channel has seen and shed.
    pub struct Stats {
        /// Noise handshakes that were done.
        handshakes,
        /// Bytes that the carrier gave.
        bytes_received,
        /// Bytes that the carrier was given.
        bytes_sent,
        /// Streams that the peer opened.
        streams_accepted,
        /// Streams that we opened, for the parent and for identify.
        streams_opened,
        /// Streams of the peer that were reset for a limit.
        streams_refused,
        /// Streams of the peer that were reset as their negotiation broke the rules.
        streams_malformed,
        /// Streams that were reset as their negotiation or identify message took too long.
        streams_timed_out,
        /// Yamux pings that were not answered for a limit.
        pings_shed,
        /// Frames for streams that are no more.
        late_frames,
        /// Identify messages that were read.
        identified,
        /// Identify messages that were malformed, or told another key than the peer's.
        identify_refused,
        /// Identify messages that were not read, as too many came.
        identify_shed,
        /// Times that reading was paused.
        pauses,
        /// Links that the peer broke in a negotiation before streams.
        negotiations_broken,
        /// Links that the peer broke with a Noise message, in the handshake or after.
        noise_broken,
        /// Links that the peer broke with data beyond its credit, or credit beyond what can be counted.
        windows_exceeded,
        /// Links on which the peer opened and reset streams too fast.
        rapid_resets,
        /// Links that the peer broke with any other illegal yamux frame, or too many of them.
        yamux_broken,
        /// Links on which too many Noise messages without content came.
        empty_messages_exceeded,
        /// Upgrades and handshakes that took too long.
        upgrades_timed_out,
        /// Links that ended as the peer fell silent, in the middle of a Noise message or altogether.
        fell_silent,
    }
}

impl Stats {
    /// Counts why a link ended, where that is a limit of ours or a breach of the peer's.
    pub(super) const fn count_end(&mut self, cause: &Cause) {
        count(match cause {
            Cause::Violation(Violation::Multistream(_)) => &mut self.negotiations_broken,
            Cause::Violation(Violation::Noise(_)) => &mut self.noise_broken,
            Cause::Violation(Violation::Yamux(YamuxError::WindowExceeded | YamuxError::CreditOverflow)) => {
                &mut self.windows_exceeded
            }
            Cause::Violation(Violation::Yamux(YamuxError::RapidReset)) => &mut self.rapid_resets,
            Cause::Violation(Violation::Yamux(_)) => &mut self.yamux_broken,
            Cause::Violation(Violation::EmptyMessages) => &mut self.empty_messages_exceeded,
            Cause::TimedOut(Waiting::Upgrade | Waiting::Handshake) => &mut self.upgrades_timed_out,
            Cause::TimedOut(Waiting::Message | Waiting::KeepAlive) => &mut self.fell_silent,
            Cause::Closed(_)
            | Cause::Finished
            | Cause::Ended
            | Cause::Unsupported
            | Cause::GoneAway(_)
            | Cause::WrongPeer(_)
            | Cause::Myself
            | Cause::Exhausted => return,
        });
    }
}
