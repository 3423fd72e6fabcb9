//! Attackers that have proven a key and break the multiplexer or the framing of streams.

use std::io::Write;

use bytes::BytesMut;
use pleach_core::channel::multistream;
use pleach_core::channel::yamux::{Flags, GoAway, Kind, WINDOW};
use pleach_core::mesh::{establishment, heads, rpc};
use pleach_core::wire::varint;

use super::Scene;
use super::attacker::Attacker;
use super::raw::{Raw, connect, frame, read_to_end};

/// The prefix of a frame that is one byte too long.
fn prefix_beyond(limit: usize) -> Vec<u8> {
    let mut prefix = Vec::new();
    varint::write(u64::try_from(limit).unwrap() + 1, &mut prefix);
    prefix
}

/// T-3: the prefix alone resets the stream; at the third the link closes (`mesh` 4).
#[test]
fn t_3_an_oversize_prefix_resets_its_stream() {
    smol::block_on(async {
        let scene = Scene::start(|_| {}).await;
        scene
            .during(|victim| {
                let mut attacker = Attacker::establish(victim, 90).unwrap();
                for (protocol, limit) in
                    [(rpc::PROTOCOL, rpc::FRAME_MAX), (heads::PROTOCOL, heads::FRAME_MAX)]
                {
                    let stream = attacker.open(protocol).unwrap();
                    attacker.send(stream, prefix_beyond(limit));
                    attacker.wait_for_reset(stream).unwrap();
                }
                attacker.send(attacker.session, prefix_beyond(establishment::FRAME_MAX));
                attacker.wait_for_end();
                // Before there are keys.
                let mut socket = connect(victim);
                let mut hello = BytesMut::new();
                multistream::encode(multistream::HEADER, &mut hello);
                hello.extend_from_slice(&prefix_beyond(multistream::MESSAGE_MAX));
                socket.write_all(&hello).unwrap();
                read_to_end(&mut socket);
            })
            .await;
        let totals = scene.victim.totals().await;
        assert_eq!((totals.mesh.frames_malformed, totals.session.malformed), (3, 3));
        assert_eq!((totals.mesh.links_broken, totals.channel.negotiations_broken), (1, 1));
        assert_eq!(totals.mesh.bans, 0);
        scene.finish().await;
    });
}

/// T-39: data beyond the credit and credit beyond counting, in the very frame that opens the stream.
#[test]
fn t_39_a_window_overflow_closes_its_link() {
    let too_much_data = frame(Kind::Data, Flags::SYN, 1, WINDOW + 1);
    let too_much_credit = frame(Kind::WindowUpdate, Flags::SYN, 1, u32::MAX);
    smol::block_on(async {
        let scene = Scene::start(|_| {}).await;
        let goodbyes = scene
            .during(move |victim| {
                [too_much_data, too_much_credit].map(|breach| {
                    let mut raw = Raw::dial(victim, 90);
                    raw.send(&breach);
                    raw.last_frame()
                })
            })
            .await;
        for goodbye in goodbyes {
            assert_eq!((goodbye.kind, goodbye.length), (Kind::GoAway, GoAway::ProtocolError.code()));
        }
        let totals = scene.victim.totals().await;
        assert_eq!((totals.channel.windows_exceeded, totals.mesh.channels_broken), (2, 2));
        scene.finish().await;
    });
}

/// T-40: more than a hundred streams opened and reset in a second.
#[test]
fn t_40_rapid_resets_close_their_link() {
    smol::block_on(async {
        let scene = Scene::start(|_| {}).await;
        let goodbye = scene
            .during(|victim| {
                let pair = |stream| {
                    let open = frame(Kind::WindowUpdate, Flags::SYN, stream, 0);
                    [open, frame(Kind::WindowUpdate, Flags::RST, stream, 0)].concat()
                };
                let mut raw = Raw::dial(victim, 90);
                raw.send(&(0..1000).flat_map(|index| pair(2 * index + 1)).collect::<Vec<u8>>());
                raw.last_frame()
            })
            .await;
        assert_eq!((goodbye.kind, goodbye.length), (Kind::GoAway, GoAway::ProtocolError.code()));
        let totals = scene.victim.totals().await;
        assert_eq!((totals.channel.rapid_resets, totals.mesh.channels_broken), (1, 1));
        scene.finish().await;
    });
}

/// Who resets the stream on which the node tells its HEADs is told them on the next.
#[test]
fn a_reset_stream_is_opened_again_and_goes_on() {
    smol::block_on(async {
        let scene = Scene::start(|_| {}).await;
        scene
            .during(|victim| {
                let mut attacker = Attacker::establish(victim, 90).unwrap();
                let first = attacker.wait_for_bytes_on(heads::PROTOCOL).unwrap();
                attacker.reset(first);
                let second = attacker.wait_for_bytes_on(heads::PROTOCOL).unwrap();
                assert_ne!(first, second);
            })
            .await;
        assert_eq!(scene.victim.totals().await.mesh.bans, 0);
        scene.finish().await;
    });
}
