//! `transcripts/`, replayed against the peers: each connection of the real tool is one of ours.
//!
//! Where the draws were recorded, our peers hear what was recorded and say the same bytes. Where they were not, each
//! packet that a peer hears of another is taken from our peers, in the recorded order, and what they say is compared by
//! kind and destination. Where a rule of ours corrects upstream, what the rule says is expected.
#![allow(clippy::wildcard_enum_match_arm)] // A recording is searched for a few of many packets and events.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{Bytes, BytesMut};
use pleach_core::bob::channel::{self, CLOSE, Opened};
use pleach_core::bob::pack::{self, Reader};
use pleach_core::bob::packet::{Body, Decoder, Packet, RelayFailure, Uid};
use pleach_core::bob::spoke::{self, Keys, Secret};
use pleach_core::bob::{Identity, Public, client, server};

use super::Scripted;
use super::peer_transcripts::CIPHERS;
use super::peers::{self, ClientDesk, HALL, ROOM, ServerDesk};
use super::recording::{self, Recording, Role, Secrets};
use crate::harness::Topic;

/// How often each recording is replayed with its reads cut at other places.
const CUTS: u64 = 20;

/// How ours corrects upstream.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Rule {
    /// 5: the keys are kept for each client, so that an earlier agreement still counts.
    KeysPerClient,
}

/// Recordings in which a defect of upstream is known to show: the correction has to have been made.
const CORRECTED: &[(&str, Rule)] = &[("two_receivers_race", Rule::KeysPerClient)];

pub(crate) fn transcripts(topic: &mut Topic) {
    for name in topic.names("transcripts") {
        topic.file(&name, |topic, mut file| {
            let recording = recording::read(&mut file);
            let mut rules = BTreeSet::new();
            for seed in 0..=CUTS {
                rules.extend(Replay::new(&recording, seed).run());
            }
            for (known, rule) in CORRECTED {
                assert_eq!(name.contains(known), rules.contains(rule), "{name}: {rule:?}");
            }
            if let Some(secrets) = &recording.secrets {
                keys(&recording, secrets);
                records(&recording, secrets);
            }
            let peers = recording.connections.values().filter(|connection| connection.role.is_some()).count();
            if peers > 0 {
                topic.count(peers);
            }
        });
    }
}

enum Peer {
    Sender(ServerDesk),
    Receiver(ClientDesk),
}

struct Replay<'a> {
    recording: &'a Recording,
    /// By connection to the handshake port.
    peers: BTreeMap<u64, Peer>,
    /// What ours have said, by connection, destination and kind.
    said: BTreeMap<(u64, Uid, u8), Body>,
    /// Connections by the uids that were heard of.
    uids: BTreeMap<Uid, u64>,
    /// Uids that a connection was heard to agree with, and that accepted it.
    agreed: BTreeSet<(u64, Uid)>,
    accepted: BTreeSet<(u64, Uid)>,
    rules: BTreeSet<Rule>,
}

impl<'a> Replay<'a> {
    fn new(recording: &'a Recording, seed: u64) -> Self {
        let peers = recording.connections.iter().filter(|(_, connection)| !connection.is_room);
        let peers = peers.filter_map(|(id, connection)| {
            Some((*id, peer(recording, *id, connection.role.as_ref()?, seed)))
        });
        Self {
            recording,
            peers: peers.collect(),
            said: BTreeMap::new(),
            uids: BTreeMap::new(),
            agreed: BTreeSet::new(),
            accepted: BTreeSet::new(),
            rules: BTreeSet::new(),
        }
    }

    fn run(mut self) -> BTreeSet<Rule> {
        for event in &self.recording.events {
            let Some((id, port)) = self.peer_of(event.connection) else { continue };
            match (&event.bytes, event.by_relay, port) {
                (Some(bytes), true, HALL) => self.hears(id, bytes),
                (Some(bytes), false, HALL) => self.says(id, bytes),
                (Some(bytes), true, _) => self.peer(id).hears(ROOM, bytes),
                (Some(bytes), false, _) => self.says_in_room(id, bytes),
                (None, true, port) => self.peer(id).ends(port),
                (None, false, port) => self.leaves(id, port),
            }
        }
        for (id, peer) in &mut self.peers {
            assert!(peer.said(HALL).is_empty(), "{}: connection {id}", self.recording.place);
        }
        self.rules
    }

