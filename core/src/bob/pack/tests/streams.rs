//! Zlib streams that the writer does not make.

use alloc::vec::Vec;

use miniz_oxide::deflate::compress_to_vec_zlib;
use simd_adler32::adler32;

use super::super::{PackError, QUIET_MAX};
use super::{CONTENT_MAX, Read, content, pack_with, read, read_whole, refused};

/// Deflate by hand.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    count: usize,
}

impl Bits {
    /// The lowest bit first.
    fn number(&mut self, value: u32, count: usize) {
        for bit in 0..count {
            if self.count.is_multiple_of(8) {
                self.bytes.push(0);
            }
            *self.bytes.last_mut().unwrap() |= u8::from(value >> bit & 1 == 1) << (self.count % 8);
            self.count += 1;
        }
    }

    /// The highest bit first.
    fn code(&mut self, value: u32, count: usize) {
        (0..count).rev().for_each(|bit| self.number(value >> bit & 1, 1));
    }

    /// A stored block, not the last.
    fn stored(&mut self, piece: &[u8]) {
        self.number(0, 3);
        self.count = self.bytes.len() * 8;
        let length = u32::try_from(piece.len()).unwrap();
        self.number(length, 16);
        self.number(!length, 16);
        self.bytes.extend_from_slice(piece);
        self.count = self.bytes.len() * 8;
    }

    /// The head of a block of fixed codes.
    fn fixed(&mut self, last: bool) {
        self.number(u32::from(last), 1);
        self.number(1, 2);
    }

    /// A literal below 144.
    fn literal(&mut self, byte: u8) {
        self.code(0x30 + u32::from(byte), 8);
    }

    /// 258 bytes once more, of so far back. Distances here: 1 to 4, or 24 577 and more.
    fn longest_match(&mut self, distance: u32) {
        self.code(0xc5, 8);
        match distance.checked_sub(24_577) {
            None => self.code(distance - 1, 5),
            Some(extra) => {
                self.code(29, 5);
                self.number(extra, 13);
            }
        }
    }

    fn end_of_block(&mut self) {
        self.code(0, 7);
    }

    /// A pack of this, whose content should be that.
    fn packed(&self, content: &[u8]) -> Vec<u8> {
        let sum = adler32(&content).to_be_bytes();
        pack_with(
            u64::try_from(content.len()).unwrap(),
            &[&[0x78, 0x9c], self.bytes.as_slice(), &sum].concat(),
        )
    }
}

#[track_caller]
fn assert_reads(pack: &[u8], content: &[u8]) {
    let whole = read_whole(pack);
    assert_eq!(whole.end, Ok(pack.last_chunk().copied()));
    assert!(whole.content == content);
    for size in [1, 1000] {
        assert!(read(CONTENT_MAX, pack.chunks(size)) == whole, "in pieces of {size}");
    }
}

#[test]
fn matches_reach_back_into_stored_blocks() {
    for length in [40_000, 65_536, 70_000, 98_304] {
        let stored = content(length);
        for distance in [1, 2, 3, 4, 24_577, 32_767, 32_768] {
            let mut bits = Bits::default();
            stored.chunks(30_000).for_each(|piece| bits.stored(piece));
            bits.fixed(true);
            bits.longest_match(distance);
            bits.end_of_block();
            let mut expected = stored.clone();
            for _ in 0..258 {
                expected.push(expected[expected.len() - usize::try_from(distance).unwrap()]);
            }
            assert_reads(&bits.packed(&expected), &expected);
        }
    }
}

#[test]
fn blocks_of_all_kinds_follow_one_another() {
    let mut bits = Bits::default();
    bits.stored(b"one ");
    bits.stored(b"");
    bits.fixed(false);
    b"two ".iter().for_each(|byte| bits.literal(*byte));
    bits.end_of_block();
    bits.stored(b"three ");
    bits.fixed(false);
    bits.end_of_block();
    bits.fixed(true);
    b"four".iter().for_each(|byte| bits.literal(*byte));
    bits.end_of_block();
    assert_reads(&bits.packed(b"one two three four"), b"one two three four");
}

