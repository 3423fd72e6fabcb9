//! Buffers that sockets are read into, used again once nothing refers to what was read.

use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// A piece read from a link, at most.
const PIECE_MAX: usize = 64 * 1024;
/// A piece of this length or more is handed on in the buffer it was read into; a shorter one is copied, so that what the
/// machine keeps costs what it weighs (T-17).
const LENT_FROM: usize = PIECE_MAX / 4;
/// Buffers that wait to be used again, at most.
const SPARE_MAX: usize = 16;

/// The buffer of the next piece, and those that came back. Filling fresh memory with zeros costs as much as a good part of
/// the copy that a relay makes.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    next: Vec<u8>,
    spare: Arc<Spare>,
}

type Spare = Mutex<Vec<Vec<u8>>>;

impl Buffers {
    /// Where the next piece is read into.
    pub(super) fn next(&mut self) -> &mut [u8] {
        if self.next.is_empty() {
            let spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
            self.next = spare.unwrap_or_else(|| vec![0; PIECE_MAX]);
        }
        &mut self.next
    }

    /// The first `count` bytes of what was read.
    pub(super) fn piece(&mut self, count: usize) -> Bytes {
        if count < LENT_FROM {
            return Bytes::copy_from_slice(self.next.get(..count).unwrap_or_default());
        }
        let (buffer, home) = (mem::take(&mut self.next), Arc::clone(&self.spare));
        Bytes::from_owner(Lent { buffer, home }).slice(..count.min(PIECE_MAX))
    }
}

/// A buffer that goes home when the last reference to its bytes is dropped.
struct Lent {
    buffer: Vec<u8>,
    home: Arc<Spare>,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut spare = self.home.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < SPARE_MAX {
            spare.push(mem::take(&mut self.buffer));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(buffers: &mut Buffers, byte: u8, count: usize) -> Bytes {
        buffers.next()[..count].fill(byte);
        buffers.piece(count)
    }

    #[test]
    fn a_buffer_is_used_again_only_when_nothing_refers_to_it() {
        let mut buffers = Buffers::default();
        let first = read(&mut buffers, 1, PIECE_MAX);
        let (at, tail) = (first.as_ptr(), first.slice(PIECE_MAX - 1..));
        drop(first);
        let second = read(&mut buffers, 2, LENT_FROM);
        assert_ne!(second.as_ptr(), at);
        assert_eq!(tail, [1].as_slice());
        drop(tail);
        let third = read(&mut buffers, 3, LENT_FROM);
        assert_eq!(third.as_ptr(), at);
        assert_eq!(second, vec![2; LENT_FROM]);
        assert_eq!(third, vec![3; LENT_FROM]);
    }

    #[test]
    fn t_17_a_short_piece_costs_what_it_weighs() {
        let mut buffers = Buffers::default();
        let at = buffers.next().as_ptr();
        let piece = read(&mut buffers, 1, LENT_FROM - 1);
        assert_eq!(piece, vec![1; LENT_FROM - 1]);
        assert_eq!(buffers.next().as_ptr(), at, "the buffer was not lent");
    }

    #[test]
    fn few_buffers_are_kept() {
        let mut buffers = Buffers::default();
        let pieces: Vec<_> = (0..2 * SPARE_MAX).map(|_| read(&mut buffers, 0, PIECE_MAX)).collect();
        drop(pieces);
        assert_eq!(buffers.spare.lock().unwrap().len(), SPARE_MAX);
    }
}
