//! Offences and bans (`mesh` 4).

use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use super::super::Output;
use super::super::offences::{Consequence, Offence};
use super::SECOND;
use super::network::*;
use super::raw::{head_of, rpcs};
use crate::broadcast::{self, Announcement, Id};
use crate::heads::Announced;
use crate::identity::PeerId;
use crate::link::Address;
use crate::mesh::heads::{self as wire, Head};
use crate::mesh::rpc::{self, Action};
use crate::mesh::signed::Signed;
use crate::mesh::{Command, Event};
use crate::overlay::{self, Contact};
use crate::wire::multiaddr::Multiaddr;

#[test]
fn a_ban_closes_links_and_survives_a_restart() {
    let mut network = Network::of_members(1, 2);
    network.run(5 * SECOND);
    network.command(0, Command::Ban { token: 5, peer: id(1), lifetime: Some(Duration::from_secs(3600)) });
    network.run(SECOND);
    assert!(network.links(0).is_empty());
    assert!(network.node(0).neighbors("t").next().is_none());
    assert_eq!(network.count(0, |event| *event == Event::Banned { peer: id(1), permanent: false }), 1);
    // The banned peer dials in vain.
    network.run(60 * SECOND);
    assert_eq!(network.count(0, |event| matches!(event, Event::PeerUp { .. })), 1);

    let mut later = Network::new(2);
    later.add_with(native(0, &[]), &network.snapshot(0));
    later.subscribe(0, "t");
    later.add(native(1, &[0]));
    later.subscribe(1, "t");
    later.run(10 * SECOND);
    assert_eq!(later.count(0, |event| matches!(event, Event::PeerUp { .. })), 0);
    later.command(0, Command::Unban { token: 6, peer: id(1) });
    later.until(120 * SECOND, |later| later.node(0).neighbors("t").eq([id(1)]));
}

/// A hand-made neighbour of host 0 in topic `t`, with its gossip and HEADs streams.
fn neighbour(seed: u64) -> (Network, crate::link::LinkId, crate::channel::StreamId) {
    let mut network = Network::of_members(seed, 1);
    network.add_raw(&[rpc::PROTOCOL, wire::PROTOCOL]);
    let (link, _) = network.raw_establish(1, 0);
    let stream = network.raw_open(1, link, rpc::PROTOCOL).unwrap();
    let peer = Contact { peer: id(1), addresses: Vec::new() };
    let join = Action::Overlay(overlay::Message::Join { ttl: 3, peer, nonce: Some(7) });
    network.raw_send(1, link, stream, rpc::encode_frame("t", &join).unwrap());
    network.run(SECOND);
    assert!(network.node(0).neighbors("t").eq([id(1)]));
    (network, link, stream)
}

fn payload_frame(payload: Bytes) -> Bytes {
    let message = broadcast::Message::Payload { id: Id::of(&payload), hop: 1, payload };
    rpc::encode_frame("t", &Action::Broadcast(message)).unwrap()
}

#[test]
fn mesh_4_the_table_of_offences() {
    use broadcast::Violation as Broadcast;
    use overlay::Violation as Overlay;
    let ban = [
        Offence::Forgery,
        Broadcast::Rejected.into(),
        Broadcast::WrongId.into(),
        Overlay::Impersonation.into(),
    ];
    let ten_points = [
        Offence::BadFrame,
        Offence::BadChannel,
        Broadcast::Oversize.into(),
        Broadcast::BrokenPromises.into(),
        Overlay::UnaskedReplies.into(),
    ];
    let rate = [Broadcast::RateExceeded.into(), Overlay::RateExceeded.into()];
    assert!(ban.iter().all(|offence| offence.consequence() == Consequence::Ban));
    assert!(ten_points.iter().all(|offence| offence.consequence() == Consequence::Points(10)));
    assert!(rate.iter().all(|offence: &Offence| offence.consequence() == Consequence::Rate));
}

#[test]
fn a_forged_payload_is_a_ban_for_good() {
    let (mut network, link, stream) = neighbour(3);
    let good = Signed::seal(&keypair(1), "pleach", "t", network.at().wall, 0, b"true");
    network.raw_send(1, link, stream, payload_frame(good.clone()));
    network.run(SECOND);
    assert_eq!(network.delivered(0, b"true"), 1);
    let mut forged = good.to_vec();
    *forged.last_mut().unwrap() ^= 1;
    network.raw_send(1, link, stream, payload_frame(Bytes::from(forged)));
    network.run(SECOND);
    assert_eq!(network.node(0).stats().delivered, 1);
    assert_eq!(network.count(0, |event| *event == Event::Banned { peer: id(1), permanent: true }), 1);
    assert!(network.links(0).is_empty());
    // Without a word.
    assert!(network.node(0).neighbors("t").next().is_none());
}

