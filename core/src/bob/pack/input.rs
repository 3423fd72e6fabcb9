//! What a reader is given: every byte that is taken is hashed.

use bytes::Bytes;
use sha1::{Digest, Sha1};

/// Bytes of a pack, and the hash of those that were taken.
#[derive(Debug)]
pub(super) struct Input<'a> {
    pub(super) bytes: &'a mut Bytes,
    pub(super) sha1: &'a mut Sha1,
}

impl Input<'_> {
    /// What has not been taken.
    pub(super) fn rest(&self) -> &[u8] {
        self.bytes
    }

    /// Takes so many bytes, or all if there are fewer.
    pub(super) fn take(&mut self, count: usize) -> Bytes {
        let taken = self.bytes.split_to(count.min(self.bytes.len()));
        self.sha1.update(&taken);
        taken
    }

    /// Takes one byte.
    pub(super) fn take_byte(&mut self) -> Option<u8> {
        self.take(1).first().copied()
    }
}

/// A value of `N` bytes, of which some are there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gather<const N: usize> {
    bytes: [u8; N],
    filled: usize,
}

impl<const N: usize> Gather<N> {
    /// None there yet.
    pub(super) const fn new() -> Self {
        Self { bytes: [0; N], filled: 0 }
    }

    /// Whether nothing is there.
    pub(super) const fn is_empty(&self) -> bool {
        self.filled == 0
    }

    /// Takes what is there of the value. None: more is needed.
    pub(super) fn read(&mut self, input: &mut Input<'_>) -> Option<[u8; N]> {
        let missing = self.bytes.get_mut(self.filled..)?;
        let piece = input.take(missing.len());
        missing.get_mut(..piece.len())?.copy_from_slice(&piece);
        self.filled = self.filled.saturating_add(piece.len());
        (self.filled == N).then_some(self.bytes)
    }
}
