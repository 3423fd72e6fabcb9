//! The limits and times of a link.

use core::time::Duration;

use super::yamux;

/// The limits and times of a link. Every value is legal; zero means "at once" for a time and "none" for a number, but
/// for those that have a least value.
#[derive(Clone, Debug)]
pub struct Config {
    /// The whole upgrade, from start until streams can be opened. Not renewed by bytes. Default 10 s.
    pub upgrade_timeout: Duration,
    /// The Noise handshake, within the upgrade. Default 5 s.
    pub handshake_timeout: Duration,
    /// The negotiation of a stream, and the whole of an identify stream. Default 10 s.
    pub stream_timeout: Duration,
    /// A Noise message that has begun must be whole after this. Default 30 s.
    pub partial_message_timeout: Duration,
    /// After so long without a byte from the peer it is probed. Default 30 s.
    pub keep_alive_idle: Duration,
    /// After so long more without a byte the link is closed. Default 15 s.
    pub keep_alive_answer: Duration,
    /// How often the peer is asked again what it is, give or take a tenth; not before `stream_timeout`, and not within
    /// 1 us. Default 5 min.
    pub identify_interval: Duration,
    /// The least time between two pushes of what we are, and until one is tried again that found no room for its stream;
    /// not within 1 us then. Default 10 s.
    pub push_interval: Duration,
    /// So many identify messages of the peer are read together. More are ignored and counted. Default 8.
    pub identify_burst: u32,
    /// After so long one more identify message is read. Default 5 s.
    pub identify_refill: Duration,
    /// So much data is handed to the carrier before it reports it as written, in bytes. Default 128 KiB.
    pub send_ahead: usize,
    /// So much more of answers and credit, in bytes. At the sum of both, reading from the peer is paused until no more
    /// than `send_ahead` and half of this is unwritten. At least 64 and a 1024th of `send_ahead`, so that data with
    /// its headers does not pause what is read. Default 128 KiB.
    pub control_ahead: usize,
    /// Streams of the peer whose protocol is not yet agreed on. One more is reset. Default 128.
    pub negotiating_max: usize,
    /// Identify and push streams of the peer at once. One more is reset. Default 8.
    pub services_max: usize,
    /// Ping streams of the peer at once. One more is reset. Default 2.
    pub pings_max: usize,
    /// Noise messages without content in a row. One more closes the link. Default 1000.
    pub empty_messages_max: u32,
    /// The multiplexer.
    pub yamux: yamux::Config,
}

impl Config {
    /// How much unwritten pauses reading.
    pub(super) const fn pause_at(&self) -> usize {
        self.send_ahead.saturating_add(self.effective_control_ahead())
    }

    /// How little unwritten lets it go on. Not less than `send_ahead`: waiting data keeps so much unwritten always.
    pub(super) const fn resume_at(&self) -> usize {
        self.send_ahead.saturating_add(self.effective_control_ahead() / 2)
    }

    /// [`Self::control_ahead`], or where that is less, enough for what the last frame of data exceeds `send_ahead` by:
    /// its header, and prefix and tag of its messages, 30 bytes and 18 more for each 64 KiB.
    const fn effective_control_ahead(&self) -> usize {
        let least = (self.send_ahead / 1024).saturating_add(64);
        if self.control_ahead < least { least } else { self.control_ahead }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            upgrade_timeout: Duration::from_secs(10),
            handshake_timeout: Duration::from_secs(5),
            stream_timeout: Duration::from_secs(10),
            partial_message_timeout: Duration::from_secs(30),
            keep_alive_idle: Duration::from_secs(30),
            keep_alive_answer: Duration::from_secs(15),
            identify_interval: Duration::from_secs(300),
            push_interval: Duration::from_secs(10),
            identify_burst: 8,
            identify_refill: Duration::from_secs(5),
            send_ahead: 128 * 1024,
            control_ahead: 128 * 1024,
            negotiating_max: 128,
            services_max: 8,
            pings_max: 2,
            empty_messages_max: 1000,
            yamux: yamux::Config::default(),
        }
    }
}