#[test]
fn b8_15_a_payload_right_behind_the_join_is_heard() {
    let mut network = Network::of_members(9, 1);
    network.add_raw(&[rpc::PROTOCOL]);
    let (link, _) = network.raw_establish(1, 0);
    let stream = network.raw_open(1, link, rpc::PROTOCOL).unwrap();
    let peer = Contact { peer: id(1), addresses: Vec::new() };
    let join = Action::Overlay(overlay::Message::Join { ttl: 3, peer, nonce: Some(7) });
    let payload = Signed::seal(&keypair(1), "pleach", "t", network.at().wall, 0, b"at once");
    let frames = [rpc::encode_frame("t", &join).unwrap(), payload_frame(payload)].concat();
    network.raw_send(1, link, stream, Bytes::from(frames));
    network.run(SECOND);
    assert_eq!(network.delivered(0, b"at once"), 1);
}

#[test]
fn a_wrong_message_id_is_a_ban_for_good() {
    let (mut network, link, stream) = neighbour(4);
    let payload = Signed::seal(&keypair(1), "pleach", "t", network.at().wall, 0, b"true");
    let message = broadcast::Message::Payload { id: Id([9; 16]), hop: 1, payload };
    network.raw_send(1, link, stream, rpc::encode_frame("t", &Action::Broadcast(message)).unwrap());
    network.run(SECOND);
    assert_eq!(network.count(0, |event| *event == Event::Banned { peer: id(1), permanent: true }), 1);
}

#[test]
fn an_old_payload_is_ignored_and_nobody_is_blamed() {
    let (mut network, link, stream) = neighbour(5);
    let long_ago = crate::WallTime::from_unix_ms(network.at().wall.unix_ms() - 600_000);
    let old = Signed::seal(&keypair(1), "pleach", "t", long_ago, 0, b"stale");
    network.raw_send(1, link, stream, payload_frame(old));
    network.run(SECOND);
    assert_eq!(network.delivered(0, b"stale"), 0);
    assert_eq!(network.node(0).stats().payloads_not_accepted, 1);
    assert_eq!(network.node(0).book.points(id(1), network.now), 0);
    assert_eq!(network.links(0).len(), 1);
}

#[test]
fn b8_6_broken_promises_end_the_link_with_a_back_off_and_nobody_asks_for_it_again() {
    let (mut network, link, stream) = neighbour(12);
    let promises = (0..100).map(|number| Announcement { id: Id([number; 16]), hop: 1 }).collect();
    let message = Action::Broadcast(broadcast::Message::IHave(promises));
    network.raw_send(1, link, stream, rpc::encode_frame("t", &message).unwrap());
    network.run(5 * SECOND);
    assert!(network.node(0).neighbors("t").next().is_none());
    assert_eq!(network.node(0).book.points(id(1), network.now), 10);
    network.run(Duration::from_secs(120));
    let ours = network.raw_accepted(1, link, rpc::PROTOCOL)[0];
    let heard = rpcs(&network.raw_received(1, link, ours));
    let last = &heard.last().unwrap().action;
    let Action::Overlay(overlay::Message::Disconnect { alive, backoff_s, .. }) = last else {
        panic!("{last:?}")
    };
    assert_eq!((*alive, *backoff_s), (true, Some(60)));
}

fn head(network: &Network, height: u64) -> Head {
    head_of(1, network, height)
}

#[test]
fn h2_a_forged_head_is_a_ban_for_good() {
    let (mut network, link, _) = neighbour(6);
    let stream = network.raw_open(1, link, wire::PROTOCOL).unwrap();
    let good = head(&network, 4);
    network.raw_send(1, link, stream, wire::encode_frame(&[Announced { head: good, step: 0 }]));
    network.run(SECOND);
    let told = Event::Head { peer: id(1), node: 0, height: 4, step: 0 };
    assert_eq!(network.count(0, |event| *event == told), 1);
    let forged = Head::from_parts(head(&network, 5).body(), [7; 64]).unwrap();
    network.raw_send(1, link, stream, wire::encode_frame(&[Announced { head: forged, step: 0 }]));
    network.run(SECOND);
    assert_eq!(network.count(0, |event| *event == Event::Banned { peer: id(1), permanent: true }), 1);
    assert!(network.node(0).heads().all(|row| row.head.fields().height != 5));
}

#[test]
fn the_third_malformed_frame_closes_the_link() {
    let (mut network, link, stream) = neighbour(7);
    for (stream, points) in [(Some(stream), 10), (None, 20), (None, 30)] {
        assert_eq!(network.links(0).len(), 1);
        let stream = stream.or_else(|| network.raw_open(1, link, rpc::PROTOCOL)).unwrap();
        network.raw_send(1, link, stream, Bytes::from_static(&[2, 0xff, 0xff]));
        network.run(SECOND);
        assert_eq!(network.node(0).book.points(id(1), network.now), points);
    }
    assert!(network.links(0).is_empty());
}

