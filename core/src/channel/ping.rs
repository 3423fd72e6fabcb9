//! ping: the opener of `/ipfs/ping/1.0.0` writes 32 bytes, the other side echoes them, again and again
//! (`connectivity` 2.3). We answer; our own round trips are measured by the multiplexer, which costs no stream.

use bytes::{Bytes, BytesMut};

/// The stream.
pub const PROTOCOL: &str = "/ipfs/ping/1.0.0";
/// Bytes of one ping.
pub const LENGTH: usize = 32;

/// The answering side of one stream.
#[derive(Debug, Default)]
pub struct Echo {
    partial: BytesMut,
}

impl Echo {
    /// Takes a piece of what the opener wrote and returns the echo of all pings that are now whole.
    pub fn receive(&mut self, piece: &Bytes) -> Bytes {
        let held = self.partial.len().saturating_add(piece.len());
        let whole = held.saturating_sub(held % LENGTH);
        if whole == 0 {
            self.partial.extend_from_slice(piece);
            return Bytes::new();
        }
        let (now, later) = piece.split_at(whole.saturating_sub(self.partial.len()).min(piece.len()));
        let mut echo = core::mem::take(&mut self.partial);
        echo.extend_from_slice(now);
        self.partial.extend_from_slice(later);
        echo.freeze()
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn s2_3_whole_pings_are_echoed_however_they_are_cut() {
        let pings: Vec<u8> = (0..96).collect();
        for split in 0..pings.len() {
            let mut echo = Echo::default();
            let (first, second) = pings.split_at(split);
            let early = echo.receive(&Bytes::copy_from_slice(first));
            assert_eq!(early.len(), split / LENGTH * LENGTH);
            let late = echo.receive(&Bytes::copy_from_slice(second));
            assert_eq!([early, late].concat(), pings);
        }
        let mut echo = Echo::default();
        assert!(echo.receive(&Bytes::from_static(&[7; 31])).is_empty());
    }
}
