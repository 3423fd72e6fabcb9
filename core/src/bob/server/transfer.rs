//! From content to records on a link, as much at a time as may be in flight.

use alloc::collections::VecDeque;
use core::fmt;

use bytes::{Buf, Bytes, BytesMut};

use super::config::Config;
use crate::bob::channel::{self, PLAINTEXT_MAX, Sealer};
use crate::bob::pack::Writer;
use crate::bob::peer::Farewell;
use crate::bob::public::Public;
use crate::bob::spoke::Keys;

/// Bytes of the pack that leave as one piece: three full records.
const BATCH: usize = 3 * PLAINTEXT_MAX;
/// Less is not asked for, unless it is all: small pieces make small records.
const ASKED_MIN: usize = 64 << 10;

/// A file on its way.
pub(super) struct Sending {
    writer: Writer,
    sealer: Sealer,
    /// Of the pack, not sealed yet.
    plain: BytesMut,
    flight_max: usize,
    /// Content that the application was not yet asked for.
    unasked: u64,
    /// Content that it was asked for and has not given.
    asked: u64,
    /// Content that was given and has not left in a piece.
    given: u64,
    /// Pieces that have not left: bytes on the link, and of the content.
    flights: VecDeque<(usize, u64)>,
    is_finished: bool,
    /// What the client says, which can only be an end.
    pub(super) farewell: Farewell,
}

impl Sending {
    pub(super) fn new(config: &Config, public: &Public, keys: &Keys) -> Self {
        let (sealer, _) = channel::of_server(keys, public.ciphers());
        Self {
            writer: Writer::new(&config.name, config.size, config.compression),
            sealer,
            plain: BytesMut::new(),
            flight_max: config.flight_max.max(1),
            unasked: config.size,
            asked: 0,
            given: 0,
            flights: VecDeque::new(),
            is_finished: false,
            farewell: Farewell::default(),
        }
    }

    /// Content that is still to come.
    pub(super) const fn missing(&self) -> u64 {
        self.unasked.saturating_add(self.asked)
    }

    /// Whether all of the pack has been handed to the link.
    pub(super) const fn is_finished(&self) -> bool {
        self.is_finished
    }

    /// Takes the next piece of content, no more of it than is missing, and hands out what is to be sent.
    pub(super) fn give(&mut self, content: &[u8], mut send: impl FnMut(Bytes)) {
        for content in content.chunks(BATCH) {
            let length = u64::try_from(content.len()).unwrap_or(u64::MAX);
            let unasked = length.saturating_sub(self.asked);
            self.asked = self.asked.saturating_sub(length);
            self.unasked = self.unasked.saturating_sub(unasked);
            self.given = self.given.saturating_add(length);
            let written = self.writer.write(content, &mut self.plain);
            debug_assert!(written.is_ok(), "no more than is missing");
            if self.asked == 0 {
                self.seal(self.plain.len(), &mut send);
            } else if self.plain.len() >= BATCH {
                // More follows at once: what does not fill a record waits for it.
                self.seal(self.plain.len() - self.plain.len() % PLAINTEXT_MAX, &mut send);
            }
        }
        self.finish(send);
    }

    /// The end of the pack, when all content is there.
    pub(super) fn finish(&mut self, mut send: impl FnMut(Bytes)) {
        if self.missing() == 0 && !self.is_finished {
            self.is_finished = true;
            let written = self.writer.finish(&mut self.plain);
            debug_assert!(written.is_ok(), "nothing is missing");
            self.seal(self.plain.len(), &mut send);
            self.plain = BytesMut::new();
        }
    }

    /// How much content is to be asked for, with so many bytes waiting on the link.
    pub(super) fn want(&mut self, unwritten: usize) -> Option<usize> {
        let asked = usize::try_from(self.asked).unwrap_or(usize::MAX);
        let room = self.flight_max.saturating_sub(unwritten).saturating_sub(asked);
        let unasked = usize::try_from(self.unasked).unwrap_or(usize::MAX);
        let wanted = room.min(unasked);
        if wanted == 0 || wanted < unasked.min(ASKED_MIN).min(self.flight_max / 2) {
            return None;
        }
        let length = u64::try_from(wanted).unwrap_or(u64::MAX);
        self.unasked = self.unasked.saturating_sub(length);
        self.asked = self.asked.saturating_add(length);
        Some(wanted)
    }

    /// So many bytes have left. How much content has left with them, counted by pieces.
    pub(super) fn left(&mut self, mut count: usize) -> u64 {
        let mut content = 0_u64;
        while let Some((length, of_content)) = self.flights.front_mut() {
            if *length > count {
                *length = length.saturating_sub(count);
                break;
            }
            count = count.saturating_sub(*length);
            content = content.saturating_add(*of_content);
            self.flights.pop_front();
        }
        content
    }

    /// Seals so many bytes of what waits.
    fn seal(&mut self, count: usize, send: &mut impl FnMut(Bytes)) {
        if count == 0 {
            return;
        }
        let mut records = BytesMut::new();
        let sealed = self.sealer.seal(self.plain.get(..count).unwrap_or_default(), &mut records);
        debug_assert!(sealed.is_ok(), "2^64 records are more than a file has");
        self.plain.advance(count);
        self.flights.push_back((records.len(), core::mem::take(&mut self.given)));
        send(records.freeze());
    }
}

impl fmt::Debug for Sending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sending")
            .field("missing", &self.missing())
            .field("asked", &self.asked)
            .field("is_finished", &self.is_finished)
            .field("farewell", &self.farewell)
            .finish_non_exhaustive()
    }
}
