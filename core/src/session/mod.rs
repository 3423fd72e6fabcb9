//! One link's life: the handshake with its deadlines, what arrives too early, the error budget, the close.
//!
//! ```text
//!            Identified ─▶ Answer (may repeat)
//! opening ──────────────────────────────────────▶ established ──Close──▶ lingering ──▶ flushing ──▶ ended
//!    │ └──Stranger──▶ stranger ───────────────────────┴──────────────────────┘                       ▲
//!    └── too late, violation, refused ────────────────────────────────────────────────────────────────┘
//! ```
//!
//! A [`Session`] wraps a [`Handshake`] that the network supplies, since handshakes differ in kind: two independent halves
//! whose key may change until the end; three steps with a stop at which the application decides; a channel upgrade and
//! an exchange of frames on one of its streams. What they share is here:
//!
//! - **Deadlines.** The whole handshake has one that runs from construction (the moment of accepting or dialling) and
//!   that nothing renews (T-19). A handshake may set a shorter one for its present stage; an open question has its own.
//! - **Questions.** Each [`Step::Identified`] is a question to the parent, answered by [`Input::Answer`]. While one is
//!   open, input for the handshake waits, in order and bounded.
//! - **Items.** Whatever belongs to the layers above (a stream, a frame) and arrives before the link is readable is held,
//!   within limits; beyond them it comes back as [`Output::Shed`].
//! - **Error budget.** [`Input::Malformed`] costs points and, repeated, the link (`mesh` 4). The points go to the peer
//!   book as [`Output::Offence`]; the session itself judges nobody.
//! - **Close.** With a word of the dialect; after lingering until nothing is in use; with a limit on flushing. While a
//!   link is flushed the handshake still hears what came behind the last word, but only for the offences in it.
//!
//! A network without handshakes uses no session.
//!
//! Outputs per call: those of the handshake's steps, one for each held item, and three more. [`Output::Abort`] is the
//! closing output: after it, and after [`Input::Closed`], the session is silent.

mod config;
mod machine;

use core::fmt::Debug;
use core::time::Duration;

use crate::machine::Context;

pub use config::Config;
pub use machine::{Session, Stats};

/// The opening of a link as a network does it. It keeps no time: it names stages, and the session counts.
pub trait Handshake {
    /// Who is at the other end.
    type Peer: Copy + Debug + Ord;
    /// What it is fed: bytes, frames, or what a lower layer reports.
    type Input;
    /// What it wants done, passed on as [`Output::Emit`].
    type Output;
    /// Why we refuse or close, in the dialect's words.
    type Motive: Debug;

    /// The link stands: what we say first.
    fn start(&mut self, cx: &mut Context<'_, Step<Self::Peer, Self::Output>>);

    /// Something came from the peer. Also called after establishment: a handshake may have last words to hear.
    fn handle(&mut self, input: Self::Input, cx: &mut Context<'_, Step<Self::Peer, Self::Output>>);

    /// The parent's answer to the latest [`Step::Identified`]. After a refusal the session closes the link, unless the
    /// handshake reports [`Step::Stranger`].
    fn answer(
        &mut self,
        verdict: Result<(), Self::Motive>,
        cx: &mut Context<'_, Step<Self::Peer, Self::Output>>,
    );

    /// The link is about to be closed: what we say last.
    fn close(&mut self, motive: Self::Motive, cx: &mut Context<'_, Step<Self::Peer, Self::Output>>);

    /// Why a link closes that nobody has used for long, for [`Handshake::close`]; none says nothing.
    fn idle() -> Option<Self::Motive>;

    /// How much of [`Config::waiting_bytes_max`] an input takes, in bytes.
    fn size(input: &Self::Input) -> usize;
}

/// What a handshake reports.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step<P, O> {
    /// To be done.
    Emit(O),
    /// The peer has shown who it is: may it be linked? May repeat, also with another peer, until established.
    Identified(P),
    /// The next step is due within this time, but never later than the whole handshake. Replaces the stage before.
    /// To be reported when a stage begins, never for mere bytes.
    Stage(Duration),
    /// Items may be passed up already, though the handshake is not over.
    Readable,
    /// The handshake is over: both sides agree.
    Established,
    /// The peer does not speak this protocol, or may not take part, and is kept nevertheless: no deadline, never
    /// established.
    Stranger,
    /// The peer refused, or said goodbye.
    Refused,
    /// The peer broke the protocol: the link closes, at these points if the peer is known.
    Violation(u32),
}

/// What a session hears.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Input<I, H, P, M> {
    /// The link stands. Time runs from construction, not from here.
    Opened,
    /// For the handshake.
    Handshake(H),
    /// For the layers above, to be held until they may have it.
    Item {
        /// What.
        item: I,
        /// Its size in bytes.
        size: usize,
    },
    /// The answer to [`Output::Identified`]. Ignored unless it is about the peer of the latest question.
    Answer {
        /// About whom.
        peer: P,
        /// May it be linked, or why not.
        verdict: Result<(), M>,
    },
    /// The layers above could not decode something of the peer's.
    Malformed,
    /// Whether anything uses the link. Starts as not in use.
    Busy(bool),
    /// Close the link.
    Close {
        /// The last word, if there shall be one.
        motive: Option<M>,
        /// When.
        how: Closing,
    },
    /// The link is gone: the session ends.
    Closed,
}

/// When a link is closed that shall be closed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Closing {
    /// When nothing uses it any more, within [`Config::linger`].
    Linger,
    /// After what was sent has left, within [`Config::flush`].
    Flush,
    /// At once.
    Abort,
}

/// What a session wants done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Output<I, O, P> {
    /// What the handshake wants done.
    Emit(O),
    /// May this peer be linked? Answered by [`Input::Answer`].
    Identified {
        /// Who.
        peer: P,
    },
    /// The link may be used.
    Established {
        /// By whom.
        peer: P,
    },
    /// The peer does not take part and is kept: a stranger.
    Stranger {
        /// Who, if it has shown it.
        peer: Option<P>,
    },
    /// An item for the layers above.
    Item(I),
    /// An item that could not be held, or that a stranger sent: to be refused (a stream: reset).
    Shed(I),
    /// For the peer book.
    Offence {
        /// Who.
        peer: P,
        /// Misbehaviour points.
        points: u32,
    },
    /// Close the link after what was sent has left. [`Output::Abort`] follows if that takes too long.
    Close(Ended),
    /// Close the link at once. Nothing follows.
    Abort(Ended),
}

/// Why a session ends.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Ended {
    /// The parent wanted it.
    Asked,
    /// We refused the peer.
    RefusedByUs,
    /// The peer refused us, or said goodbye.
    RefusedByPeer,
    /// The handshake, a stage of it or an answer took too long.
    TimedOut,
    /// The peer broke the protocol.
    Violation,
    /// Too much input while a question was open.
    Overflow,
    /// Too many malformed frames.
    Malformed,
    /// Nobody used the link for long.
    Idle,
}

#[cfg(test)]
mod tests;
