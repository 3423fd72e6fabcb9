//! What waits to be written to one link.

use std::collections::VecDeque;
use std::io::{self, IoSlice, Write};

use bytes::{Buf, Bytes, BytesMut};

/// Pieces shorter than this are copied together, so that a queued piece costs what it weighs (T-17) and small messages
/// leave in one write; longer ones are kept by reference.
const MERGED_BELOW: usize = 1024;
/// A run of merged pieces is closed at this size.
const RUN_MAX: usize = 16 * 1024;
/// Pieces handed to one write.
const SLICES_MAX: usize = 32;

/// A queue of bytes in order: long pieces shared, short ones merged into the run at its end.
#[derive(Debug, Default)]
pub(super) struct WriteQueue {
    pieces: VecDeque<Bytes>,
    run: BytesMut,
    len: usize,
}

impl WriteQueue {
    /// Appends `bytes`.
    pub(super) fn push(&mut self, bytes: Bytes) {
        self.len = self.len.saturating_add(bytes.len());
        if bytes.len() < MERGED_BELOW {
            self.run.extend_from_slice(&bytes);
            if self.run.len() >= RUN_MAX {
                self.close_run();
            }
        } else {
            self.close_run();
            self.pieces.push_back(bytes);
        }
    }

    /// Writes once and drops what was taken. Not to be called when empty.
    pub(super) fn write_to(&mut self, mut sink: impl Write) -> io::Result<usize> {
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        let queued = self.pieces.iter().map(Bytes::as_ref).chain([self.run.as_ref()]);
        let mut used = 0;
        for (slice, bytes) in slices.iter_mut().zip(queued) {
            *slice = IoSlice::new(bytes);
            used += 1;
        }
        let written = sink.write_vectored(slices.get(..used).unwrap_or_default())?;
        self.consume(written);
        Ok(written)
    }

    /// Drops everything.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn close_run(&mut self) {
        if !self.run.is_empty() {
            self.pieces.push_back(self.run.split().freeze());
        }
    }

    fn consume(&mut self, mut count: usize) {
        self.len = self.len.saturating_sub(count);
        while let Some(piece) = self.pieces.front_mut() {
            if count < piece.len() {
                piece.advance(count);
                return;
            }
            count -= piece.len();
            self.pieces.pop_front();
        }
        self.run.advance(count.min(self.run.len()));
        if self.len == 0 {
            // An idle link owns no buffer.
            self.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(queue: &mut WriteQueue, at_once: usize) -> Vec<u8> {
        struct Narrow<'a>(&'a mut Vec<u8>, usize);
        impl Write for Narrow<'_> {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                let count = bytes.len().min(self.1);
                self.0.extend_from_slice(&bytes[..count]);
                Ok(count)
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut out = Vec::new();
        while !queue.is_empty() {
            queue.write_to(Narrow(&mut out, at_once)).unwrap();
        }
        out
    }

    #[test]
    fn order_survives_merging_and_short_writes() {
        for at_once in [1, 7, 1000, 1 << 20] {
            let mut queue = WriteQueue::default();
            let mut expected = Vec::new();
            for length in [3, 5000, 1, 1, 900, 900, 1024, 20_000, 2] {
                let piece: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
                expected.extend_from_slice(&piece);
                queue.push(Bytes::from(piece));
            }
            assert_eq!(queue.len(), expected.len());
            assert_eq!(drain(&mut queue, at_once), expected);
            assert_eq!(queue.len(), 0);
        }
    }

    #[test]
    fn t_17_short_pieces_are_merged_and_an_empty_queue_owns_nothing() {
        let mut queue = WriteQueue::default();
        for _ in 0..100_000 {
            queue.push(Bytes::from_static(b"x"));
        }
        assert!(queue.pieces.len() <= 100_000 / RUN_MAX + 1);
        assert!(queue.run.capacity() <= 4 * RUN_MAX);
        drain(&mut queue, 4096);
        assert_eq!((queue.pieces.capacity(), queue.run.capacity()), (0, 0));
    }
}
