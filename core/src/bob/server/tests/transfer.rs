//! Sections 8 and 9: what a server sends.

use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use super::{Desk, Guest, PASSWORD, accepted};
use crate::bob::channel::{self, Opened};
use crate::bob::pack::{self, Compression, Reader};
use crate::bob::peer::tests::world::sends;
use crate::bob::peer::{self, ROOM, Stage};
use crate::bob::public::Cipher;
use crate::bob::server::{Command, Config, Event};

const CIPHERS: [Cipher; 2] = [Cipher::Aes256Gcm, Cipher::ChaCha20Poly1305];

/// A server that is with its client.
pub(super) fn together(config: Config) -> (Desk, Guest) {
    let (mut desk, guest) = accepted(config);
    desk.goes_to_room();
    desk.acts();
    desk.hears(ROOM, b"00");
    (desk, guest)
}

/// What it asks for.
pub(super) fn wanted(desk: &mut Desk) -> usize {
    desk.events().iter().map(|event| if let Event::Wanted { bytes } = event { *bytes } else { 0 }).sum()
}

/// The plaintext of records, and their sizes.
fn open(guest: &Guest, stream: Vec<u8>) -> (Bytes, Vec<usize>) {
    let (_, mut opener) = channel::of_client(guest.keys.as_ref().unwrap(), CIPHERS);
    let (mut stream, mut plain, mut sizes) = (Bytes::from(stream), Vec::new(), Vec::new());
    while let Some(opened) = opener.open(&mut stream) {
        let Opened::Data(bytes) = opened else { panic!("{opened:?}") };
        plain.extend_from_slice(&bytes);
        sizes.push(bytes.len());
    }
    (plain.into(), sizes)
}

fn read(mut stream: Bytes) -> Vec<u8> {
    let (mut reader, mut content) = (Reader::new(u64::MAX), Vec::new());
    while let Some(event) = reader.next_event(&mut stream).unwrap() {
        if let pack::Event::Content(bytes) = event {
            content.extend_from_slice(&bytes);
        }
    }
    assert!(reader.is_complete());
    content
}

#[test]
fn section_9_content_in_any_pieces_becomes_the_same_file_in_large_records() {
    let content: Vec<u8> = (0..200_000).map(|at| u8::try_from(at % 249).unwrap()).collect();
    for size in [1, 100, 32_767, 70_000, 200_000] {
        let config = Config { compression: Compression::None, ..sends(PASSWORD, &content) };
        let (mut desk, guest) = together(config);
        assert_eq!(wanted(&mut desk), content.len());
        for piece in content.chunks(size) {
            desk.command(Command::Content { bytes: Bytes::copy_from_slice(piece) });
        }
        let (plain, sizes) = open(&guest, desk.sent(ROOM));
        assert_eq!(read(plain), content);
        assert!(sizes.len() <= 200_000 / 32_767 + 3, "pieces of {size}: {sizes:?}");
        assert!(sizes.iter().all(|size| (1..=0x7fff).contains(size)), "no empty record");
    }
}

#[test]
fn section_9_only_so_much_is_asked_for_as_may_be_in_flight() {
    let size = 2_000_000;
    let config =
        Config { compression: Compression::None, flight_max: 100_000, ..sends(PASSWORD, &vec![7; size]) };
    let (mut desk, guest) = together(config);
    let (mut stream, mut given) = (Vec::new(), 0);
    while given < size {
        let bytes = wanted(&mut desk);
        assert!((1..=100_000).contains(&bytes), "{bytes}");
        desk.command(Command::Content { bytes: vec![7; bytes].into() });
        given += bytes;
        assert_eq!(wanted(&mut desk), 0, "nothing has left");
        let sent = desk.sent(ROOM);
        assert!(sent.len() <= 101_000);
        // It leaves in two halves; less than half of what may be in flight is not worth asking for.
        let half = sent.len() / 4;
        desk.written(ROOM, half);
        assert_eq!(wanted(&mut desk), 0);
        desk.written(ROOM, sent.len() - half);
        stream.extend(sent);
    }
    assert_eq!(read(open(&guest, stream).0).len(), size);
}

#[test]
fn section_9_a_file_of_no_bytes_is_sent_at_once() {
    let (mut desk, guest) = together(sends(PASSWORD, b""));
    assert_eq!(wanted(&mut desk), 0);
    assert_eq!(read(open(&guest, desk.sent(ROOM)).0), b"");
}

#[test]
fn content_beyond_the_announced_size_is_dropped() {
    let (mut desk, guest) = together(sends(PASSWORD, b"beech"));
    desk.command(Command::Content { bytes: Bytes::from_static(b"beech and oak") });
    desk.command(Command::Content { bytes: Bytes::from_static(b"and more") });
    assert_eq!(read(open(&guest, desk.sent(ROOM)).0), b"beech");
    assert_eq!(desk.machine.stats().excess, 16);
}

#[test]
fn progress_counts_content_that_has_left() {
    let config = Config { compression: Compression::None, ..sends(PASSWORD, &vec![1; 150_000]) };
    let (mut desk, _) = together(config);
    desk.command(Command::Content { bytes: vec![1; 100_000].into() });
    desk.command(Command::Content { bytes: vec![1; 50_000].into() });
    desk.events();
    let sent = desk.sent(ROOM).len();
    desk.written(ROOM, sent - 1);
    desk.written(ROOM, 1);
    let events = desk.events();
    let left: u64 =
        events.iter().map(|event| if let Event::Sent { bytes } = event { *bytes } else { 0 }).sum();
    assert_eq!(left, 150_000);
    assert_eq!(events.last(), Some(&Event::Stage(Stage::Verify)));
}

#[test]
fn a_transfer_that_stands_still_fails() {
    let second = Duration::from_secs(1);
    let (mut desk, _) = together(sends(PASSWORD, b"beech"));
    desk.events();
    desk.advance(second * 1000);
    assert_eq!(desk.events(), [], "it was the application's turn");
    desk.command(Command::Content { bytes: Bytes::from_static(b"beech") });
    desk.advance(second * 119);
    desk.written(ROOM, 1);
    desk.advance(second * 119);
    assert_eq!(desk.events(), []);
    desk.advance(second);
    assert_eq!(desk.events(), [Event::Ended(Err(peer::Failure::Stalled))]);
}

#[test]
fn a_client_that_never_ends_is_left() {
    let (mut desk, _) = together(sends(PASSWORD, b"beech"));
    desk.command(Command::Content { bytes: Bytes::from_static(b"beech") });
    let sent = desk.sent(ROOM).len();
    desk.written(ROOM, sent);
    desk.events();
    desk.advance(Duration::from_secs(599));
    assert_eq!(desk.events(), []);
    desk.advance(Duration::from_secs(1));
    assert_eq!(desk.events(), [Event::Ended(Err(peer::Failure::Stalled))]);
}
