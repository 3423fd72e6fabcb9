//! The link to the handshake port, where many handshakes run at once.

use bytes::{Bytes, BytesMut};

use super::carrier::Carrier;
use crate::bob::packet::{Body, DecodeError, Decoder, Packet, RelayFailure, Uid};
use crate::link::{How, LinkId, Output};
use crate::machine::Context;

/// Packets in both directions. What one call says leaves as one piece.
#[derive(Debug)]
pub(in crate::bob) struct Hall {
    pub(super) carrier: Carrier,
    decoder: Decoder,
    unread: Bytes,
    answers: BytesMut,
    answers_max: usize,
}

impl Hall {
    pub(super) fn new(link: LinkId, answers_max: usize) -> Self {
        Self {
            carrier: Carrier::new(link),
            decoder: Decoder::new(),
            unread: Bytes::new(),
            answers: BytesMut::new(),
            answers_max,
        }
    }

    pub(super) fn received(&mut self, bytes: Bytes) {
        self.unread =
            if self.unread.is_empty() { bytes } else { [self.unread.as_ref(), &bytes].concat().into() };
    }

    /// The next packet of what was received, unless too much of what we say waits to leave.
    pub(in crate::bob) fn next_packet(&mut self) -> Result<Option<Packet>, DecodeError> {
        if self.is_choked() { Ok(None) } else { self.decoder.next(&mut self.unread) }
    }

    /// Whether too much of what we say waits to leave (T-12): there is to be no more of it.
    pub(in crate::bob) fn is_choked(&self) -> bool {
        self.carrier.unwritten().saturating_add(self.answers.len()) > self.answers_max
    }

    /// Whether packets wait to be read.
    pub(super) const fn has_unread(&self) -> bool {
        !self.unread.is_empty()
    }

    /// Says something to a peer, or to the relay ([`Uid::RELAY`]). Identities were looked at when they came: one that
    /// cannot be written is not said.
    pub(in crate::bob) fn say(&mut self, uid: Uid, body: Body) {
        let said = Packet { uid, body }.encode(&mut self.answers);
        debug_assert!(said.is_ok(), "the identity was looked at");
    }

    /// Tells the relay what makes no sense.
    pub(in crate::bob) fn report(&mut self, failure: RelayFailure) {
        self.say(Uid::RELAY, Body::RelayFailure(failure));
    }

    /// Sends what was said, and stops reading while too much of it waits to leave.
    pub(super) fn flush<E>(&mut self, cx: &mut Context<'_, Output<E>>) {
        // An idle link owns no buffer.
        let answers = core::mem::take(&mut self.answers);
        self.carrier.send(answers.freeze(), cx);
        self.carrier.pause(self.is_choked(), cx);
    }

    /// Sends what was said and closes.
    pub(super) fn leave<E>(&mut self, cx: &mut Context<'_, Output<E>>) {
        self.flush(cx);
        self.carrier.close(How::Flush, cx);
        self.unread = Bytes::new();
    }
}
