//! The encrypted byte stream of an authenticated peer.

use bytes::Bytes;

use super::super::noise::{Frames, Opener, Sealer};
use super::{Cause, Violation, noise};
use crate::identity::PeerId;

/// Both directions of a link after the handshake.
pub(in crate::channel) struct Secure {
    sealer: Sealer,
    opener: Opener,
    frames: Frames,
    peer: PeerId,
    /// Messages without content in a row, and how many there may be.
    empty: u32,
    empty_max: u32,
    /// Whether a message, with content or without, has become whole since this was last asked.
    completed: bool,
}

impl Secure {
    pub(in crate::channel) fn new(sealer: Sealer, opener: Opener, peer: PeerId, empty_max: u32) -> Self {
        Self { sealer, opener, frames: Frames::new(), peer, empty: 0, empty_max, completed: false }
    }

    /// Takes bytes off the front of `bytes` and opens the next whole message with content. None: all has been taken.
    pub(in crate::channel) fn open_next(&mut self, bytes: &mut Bytes) -> Result<Option<Bytes>, Cause> {
        while let Some(message) = self.frames.next_frame(bytes) {
            self.completed = true;
            let plaintext = self.opener.open(message).map_err(noise)?;
            if !plaintext.is_empty() {
                self.empty = 0;
                return Ok(Some(plaintext));
            }
            self.empty = self.empty.saturating_add(1);
            if self.empty > self.empty_max {
                return Err(Cause::Violation(Violation::EmptyMessages));
            }
        }
        Ok(None)
    }

    pub(in crate::channel) const fn is_partial(&self) -> bool {
        self.frames.is_partial()
    }

    /// Whether a message has become whole since the last time.
    pub(in crate::channel) const fn take_completed(&mut self) -> bool {
        core::mem::replace(&mut self.completed, false)
    }

    pub(in crate::channel) fn reserve(&mut self, count: usize) {
        if count > 0 {
            self.sealer.reserve(count);
        }
    }

    pub(in crate::channel) fn put(&mut self, plaintext: &[u8]) -> Result<(), Cause> {
        self.sealer.put(plaintext).map_err(noise)
    }

    pub(in crate::channel) fn pending(&self) -> usize {
        self.sealer.pending()
    }

    pub(in crate::channel) fn flush(&mut self) -> Result<Bytes, Cause> {
        self.sealer.flush().map_err(noise)
    }

    pub(in crate::channel) const fn peer(&self) -> PeerId {
        self.peer
    }
}