#[test]
fn a_match_does_not_lead_before_the_start() {
    let matched = |before: &[u8], distance: u32, stored: bool| {
        let mut bits = Bits::default();
        if stored {
            bits.stored(before);
        }
        bits.fixed(true);
        if !stored {
            before.iter().for_each(|byte| bits.literal(*byte));
        }
        bits.longest_match(distance);
        bits.end_of_block();
        bits.packed(&before.repeat(87)[..before.len() + 258])
    };
    for stored in [true, false] {
        assert_reads(&matched(b"abc", 3, stored), &b"abc".repeat(87));
        let pack = matched(b"abc", 4, stored);
        assert_eq!(refused(&pack), PackError::BadDeflate);
        assert_eq!(read_whole(&pack).content, b"abc", "what comes before the flaw");
    }
}

#[test]
fn t7_a_stream_that_goes_on_without_content_ends() {
    let empty = |stored: usize, fixed: usize| -> Read {
        let mut bits = Bits::default();
        bits.stored(b"x");
        (0..stored).for_each(|_| bits.stored(b""));
        // Four of these are five bytes.
        for _ in 0..fixed * 4 {
            bits.fixed(false);
            bits.end_of_block();
        }
        bits.stored(b"y");
        bits.fixed(true);
        bits.end_of_block();
        let pack = bits.packed(b"xy");
        let whole = read_whole(&pack);
        assert_eq!(whole, read(CONTENT_MAX, pack.chunks(1)));
        whole
    };
    let few = QUIET_MAX / 5 - 2;
    for (stored, fixed) in [(few, 0), (0, few)] {
        assert_eq!(empty(stored, fixed).content, b"xy");
        assert!(matches!(empty(stored, fixed).end, Ok(Some(_))));
    }
    for (stored, fixed) in [(2 * few + 10, 0), (0, 2 * few + 10)] {
        assert_eq!(empty(stored, fixed).end, Err(PackError::Quiet));
    }
}

/// Empty blocks between content are a waste, but come to an end.
#[test]
fn a_stream_of_single_bytes_is_read() {
    let mut bits = Bits::default();
    let content = content(9000);
    for byte in &content {
        bits.stored(&[*byte]);
        bits.stored(b"");
    }
    bits.fixed(true);
    bits.end_of_block();
    assert_reads(&bits.packed(&content), &content);
}

#[test]
fn the_head_of_a_stream_is_checked() {
    let stream = compress_to_vec_zlib(b"x", 6);
    let with = |method: u8, flags: u8| {
        // The check makes the head a multiple of 31.
        let check = (31 - u16::from_be_bytes([method, flags]) % 31) % 31;
        let flags = flags | u8::try_from(check).unwrap();
        pack_with(1, &[&[method, flags], &stream[2..]].concat())
    };
    for method in [0x08, 0x38, 0x78] {
        for level in [0x00, 0x40, 0x80, 0xc0] {
            assert!(matches!(read_whole(&with(method, level)).end, Ok(Some(_))), "{method:x} {level:x}");
        }
    }
    assert_eq!(refused(&with(0x77, 0)), PackError::BadZlibHead, "another method");
    assert_eq!(refused(&with(0x88, 0)), PackError::BadZlibHead, "a window of 64 KiB");
    assert_eq!(refused(&with(0x78, 0x20)), PackError::BadZlibHead, "a dictionary");
    assert_eq!(refused(&pack_with(1, &[&[0x78, 0x9d], &stream[2..]].concat())), PackError::BadZlibHead);
}

#[test]
fn blocks_that_cannot_be_are_refused() {
    for blocks in [
        [0x07, 0, 0, 0, 0].as_slice(),
        &[0x01, 1, 0, 1, 0, b'x'],
        &[0x01, 1, 0, 0xfe, 0xfe, b'x'],
        &[0x05, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    ] {
        assert_eq!(refused(&pack_with(1, &[&[0x78, 0x9c], blocks].concat())), PackError::BadDeflate);
    }
}

#[test]
fn the_adler_32_of_a_stream_is_checked() {
    for level in [0, 6] {
        for bit in 0..32 {
            let mut stream = compress_to_vec_zlib(&[7; 1000], level);
            let at = stream.len() - 4 + bit / 8;
            stream[at] ^= 1 << (bit % 8);
            assert_eq!(refused(&pack_with(1000, &stream)), PackError::BadAdler32);
        }
    }
    assert_reads(&pack_with(0, &compress_to_vec_zlib(&[], 0)), &[]);
}
