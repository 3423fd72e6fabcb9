//! Sections 8 and 9: what a client receives.

use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::BytesMut;

use super::{Desk, PASSWORD, content, together};
use crate::bob::channel::Sealer;
use crate::bob::client::{Command, Config, Event};
use crate::bob::pack::{Compression, Name, PackError, Writer};
use crate::bob::peer::tests::bench::Act;
use crate::bob::peer::tests::world::takes;
use crate::bob::peer::{self, ROOM, Stage};
use crate::link::How;

pub(super) fn pack(content: &[u8], compression: Compression) -> Vec<u8> {
    let name = Name::try_from(b"hedge.txt".as_slice()).unwrap();
    let mut writer = Writer::new(&name, u64::try_from(content.len()).unwrap(), compression);
    let mut out = BytesMut::new();
    writer.write(content, &mut out).unwrap();
    writer.finish(&mut out).unwrap();
    out.to_vec()
}

/// A stream in records of a size.
pub(super) fn records(sealer: &mut Sealer, stream: &[u8], size: usize) -> Vec<Vec<u8>> {
    let seal = |piece: &[u8]| {
        let mut out = BytesMut::new();
        sealer.seal(piece, &mut out).unwrap();
        out.to_vec()
    };
    stream.chunks(size).map(seal).collect()
}

#[test]
fn section_9_the_file_is_named_then_handed_over_then_complete() {
    let (mut desk, mut sealer) = together(takes(PASSWORD));
    for record in records(&mut sealer, &pack(b"beech", Compression::Level4), 0x7fff) {
        desk.hears(ROOM, &record);
    }
    let events = desk.events();
    let [Event::File { name, size: 5 }, middle @ .., Event::Stage(Stage::Verify), Event::Complete { .. }] =
        events.as_slice()
    else {
        panic!("{events:?}")
    };
    assert_eq!(name.as_bytes(), b"hedge.txt");
    assert_eq!(content(middle), b"beech");
}

#[test]
fn section_9_what_follows_the_pack_is_ignored() {
    // In the same record, and in others that do not even open.
    let (mut desk, mut sealer) = together(takes(PASSWORD));
    let mut stream = pack(b"beech", Compression::None);
    stream.resize(0x7fff, 0xab);
    desk.hears(ROOM, &records(&mut sealer, &stream, 0x7fff).concat());
    assert!(matches!(desk.events().last(), Some(Event::Complete { .. })));
    desk.hears(ROOM, &[0xcd; 100]);
    assert_eq!(desk.events(), []);
}

#[test]
fn section_8_a_changed_record_is_corrupted_and_the_server_is_told() {
    let (mut desk, mut sealer) = together(takes(PASSWORD));
    let mut record = records(&mut sealer, &pack(b"beech", Compression::None), 0x7fff).concat();
    *record.last_mut().unwrap() ^= 1;
    desk.hears(ROOM, &record);
    fails(&mut desk, peer::Failure::Corrupted);
}

#[test]
fn section_8_a_record_left_out_is_corrupted() {
    let (mut desk, mut sealer) = together(takes(PASSWORD));
    let records = records(&mut sealer, &pack(b"beech", Compression::None), 10);
    desk.hears(ROOM, &records[1]);
    fails(&mut desk, peer::Failure::Corrupted);
}

#[test]
fn section_9_a_file_that_is_none_fails_and_the_server_is_told() {
    let (mut desk, mut sealer) = together(takes(PASSWORD));
    desk.hears(ROOM, &records(&mut sealer, b"KCAP\0\0\0\x02\0\0\0\x02", 0x7fff).concat());
    fails(&mut desk, peer::Failure::Other(PackError::BadMagic));

    let (mut desk, mut sealer) = together(Config { size_max: 4, ..takes(PASSWORD) });
    desk.hears(ROOM, &records(&mut sealer, &pack(b"beech", Compression::None), 0x7fff).concat());
    fails(&mut desk, peer::Failure::Other(PackError::TooLarge { size: 5, limit: 4 }));
}

/// It says that it failed, and ends so.
pub(super) fn fails(desk: &mut Desk, failure: super::super::Failure) {
    assert_eq!(desk.sent(ROOM), [0x80, 0]);
    assert_eq!(desk.acts(), [Act::Close(ROOM, How::Flush)]);
    desk.closed(ROOM, crate::link::Cause::Finished);
    assert_eq!(desk.events().last(), Some(&Event::Ended(Err(failure))));
}

#[test]
fn section_9_what_is_not_taken_is_bounded_and_stops_the_link() {
    let whole = vec![7; 300_000];
    let (mut desk, mut sealer) = together(Config { untaken_max: 50_000, ..takes(PASSWORD) });
    let stream = records(&mut sealer, &pack(&whole, Compression::None), 0x7fff).concat();
    let (mut received, mut untaken, mut taken, mut paused) = (0, 0, 0, false);
    for _ in 0..1000 {
        if !paused && received < stream.len() {
            let piece = &stream[received..stream.len().min(received + 20_000)];
            received += piece.len();
            desk.hears(ROOM, piece);
        }
        for act in desk.acts() {
            paused = match act {
                Act::Pause(ROOM) => true,
                Act::Resume(ROOM) => false,
                other => panic!("{other:?}"),
            };
        }
        untaken += content(&desk.events()).len();
        assert!(untaken < 50_000 + 0x8000, "{untaken}");
        assert!(!paused || untaken >= 50_000);
        // The application takes it in pieces of its own.
        let bytes = untaken.min(7_001);
        (untaken, taken) = (untaken - bytes, taken + bytes);
        desk.command(Command::Taken { bytes });
    }
    assert_eq!(taken, whole.len());
}

#[test]
fn section_9_a_small_stream_that_becomes_a_large_file_is_bounded_too() {
    let whole = vec![0; 50_000_000];
    let (mut desk, mut sealer) = together(takes(PASSWORD));
    let stream = records(&mut sealer, &pack(&whole, Compression::Level4), 0x7fff).concat();
    assert!(stream.len() < 500_000);
    desk.hears(ROOM, &stream);
    let mut taken = 0;
    loop {
        let events = desk.events();
        let bytes = content(&events).len();
        assert!(bytes <= (1 << 20) + 0x8000, "{bytes}");
        taken += bytes;
        if matches!(events.last(), Some(Event::Complete { .. })) {
            break;
        }
        desk.command(Command::Taken { bytes });
    }
    assert_eq!(taken, whole.len());
}

#[test]
fn a_transfer_that_stands_still_fails() {
    let second = Duration::from_secs(1);
    let (mut desk, mut sealer) = together(Config { untaken_max: 1, ..takes(PASSWORD) });
    let stream = records(&mut sealer, &pack(b"beech", Compression::None), 0x7fff).concat();
    desk.advance(second * 119);
    desk.hears(ROOM, &stream[..stream.len() - 30]);
    desk.advance(second * 119);
    assert_eq!(desk.events(), []);
    desk.advance(second);
    fails(&mut desk, peer::Failure::Stalled);

    // While the application is to take content, nobody is waited for.
    let (mut desk, mut sealer) = together(Config { untaken_max: 1, ..takes(PASSWORD) });
    desk.hears(ROOM, &records(&mut sealer, &pack(b"beech", Compression::None), 0x7fff).concat());
    desk.advance(second * 1000);
    desk.command(Command::Taken { bytes: 5 });
    assert!(matches!(desk.events().last(), Some(Event::Complete { .. })));
    desk.advance(second * 1000);
    assert_eq!(desk.events(), [], "nor while it keeps the file");
}