/// Bytes that are no Noise message.
const NOISE_NO_MORE: Bytes =
    Bytes::from_static(&[0, 20, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]);

fn send_unsealed(network: &mut Network, host: usize, link: crate::link::LinkId, bytes: Bytes) {
    network.raw(host).outputs.push_back(Output::Send { link, bytes });
    network.outputs(host);
    network.run(SECOND);
}

#[test]
fn mesh_4_a_broken_channel_closes_the_link_and_costs_ten_points_if_the_key_is_known() {
    let (mut network, link, _) = neighbour(10);
    send_unsealed(&mut network, 1, link, NOISE_NO_MORE);
    assert_eq!(network.node(0).book.points(id(1), network.now), 10);
    assert!(network.links(0).is_empty());
    assert_eq!(network.node(0).stats().channels_broken, 1);
    // Before the link is established as well.
    let link = network.raw_dial(1, 0);
    send_unsealed(&mut network, 1, link, NOISE_NO_MORE);
    assert_eq!(network.node(0).book.points(id(1), network.now), 20);
    assert!(network.links(0).is_empty());
}

#[test]
fn mesh_4_undecodable_bytes_of_an_unknown_key_close_the_link_and_nobody_is_blamed() {
    let mut network = Network::of_members(11, 1);
    network.add_raw(&[]);
    let raw = network.raw(1);
    let (address, from, role) = (address(0), crate::link::From::Anywhere, crate::link::Role::Dialler);
    let link = crate::link::LinkId(9);
    raw.outputs.push_back(Output::Dial { link, address, from, role });
    raw.outputs.push_back(Output::Send { link, bytes: Bytes::from_static(&[0xff; 16]) });
    network.outputs(1);
    network.run(SECOND);
    assert_eq!(network.node(0).stats().channels_broken, 1);
    assert_eq!(network.node(0).book.points(id(1), network.now), 0);
    assert!(network.links(0).is_empty());
}

#[test]
fn a_message_in_anothers_name_is_a_ban_for_good() {
    let (mut network, link, stream) = neighbour(8);
    let peer = Contact { peer: id(9), addresses: Vec::new() };
    let message = overlay::Message::Join { ttl: 3, peer, nonce: Some(8) };
    network.raw_send(1, link, stream, rpc::encode_frame("t", &Action::Overlay(message)).unwrap());
    network.run(SECOND);
    assert_eq!(network.count(0, |event| *event == Event::Banned { peer: id(1), permanent: true }), 1);
}

fn contact(host: usize) -> Contact<PeerId> {
    Contact { peer: id(host), addresses: Vec::from([Bytes::from(Multiaddr::tcp(socket(host)).to_bytes())]) }
}

fn ban(network: &mut Network, host: usize) {
    network.command(0, Command::Ban { token: 5, peer: id(host), lifetime: None });
}

/// The hand-made neighbour says this in topic `t`.
fn say(
    network: &mut Network,
    link: crate::link::LinkId,
    stream: crate::channel::StreamId,
    message: overlay::Message<PeerId>,
) {
    network.raw_send(1, link, stream, rpc::encode_frame("t", &Action::Overlay(message)).unwrap());
    network.run(SECOND);
}

fn dialled(network: &Network) -> Vec<Address> {
    let dialled = |output: &Output| match output {
        Output::Dial { address, .. } => Some(address.clone()),
        _ => None,
    };
    network.member(0).outputs.iter().filter_map(dialled).collect()
}

#[test]
fn o10_6_banned_ids_that_a_neighbour_names_are_taken_up_nowhere() {
    let (mut network, link, stream) = neighbour(12);
    ban(&mut network, 5);
    // The node asks for a sample itself: the answer to it names the banned peer too.
    network.until(20 * SECOND, |network| network.node(0).totals().overlay.shuffles_sent > 0);
    network.run(SECOND);
    let ours = network.raw_accepted(1, link, rpc::PROTOCOL)[0];
    let nonce = rpcs(&network.raw_received(1, link, ours)).iter().rev().find_map(|rpc| match &rpc.action {
        Action::Overlay(overlay::Message::Shuffle { nonce, .. }) => *nonce,
        _ => None,
    });
    assert!(nonce.is_some());
    let nodes = |host| Vec::from([contact(5), contact(host)]);
    say(&mut network, link, stream, overlay::Message::ShuffleReply { nodes: nodes(6), nonce });
    let (ttl, origin) = (1, contact(1));
    say(
        &mut network,
        link,
        stream,
        overlay::Message::Shuffle { ttl, origin, nodes: nodes(7), nonce: Some(1) },
    );
    // It is starved: whom it has heard of it dials.
    assert_eq!(dialled(&network), [address(6), address(7)]);
    assert_eq!(network.node(0).stats().banned_named, 2);
    // What is about the banned peer is not answered, and not passed on.
    let answered = network.node(0).totals().overlay.shuffles_answered;
    let origin = contact(5);
    say(
        &mut network,
        link,
        stream,
        overlay::Message::Shuffle { ttl, origin, nodes: nodes(8), nonce: Some(2) },
    );
    say(
        &mut network,
        link,
        stream,
        overlay::Message::ForwardJoin { ttl: 3, peer: contact(5), nonce: Some(3) },
    );
    assert_eq!(network.node(0).stats().banned_named, 4);
    assert_eq!(network.node(0).totals().overlay.shuffles_answered, answered);
    assert_eq!(dialled(&network).len(), 2);
    // The neighbour may not know of the ban.
    assert_eq!(network.node(0).book.points(id(1), network.now), 0);
    assert!(network.node(0).neighbors("t").eq([id(1)]));
}

