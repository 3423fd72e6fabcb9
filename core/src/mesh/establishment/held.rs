//! Streams that arrive before a link is established (E4).

use alloc::collections::BTreeMap;

use bytes::{Bytes, BytesMut};

use crate::stats::count;

/// The most streams that are held.
const STREAMS_MAX: usize = 4;
/// The most bytes that are held, of all streams together.
const BYTES_MAX: usize = 64 * 1024;

crate::counters! {
    /// What was not held.
    pub struct HeldStats {
        /// Streams reset as too many were held.
        streams_shed,
        /// Streams reset as too many bytes were held.
        bytes_shed,
    }
}

/// Streams that wait for their link to be established: at most 4, with 64 KiB in all. What is beyond is to be reset.
#[derive(Clone, Debug, Default)]
pub struct Held<S> {
    streams: BTreeMap<S, BytesMut>,
    bytes: usize,
    stats: HeldStats,
}

impl<S: Copy + Ord> Held<S> {
    /// Nothing held.
    #[must_use]
    pub const fn new() -> Self {
        Self { streams: BTreeMap::new(), bytes: 0, stats: HeldStats { streams_shed: 0, bytes_shed: 0 } }
    }

    /// A stream arrives. False if there is no place for it: reset it.
    #[must_use]
    pub fn open(&mut self, stream: S) -> bool {
        let has_place = self.streams.contains_key(&stream) || self.streams.len() < STREAMS_MAX;
        if has_place {
            self.streams.entry(stream).or_default();
        } else {
            count(&mut self.stats.streams_shed);
        }
        has_place
    }

    /// Bytes arrive on a stream that was opened. False if there is no place for them: reset it; it is forgotten.
    #[must_use]
    pub fn push(&mut self, stream: S, bytes: &[u8]) -> bool {
        let Some(held) = self.streams.get_mut(&stream) else { return false };
        let total = self.bytes.saturating_add(bytes.len());
        if total <= BYTES_MAX {
            held.extend_from_slice(bytes);
            self.bytes = total;
            return true;
        }
        count(&mut self.stats.bytes_shed);
        self.close(stream);
        false
    }

    /// A stream is gone.
    pub fn close(&mut self, stream: S) {
        let held = self.streams.remove(&stream).unwrap_or_default();
        self.bytes = self.bytes.saturating_sub(held.len());
    }

    /// The link is established: every stream with what it brought, in order of stream.
    pub fn release(&mut self) -> impl Iterator<Item = (S, Bytes)> {
        self.bytes = 0;
        core::mem::take(&mut self.streams).into_iter().map(|(stream, held)| (stream, held.freeze()))
    }

    /// What was not held.
    #[must_use]
    pub const fn stats(&self) -> HeldStats {
        self.stats
    }
}