    /// Whose connection it is, and which of its two.
    fn peer_of(&self, connection: u64) -> Option<(u64, u16)> {
        let of = &self.recording.connections[&connection];
        let role = of.role.as_ref()?;
        if !of.is_room {
            return Some((connection, HALL));
        }
        // The one of its kind that was told of a room.
        let told = |id: &u64| {
            let heard = packets(&heard(self.recording, *id));
            heard.iter().any(|packet| matches!(packet.body, Body::Accepted | Body::Done))
        };
        let same = |id: &u64| match self.peers[id] {
            Peer::Sender(_) => *role == Role::Sender,
            Peer::Receiver(_) => *role != Role::Sender,
        };
        let id = self.peers.keys().copied().find(|id| same(id) && told(id));
        Some((id.expect("somebody was told of the room"), ROOM))
    }

    fn peer(&mut self, id: u64) -> &mut Peer {
        self.peers.get_mut(&id).expect("it has a role")
    }

    /// A peer hears what the relay sent, or what ours make of it.
    fn hears(&mut self, id: u64, bytes: &[u8]) {
        let mut ours = BytesMut::new();
        for packet in packets(bytes) {
            self.learn(id, &packet);
            let body = if self.recording.secrets.is_some() { None } else { self.live(id, &packet) };
            let packet = Packet { uid: packet.uid, body: body.unwrap_or(packet.body) };
            packet.encode(&mut ours).expect("as long as it was");
        }
        self.peer(id).hears(HALL, &ours);
    }

    fn learn(&mut self, id: u64, Packet { uid, body }: &Packet) {
        let connections = &self.recording.connections;
        let named = |name: &Identity| {
            let halls = connections.iter().filter(|(_, connection)| !connection.is_room);
            halls.filter(|(_, connection)| connection.identity == name.to_string()).map(|(id, _)| *id).next()
        };
        let known = match body {
            Body::NewServer { server, identity, .. } => named(identity).map(|id| (*server, id)),
            Body::ClientShare { identity, .. } => named(identity).map(|id| (*uid, id)),
            Body::Accepted => {
                self.accepted.insert((id, *uid));
                None
            }
            _ => None,
        };
        self.uids.extend(known);
    }

    /// The same packet, as our peers have said it.
    fn live(&mut self, to: u64, Packet { uid, body }: &Packet) -> Option<Body> {
        if let Body::NewServer { server, identity, .. } = body {
            let from = self.uids[server];
            let Some(Body::HelloAsServer { public }) = self.said.get(&(from, Uid::RELAY, 0)) else {
                panic!("a server says hello before it is announced")
            };
            return Some(Body::NewServer { server: *server, public: *public, identity: identity.clone() });
        }
        let from = *self.uids.get(uid)?;
        let us = self.uids.iter().find(|(_, of)| **of == to).map(|(uid, _)| *uid);
        let said = us.and_then(|us| self.said.get(&(from, us, body.kind())).cloned());
        // Of a client that says its first word its server does not know the uid yet, but there is one server only.
        said.or_else(|| {
            let mut all = self.said.iter().filter(|((by, _, kind), _)| *by == from && *kind == body.kind());
            all.next().map(|(_, body)| body.clone())
        })
    }

