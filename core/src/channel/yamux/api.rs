//! Limits, counters, events and errors.

use core::fmt;
use core::time::Duration;

use bytes::Bytes;

use super::frame::{GoAway, HeaderError};

/// The limits of one connection.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Streams of both sides together. One more is reset, or not opened. Default 512.
    pub streams_max: usize,
    /// Streams of the peer that we have not yet acknowledged. One more is reset. As many of ours, but at least one, the
    /// peer is told of before it answers; more wait, since it may have the same limit. Default 256.
    pub unacknowledged_max: usize,
    /// Payload of one data frame that we write, in bytes; what streams take turns in. Default 16 384.
    pub frame_max: usize,
    /// Streams that the peer opened and that were then reset: by it, or by us for a limit or for what it did before a
    /// protocol was agreed on. So many may come together. One more closes the connection. Default 100.
    pub reset_burst: u32,
    /// After so long one more such stream is forgiven. Default 10 ms.
    pub reset_interval: Duration,
    /// Answers to the peer (resets; pongs have a limit of their own) that wait for room. One more closes the
    /// connection. Default 64.
    pub answers_max: usize,
    /// Pings of distinct values whose answer waits for room. More are not answered. Default 8.
    pub pongs_max: usize,
    /// Frames in a row that have no effect: no payload, credit, opening, end, question or answer. One more closes the
    /// connection. Default 1000.
    pub empty_frames_max: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            streams_max: 512,
            unacknowledged_max: 256,
            frame_max: 16_384,
            reset_burst: 100,
            reset_interval: Duration::from_millis(10),
            answers_max: 64,
            pongs_max: 8,
            empty_frames_max: 1000,
        }
    }
}

crate::counters! {
    /// What a multiplexer has seen and shed.
    pub struct Stats {
        /// Streams that the peer opened and we took.
        accepted,
        /// Streams that we opened.
        opened,
        /// Streams of the peer that were reset for a limit.
        refused,
        /// Pings that were not answered for a limit.
        pings_shed,
        /// Frames for streams that are no more.
        late,
    }
}

/// How a peer broke the rules. The connection is over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum YamuxError {
    /// Unknown version or type.
    Header(HeaderError),
    /// An id that cannot be: 0, of the wrong side, used before, or never opened.
    BadStream,
    /// Data beyond the credit.
    WindowExceeded,
    /// Credit beyond 2^32 - 1.
    CreditOverflow,
    /// Data behind the end of a stream.
    DataAfterFinish,
    /// Streams opened and reset faster than the limit.
    RapidReset,
    /// More answers owed than the limit, as the peer does not read.
    TooManyAnswers,
    /// More frames in a row that do nothing than the limit.
    TooManyEmptyFrames,
}

impl fmt::Display for YamuxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header(error) => return error.fmt(f),
            Self::BadStream => "a yamux frame has an impossible stream id",
            Self::WindowExceeded => "a yamux stream exceeds its window",
            Self::CreditOverflow => "the credit of a yamux stream overflows",
            Self::DataAfterFinish => "a yamux stream goes on behind its end",
            Self::RapidReset => "yamux streams are opened and reset too fast",
            Self::TooManyAnswers => "too many yamux answers wait",
            Self::TooManyEmptyFrames => "too many yamux frames do nothing",
        })
    }
}

impl core::error::Error for YamuxError {}

impl From<HeaderError> for YamuxError {
    fn from(error: HeaderError) -> Self {
        Self::Header(error)
    }
}

/// What the peer did.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event {
    /// It opened a stream.
    Opened(u32),
    /// It sent bytes on a stream.
    Received {
        /// Which.
        stream: u32,
        /// The bytes; never empty.
        bytes: Bytes,
    },
    /// It closed its half of a stream.
    Finished(u32),
    /// It reset a stream, which is no more.
    Reset(u32),
    /// It answered our ping.
    Pong,
    /// It will take no more streams.
    GoneAway(GoAway),
    /// It is owed an answer: pull.
    Answer,
}

/// Why a stream could not be opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OpenError {
    /// There are as many as there may be, or the ids are used up.
    TooMany,
    /// The peer takes no more.
    GoneAway,
}