#[test]
fn o4_2_a_join_in_a_banned_peers_name_is_an_offence_all_the_same() {
    let (mut network, link, stream) = neighbour(13);
    ban(&mut network, 5);
    say(&mut network, link, stream, overlay::Message::Join { ttl: 3, peer: contact(5), nonce: Some(8) });
    assert_eq!(network.count(0, |event| *event == Event::Banned { peer: id(1), permanent: true }), 1);
}

#[test]
fn o7_4_a_banned_peer_is_no_place_to_join_through() {
    let mut network = Network::new(14);
    network.add(crate::mesh::Config { bootstrap: Vec::from([(address(1), Some(id(1)))]), ..native(0, &[]) });
    ban(&mut network, 1);
    network.subscribe(0, "t");
    network.run(60 * SECOND);
    assert_eq!(network.node(0).stats().dials, 0);
    assert_eq!(network.node(0).overlay_of("t").unwrap().stats().joins_sent, 0);
    assert!(network.node(0).bootstrap_contacts(network.now).is_empty());
}

#[test]
fn o7_4_heads_of_a_banned_peer_are_ignored_until_the_ban_ends() {
    let (mut network, link, _) = neighbour(15);
    let stream = network.raw_open(1, link, wire::PROTOCOL).unwrap();
    let pass_on = |network: &mut Network, height| {
        let head = head_of(5, network, height);
        network.raw_send(1, link, stream, wire::encode_frame(&[Announced { head, step: 1 }]));
        network.run(SECOND);
    };
    let heights = |network: &Network| -> Vec<u64> {
        let rows = network.node(0).heads().filter(|row| row.head.fields().peer == id(5));
        rows.map(|row| row.head.fields().height).collect()
    };
    pass_on(&mut network, 1);
    assert_eq!(heights(&network), [1]);
    ban(&mut network, 5);
    assert_eq!(heights(&network), [], "what was held is spread no more");
    let verified = network.node(0).totals().heads.verified;
    pass_on(&mut network, 2);
    assert_eq!(heights(&network), []);
    assert_eq!(network.node(0).stats().banned_named, 1);
    assert_eq!(network.node(0).totals().heads.verified, verified, "T-24: bans before signatures");
    assert_eq!(network.node(0).book.points(id(1), network.now), 0);
    network.command(0, Command::Unban { token: 6, peer: id(5) });
    pass_on(&mut network, 3);
    assert_eq!(heights(&network), [3]);
}

/// Host 0 joins through host 1 alone, which is then banned for an hour.
fn banned_bootstrap(seed: u64) -> Network {
    let mut network = Network::new(seed);
    network.add(native(0, &[1]));
    network.add(native(1, &[]));
    (0..2).for_each(|host| network.subscribe(host, "t"));
    network.until(10 * SECOND, |network| network.node(0).neighbors("t").eq([id(1)]));
    let lifetime = Some(Duration::from_secs(3600));
    network.command(0, Command::Ban { token: 5, peer: id(1), lifetime });
    network.run(60 * SECOND);
    assert_eq!(network.node(0).neighbors("t").count(), 0);
    network
}

#[test]
fn o7_4_a_place_to_join_through_comes_back_when_its_ban_ends() {
    let mut network = banned_bootstrap(16);
    // Nothing comes from the other side.
    network.command(1, Command::Leave { token: 6, topic: "t".into() });
    network.run(Duration::from_secs(3500));
    assert_eq!(network.node(0).stats().peers_up, 1);
    network.subscribe(1, "t");
    network.until(300 * SECOND, |network| network.node(0).neighbors("t").eq([id(1)]));
}

#[test]
fn o7_4_a_place_to_join_through_comes_back_when_its_ban_is_lifted() {
    let mut network = banned_bootstrap(17);
    network.command(0, Command::Unban { token: 7, peer: id(1) });
    network.until(10 * SECOND, |network| network.node(0).neighbors("t").eq([id(1)]));
}