    /// A peer says what was recorded, or by our rules something else.
    fn says(&mut self, id: u64, bytes: &[u8]) {
        let place = format!("{}: connection {id}", self.recording.place);
        let is_exact = self.recording.secrets.is_some() && self.is_exact(id);
        for packet in packets(bytes) {
            if self.is_corrected(id, &packet) {
                self.rules.insert(Rule::KeysPerClient);
                continue;
            }
            let mut recorded = BytesMut::new();
            packet.encode(&mut recorded).expect("it was written before");
            let peer = self.peers.get_mut(&id).expect("it has a role");
            peer.decide(&packet);
            let said = peer.says(HALL, recorded.len());
            if is_exact {
                assert_eq!(said, recorded, "{place}");
            }
            let ours =
                packets(&said).pop().unwrap_or_else(|| panic!("{place}: nothing instead of {packet:?}"));
            assert_eq!((ours.uid, ours.body.kind()), (packet.uid, packet.body.kind()), "{place}");
            if matches!(packet.body, Body::Agreement) {
                self.agreed.insert((id, packet.uid));
            }
            self.said.insert((id, ours.uid, ours.body.kind()), ours.body);
        }
    }

    fn is_exact(&self, id: u64) -> bool {
        match self.recording.connections[&id].role {
            Some(Role::Sender | Role::Receiver { is_plain: true }) => true,
            Some(Role::Receiver { is_plain: false }) | None => false,
        }
    }

    /// 5: upstream reports whom it agreed with, and who accepted, as somebody it has no handshake with. Ours has gone to
    /// meet it instead.
    fn is_corrected(&mut self, id: u64, packet: &Packet) -> bool {
        let Body::RelayFailure(RelayFailure::NoHandshake(uid)) = packet.body else { return false };
        if !self.agreed.contains(&(id, uid)) || !self.accepted.contains(&(id, uid)) {
            return false;
        }
        let name = self.recording.connections[&self.uids[&uid]].identity.clone();
        let line = format!("{name}\n");
        assert_eq!(self.peer(id).said(ROOM), line.as_bytes(), "{}", self.recording.place);
        true
    }

    /// In the room: the line, the records, the last word.
    fn says_in_room(&mut self, id: u64, bytes: &[u8]) {
        let place = format!("{}: connection {id} in the room", self.recording.place);
        let secrets = self.recording.secrets.as_ref();
        let peer = self.peers.get_mut(&id).expect("it has a role");
        if bytes.ends_with(b"\n") && bytes.len() < 100 {
            assert_eq!(peer.says(ROOM, bytes.len()), bytes, "{place}: the line");
        } else if bytes == CLOSE {
            assert_eq!(peer.said(ROOM), CLOSE, "{place}: the last word");
        } else if let (Peer::Sender(desk), Some(secrets)) = (peer, secrets) {
            same_file(desk, secrets, &place);
        }
    }

    /// The tool went. So does ours, by itself if something had ended for it.
    fn leaves(&mut self, id: u64, port: u16) {
        let place = format!("{}: connection {id}", self.recording.place);
        match self.peer(id) {
            Peer::Receiver(desk) if port == ROOM => {
                let complete =
                    desk.events.iter().any(|event| matches!(event, client::Event::Complete { .. }));
                if complete {
                    desk.command(client::Command::Kept);
                    // Upstream only closes; that the file is kept is said by ours.
                    assert_eq!(desk.said(ROOM), CLOSE, "{place}");
                    assert!(desk.events.contains(&client::Event::Ended(Ok(()))), "{place}");
                }
                if let Some(secrets) = &self.recording.secrets {
                    self.received(id, secrets);
                }
            }
            Peer::Receiver(desk) if !desk.closed.contains(&port) => desk.command(client::Command::Cancel),
            Peer::Sender(desk) if !desk.closed.contains(&port) => desk.command(server::Command::Cancel),
            Peer::Sender(desk) if port == ROOM => {
                let sent = server::Sent { confirmed: false };
                assert!(desk.events.contains(&server::Event::Ended(Ok(sent))), "{place}");
            }
            Peer::Sender(_) | Peer::Receiver(_) => {}
        }
    }

