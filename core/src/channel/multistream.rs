//! multistream-select 1.0: two sides agree on a protocol by name (`connectivity` 2.1).
//!
//! ```text
//! dialler   /multistream/1.0.0  /first                      /second
//! listener  /multistream/1.0.0            na                            /second
//! ```
//!
//! Each message is `varint(length) || text || 0a`, the newline counted. Both sides write the header without waiting; the
//! dialler's first proposal goes with it. An echo agrees, `na` declines. A dialler with a single proposal may send data
//! right behind it: that, and every byte behind the echo, belongs to the protocol agreed on and is handed on.
//! `ls` is obsolete and answered as any unknown protocol.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use bytes::{BufMut, Bytes, BytesMut};

use crate::wire::frame::{Deframer, FrameError, Prefix};
use crate::wire::varint;

/// What both sides say first.
pub const HEADER: &str = "/multistream/1.0.0";
/// What declines a proposal.
pub const NOT_AVAILABLE: &str = "na";
/// The longest message that is read, in bytes, its newline counted.
pub const MESSAGE_MAX: usize = 1024;
/// The most proposals of one negotiation; one more ends it.
pub const PROPOSALS_MAX: u8 = 16;

/// How a peer broke the rules. The peer is at fault; the negotiation is over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MultistreamError {
    /// A message longer than [`MESSAGE_MAX`], or with a malformed length.
    Frame(FrameError),
    /// A message without its newline, or not UTF-8.
    Malformed,
    /// The first message is not the header.
    NoHeader,
    /// A second header.
    SecondHeader,
    /// An answer that is neither `na` nor the proposal.
    WrongAnswer,
    /// More than [`PROPOSALS_MAX`] proposals.
    TooManyProposals,
}

impl fmt::Display for MultistreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Frame(error) => return error.fmt(f),
            Self::Malformed => "a multistream message is malformed",
            Self::NoHeader => "a negotiation does not start with the multistream header",
            Self::SecondHeader => "a negotiation has a second multistream header",
            Self::WrongAnswer => "a proposal was answered with something else",
            Self::TooManyProposals => "a negotiation has too many proposals",
        })
    }
}

impl core::error::Error for MultistreamError {}

impl From<FrameError> for MultistreamError {
    fn from(error: FrameError) -> Self {
        Self::Frame(error)
    }
}

/// Writes one message.
pub fn encode(text: &str, out: &mut impl BufMut) {
    let length = u64::try_from(text.len()).unwrap_or(u64::MAX).saturating_add(1);
    varint::write(length, out);
    out.put_slice(text.as_bytes());
    out.put_u8(b'\n');
}

/// The text of one message whose length prefix has been removed.
pub fn decode(frame: &[u8]) -> Result<&str, MultistreamError> {
    let text = frame.strip_suffix(b"\n").ok_or(MultistreamError::Malformed)?;
    core::str::from_utf8(text).map_err(|_| MultistreamError::Malformed)
}

/// How far a negotiation is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Progress {
    /// More must come from the peer.
    Pending,
    /// A protocol is agreed on. `rest` already belongs to it.
    Agreed {
        /// Its name.
        protocol: String,
        /// What came behind.
        rest: Bytes,
    },
    /// The dialler has nothing more to propose.
    Declined,
}

/// One side of a negotiation. What it writes goes to `out`, and is to be sent in order.
#[derive(Debug)]
pub struct Negotiation {
    frames: Deframer,
    header_seen: bool,
    side: Side,
}

#[derive(Debug)]
enum Side {
    /// The proposals that are left, the pending one last.
    Dialler(Vec<String>),
    /// How many proposals were answered.
    Listener(u8),
}

impl Negotiation {
    /// The side that proposes, in this order; at most [`PROPOSALS_MAX`]. Writes header and first proposal. Without a
    /// proposal it can only be declined.
    pub fn dialler(mut proposals: Vec<String>, out: &mut impl BufMut) -> Self {
        encode(HEADER, out);
        proposals.truncate(usize::from(PROPOSALS_MAX));
        if let Some(first) = proposals.first() {
            encode(first, out);
        }
        proposals.reverse();
        Self::new(Side::Dialler(proposals))
    }

    /// The side that chooses. Writes the header.
    pub fn listener(out: &mut impl BufMut) -> Self {
        encode(HEADER, out);
        Self::new(Side::Listener(0))
    }

    fn new(side: Side) -> Self {
        Self { frames: Deframer::new(Prefix::Varint, MESSAGE_MAX), header_seen: false, side }
    }

    /// Takes a piece of what the peer wrote. `supported` says which proposals a listener agrees to.
    pub fn receive(
        &mut self,
        piece: Bytes,
        supported: impl Fn(&str) -> bool,
        out: &mut BytesMut,
    ) -> Result<Progress, MultistreamError> {
        self.frames.push(piece);
        while let Some(frame) = self.frames.next_frame()? {
            let text = decode(&frame)?;
            if !self.header_seen {
                if text != HEADER {
                    return Err(MultistreamError::NoHeader);
                }
                self.header_seen = true;
                continue;
            }
            if text == HEADER {
                return Err(MultistreamError::SecondHeader);
            }
            match self.on_message(text, &supported, out)? {
                Verdict::More => {}
                Verdict::Agreed => return Ok(self.agree(text.into())),
                Verdict::Declined => return Ok(Progress::Declined),
            }
        }
        Ok(Progress::Pending)
    }

    fn on_message(
        &mut self,
        text: &str,
        supported: &impl Fn(&str) -> bool,
        out: &mut BytesMut,
    ) -> Result<Verdict, MultistreamError> {
        match &mut self.side {
            Side::Dialler(proposals) => {
                if text == NOT_AVAILABLE {
                    proposals.pop();
                    let Some(next) = proposals.last() else { return Ok(Verdict::Declined) };
                    encode(next, out);
                    return Ok(Verdict::More);
                }
                let echoed = proposals.last().is_some_and(|proposal| proposal == text);
                if echoed { Ok(Verdict::Agreed) } else { Err(MultistreamError::WrongAnswer) }
            }
            Side::Listener(answered) => {
                if *answered == PROPOSALS_MAX {
                    return Err(MultistreamError::TooManyProposals);
                }
                *answered = answered.saturating_add(1);
                let agreed = supported(text);
                encode(if agreed { text } else { NOT_AVAILABLE }, out);
                Ok(if agreed { Verdict::Agreed } else { Verdict::More })
            }
        }
    }

    fn agree(&mut self, protocol: String) -> Progress {
        let frames = core::mem::replace(&mut self.frames, Deframer::new(Prefix::Varint, MESSAGE_MAX));
        Progress::Agreed { protocol, rest: frames.into_rest() }
    }
}

enum Verdict {
    More,
    Agreed,
    Declined,
}

#[cfg(test)]
mod tests;