    /// The receiver has the file.
    fn received(&mut self, id: u64, secrets: &Secrets) {
        let Peer::Receiver(desk) = self.peer(id) else { return };
        let mut content = Vec::new();
        for event in &desk.events {
            match event {
                client::Event::File { name, size } => {
                    assert_eq!(name.as_bytes(), secrets.file_name.as_bytes());
                    assert_eq!(usize::try_from(*size).expect("a small file"), secrets.file.len());
                }
                client::Event::Content { bytes } => content.extend_from_slice(bytes),
                _ => {}
            }
        }
        assert_eq!(content, secrets.file);
        let complete = desk.events.iter().any(|event| matches!(event, client::Event::Complete { .. }));
        assert_eq!(complete, secrets.is_whole);
    }
}

impl Peer {
    fn hears(&mut self, port: u16, bytes: &[u8]) {
        match self {
            Self::Sender(desk) => desk.hears(port, bytes),
            Self::Receiver(desk) => desk.hears(port, bytes),
        }
    }

    fn ends(&mut self, port: u16) {
        match self {
            Self::Sender(desk) => desk.ends(port),
            Self::Receiver(desk) => desk.ends(port),
        }
    }

    fn says(&mut self, port: u16, count: usize) -> Vec<u8> {
        match self {
            Self::Sender(desk) => desk.says(port, count),
            Self::Receiver(desk) => desk.says(port, count),
        }
    }

    fn said(&mut self, port: u16) -> Vec<u8> {
        match self {
            Self::Sender(desk) => desk.said(port),
            Self::Receiver(desk) => desk.said(port),
        }
    }

    /// The person decides as was recorded.
    fn decide(&mut self, packet: &Packet) {
        if let Self::Receiver(desk) = self {
            match packet.body {
                Body::Accepted => desk.command(client::Command::Accept { server: packet.uid }),
                Body::Refused => desk.command(client::Command::Refuse { server: packet.uid }),
                _ => {}
            }
        }
    }
}

/// One of ours in the place of the tool.
fn peer(recording: &Recording, id: u64, role: &Role, seed: u64) -> Peer {
    let secrets = recording.secrets.as_ref();
    let password = secrets.map_or(b"some password".as_slice(), |secrets| &secrets.password);
    match role {
        Role::Sender => {
            let draws = secrets.map(|secrets| secrets.sender_draws.clone());
            let (name, size) =
                secrets.map_or(("name", 1), |secrets| (&secrets.file_name, secrets.file.len()));
            let count = said(recording, id).iter().find_map(|packet| match &packet.body {
                Body::HelloAsServer { public } => Public::decode(public).ok().map(|public| public.count()),
                _ => None,
            });
            let count = count.expect("a sender says hello");
            Peer::Sender(peers::server(password, name.as_bytes(), size, count, draws, seed))
        }
        // Who has not come to a proof had another password.
        Role::Receiver { .. } if !proves(recording, id) => {
            Peer::Receiver(peers::client(&[password, b", another"].concat(), None, seed))
        }
        Role::Receiver { is_plain } => {
            let draws = secrets.filter(|_| *is_plain).map(|secrets| secrets.receiver_draws.clone());
            Peer::Receiver(peers::client(password, draws, seed))
        }
    }
}

fn proves(recording: &Recording, id: u64) -> bool {
    said(recording, id).iter().any(|packet| matches!(packet.body, Body::ClientValidator { .. }))
}

fn stream(recording: &Recording, id: u64, by_relay: bool) -> Vec<u8> {
    let events = recording.events.iter().filter(|event| event.connection == id && event.by_relay == by_relay);
    events.filter_map(|event| event.bytes.as_deref()).collect::<Vec<_>>().concat()
}

fn said(recording: &Recording, id: u64) -> Vec<Packet> {
    packets(&stream(recording, id, false))
}

fn heard(recording: &Recording, id: u64) -> Vec<u8> {
    stream(recording, id, true)
}

fn packets(bytes: &[u8]) -> Vec<Packet> {
    let (mut decoder, mut bytes) = (Decoder::new(), Bytes::copy_from_slice(bytes));
    let packets = std::iter::from_fn(|| decoder.next(&mut bytes).expect("packets were recorded")).collect();
    assert!(!decoder.is_inside_packet(), "whole packets were recorded");
    packets
}

/// SPOKE alone gives both recorded keys, with the receiver's draws and what it heard.
fn keys(recording: &Recording, secrets: &Secrets) {
    let plain = |id: &&u64| {
        let connection = &recording.connections[id];
        !connection.is_room && connection.role == Some(Role::Receiver { is_plain: true })
    };
    let id = recording.connections.keys().find(plain).expect("draws are a receiver's");
    let (mut us, mut announced, mut answer) = (None, None, None);
    for packet in packets(&heard(recording, *id)) {
        match packet.body {
            Body::ClientIdentity { identity } => us = Some(identity),
            Body::NewServer { public, identity, .. } => announced = Some((public, identity)),
            Body::ServerShare { share, validator } => answer = Some((share, validator)),
            _ => {}
        }
    }
    let ((public, them), (share, validator)) = announced.zip(answer).expect("a handshake was recorded");
    let public = Public::decode(&public).expect("a public");
    let secret = Secret::derive(public, &secrets.password);
    let (_, run) = spoke::Client::start(&secret, &mut Scripted(secrets.receiver_draws.clone()));
    let us = us.expect("it was told its name");
    let finished = run.finish(&share, &validator, us.as_bytes(), them.as_bytes());
    let (_, keys) = finished.expect("the same password");
    assert_eq!([*keys.of_server(), *keys.of_client()], secrets.keys, "{}", recording.place);
}

/// The channel alone gives the recorded records for the recorded writes.
fn records(recording: &Recording, secrets: &Secrets) {
    let (mut sealer, _) = channel::of_server(&Keys::from_bytes(secrets.keys), CIPHERS);
    let mut expected = BytesMut::new();
    for write in &secrets.writes {
        sealer.seal(write, &mut expected).expect("few records");
    }
    expected.extend_from_slice(&secrets.after_last_record);
    let rooms = recording.connections.iter().filter(|(_, connection)| connection.is_room);
    let mut senders = rooms.filter(|(_, connection)| connection.role == Some(Role::Sender));
    let (id, _) = senders.next().expect("somebody sent it");
    let sent = stream(recording, *id, false);
    let line = sent.iter().position(|byte| *byte == b'\n').expect("a line comes first") + 1;
    assert_eq!(sent[line..], expected, "{}", recording.place);
}

/// Our server sends the same file, under the recorded keys; as one pack, up to how it is compressed.
fn same_file(desk: &mut ServerDesk, secrets: &Secrets, place: &str) {
    desk.command(server::Command::Content { bytes: Bytes::copy_from_slice(&secrets.file) });
    let (_, mut opener) = channel::of_client(&Keys::from_bytes(secrets.keys), CIPHERS);
    let (mut stream, mut plain) = (Bytes::from(desk.said(ROOM)), Vec::new());
    while let Some(opened) = opener.open(&mut stream) {
        let Opened::Data(bytes) = opened else { panic!("{place}: {opened:?}") };
        plain.extend_from_slice(&bytes);
    }
    let [ours, theirs] = [plain, secrets.writes.concat()].map(unpack);
    assert_eq!(ours, (secrets.file_name.clone().into_bytes(), secrets.file.clone(), true), "{place}");
    assert_eq!(
        theirs,
        (secrets.file_name.clone().into_bytes(), secrets.file.clone(), secrets.is_whole),
        "{place}"
    );
}

/// Name, content, and whether it is whole.
fn unpack(stream: Vec<u8>) -> (Vec<u8>, Vec<u8>, bool) {
    let (mut reader, mut stream) = (Reader::new(u64::MAX), Bytes::from(stream));
    let (mut name, mut content) = (Vec::new(), Vec::new());
    while let Ok(Some(event)) = reader.next_event(&mut stream) {
        match event {
            pack::Event::Name(of) => name = of.as_bytes().to_vec(),
            pack::Event::Content(bytes) => content.extend_from_slice(&bytes),
            pack::Event::Size(_) | pack::Event::Complete { .. } => {}
        }
    }
    (name, content, reader.is_complete())
}
