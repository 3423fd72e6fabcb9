//! `transcripts/` and `peer_transcripts.json`, replayed against the relay's role: what it sends on each connection is
//! compared byte for byte. Reads may be split differently and times only order things, but a time that was over for the
//! recorded relay is over for ours.
//!
//! Where a rule of ours corrects upstream, what the models say is expected; everywhere else the recording, and the models
//! are held against it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;

use pleach_core::bob::Identity;
use pleach_core::link::LinkId;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use super::bench::{Action, Bench, cut, packets};
use super::model::{Correction, Model};
use super::recording;
use super::rooms::Rooms;
use crate::harness::{Members, Topic};

/// How often each recording is replayed with its reads cut at other places.
const CUTS: u64 = 20;

/// Recordings in which a defect of upstream is known to show: the correction has to have been made.
const CORRECTED: &[(&str, Correction)] =
    &[("room_raw", Correction::Unagreed), ("server_gone", Correction::Left)];

pub(crate) fn transcripts(topic: &mut Topic) {
    for name in topic.names("transcripts") {
        topic.file(&name, |topic, mut file| {
            let corrections = replay_all(&of_relay(recording::read(&mut file)));
            for (known, correction) in CORRECTED {
                let is_known = name.contains(known);
                assert!(!is_known || corrections.contains(correction), "{name}: {correction:?}");
            }
            topic.count(1);
        });
    }
}

/// What happened on a connection.
enum Event {
    Bytes(Vec<u8>),
    End,
    /// Its time is over.
    Expired,
}

struct Recording {
    place: String,
    /// Address and port (0 of handshakes, 1 of rooms) of each connection, in the order in which their time is over.
    connections: Vec<(SocketAddr, u32)>,
    events: Vec<(usize, Event)>,
    /// By connection: what the relay sent, and whether it ended the stream before the peer did.
    expected: Vec<(Vec<u8>, bool)>,
}

/// What concerns the relay.
fn of_relay(recording: recording::Recording) -> Recording {
    let ports = recording.connections.into_iter().map(|(id, connection)| {
        let address = connection.identity.parse().expect("peers are written as addresses");
        (id, (address, u32::from(connection.is_room)))
    });
    let ports: BTreeMap<u64, (SocketAddr, u32)> = ports.collect();
    let mut builder = Builder::default();
    for recording::Event { connection, by_relay, bytes } in recording.events {
        match (bytes, by_relay) {
            (Some(bytes), false) => builder.peer(connection, Event::Bytes(bytes)),
            (Some(bytes), true) => builder.relay(connection, &bytes, ports[&connection].1),
            (None, false) => builder.peer(connection, Event::End),
            (None, true) => builder.relay_ends(connection),
        }
    }
    builder.finish(recording.place, &ports)
}

/// Events by the ids of the recording.
#[derive(Default)]
struct Builder {
    events: Vec<(u64, Event)>,
    expired: Vec<u64>,
    sent: BTreeMap<u64, Vec<u8>>,
    peer_ended: Vec<u64>,
    relay_ended: Vec<u64>,
}

impl Builder {
    fn peer(&mut self, id: u64, event: Event) {
        if matches!(event, Event::End) {
            self.peer_ended.push(id);
        }
        self.events.push((id, event));
    }

    fn relay(&mut self, id: u64, bytes: &[u8], port: u32) {
        let sent = self.sent.entry(id).or_default();
        let is_code = port == 1 && sent.is_empty() && bytes.starts_with(b"01");
        if is_code || (port == 0 && bytes.ends_with(b"00000f")) {
            self.expires(id);
        }
        self.sent.entry(id).or_default().extend_from_slice(bytes);
    }

    fn expires(&mut self, id: u64) {
        self.expired.push(id);
        self.events.push((id, Event::Expired));
    }

    fn relay_ends(&mut self, id: u64) {
        if !self.peer_ended.contains(&id) {
            self.relay_ended.push(id);
        }
    }

    /// All links have the same time, from when they are opened: those whose time is over come first, in that order.
    fn finish(mut self, place: String, ports: &BTreeMap<u64, (SocketAddr, u32)>) -> Recording {
        let others = ports.keys().filter(|id| !self.expired.contains(id));
        let order: Vec<u64> = self.expired.iter().chain(others).copied().collect();
        let place_of = |id: &u64| order.iter().position(|other| other == id).expect("it is listed");
        let expected =
            order.iter().map(|id| (self.sent.remove(id).unwrap_or_default(), self.relay_ended.contains(id)));
        let expected = expected.collect();
        let events = self.events.into_iter().map(|(id, event)| (place_of(&id), event)).collect();
        Recording { place, connections: order.iter().map(|id| ports[id]).collect(), events, expected }
    }
}

/// Replays whole and in pieces. The rules by which upstream was corrected.
fn replay_all(recording: &Recording) -> Vec<Correction> {
    let mut corrections = Vec::new();
    for seed in 0..=CUTS {
        let cuts = || (seed > 0).then(|| ChaCha8Rng::seed_from_u64(seed));
        let strict = Replay::new(recording, cuts()).run(false);
        corrections = strict.model.corrections.iter().copied().collect();
        let place = format!("{}, cuts {seed}", recording.place);
        assert_eq!(strict.actual, strict.corrected, "{place}: as the rules say");
        if corrections.is_empty() {
            assert_eq!(strict.actual, recording.expected, "{place}: as recorded");
        } else if corrections == [Correction::Unagreed] {
            // With the agreement that is missing, everything else is as recorded.
            let lenient = Replay::new(recording, cuts()).run(true);
            assert_eq!(lenient.actual, recording.expected, "{place}: as recorded, but for agreements");
        }
    }
    corrections
}

struct Replay<'a> {
    recording: &'a Recording,
    cuts: Option<ChaCha8Rng>,
    bench: Bench,
    model: Model,
    rooms: Rooms,
    links: Vec<LinkId>,
    /// By connection: what was sent, and whether it was closed before the peer ended it.
    actual: Vec<(Vec<u8>, bool)>,
    corrected: Vec<(Vec<u8>, bool)>,
    has_ended: Vec<bool>,
}

impl<'a> Replay<'a> {
    fn new(recording: &'a Recording, cuts: Option<ChaCha8Rng>) -> Self {
        let (mut bench, mut model, mut rooms) = (Bench::new(), Model::default(), Rooms::default());
        let mut links = Vec::new();
        for (address, port) in &recording.connections {
            let link = bench.open(*address, *port);
            if *port == 0 {
                model.open(link, Identity::of(*address));
            } else {
                rooms.open(link);
            }
            links.push(link);
        }
        let nothing = vec![(Vec::new(), false); links.len()];
        let has_ended = vec![false; links.len()];
        Self {
            recording,
            cuts,
            bench,
            model,
            rooms,
            links,
            actual: nothing.clone(),
            corrected: nothing,
            has_ended,
        }
    }

    /// `lenient`: where an acceptance lacks its agreement, the server says it first.
    fn run(mut self, lenient: bool) -> Self {
        for (of, event) in &self.recording.events {
            let (link, is_hall) = (self.links[*of], self.recording.connections[*of].1 == 0);
            if let Event::Bytes(bytes) = event
                && lenient
                && let Some((server, agreement)) = self.model.missing_agreement(link, bytes)
            {
                self.model.bytes(server, &agreement);
                self.bench.bytes(server, &agreement, None);
            }
            let corrected = match (event, is_hall) {
                (Event::Bytes(bytes), true) => self.model.bytes(link, bytes),
                (Event::Bytes(bytes), false) => self.rooms.bytes(link, bytes),
                (Event::End, true) => self.model.end(link),
                (Event::End, false) => self.rooms.end(link),
                (Event::Expired, true) => self.model.expire(link),
                (Event::Expired, false) => self.rooms.expire(link),
            };
            self.model.pairs.drain(..).for_each(|names| self.rooms.promise(names));
            let actual = match event {
                Event::Bytes(bytes) if is_hall => self.bench.bytes(link, bytes, self.cuts.as_mut()),
                Event::Bytes(bytes) => self.room_bytes(link, bytes),
                Event::End => self.bench.end(link),
                Event::Expired => self.bench.expire(link),
            };
            self.has_ended[*of] |= matches!(event, Event::End);
            note(&actual, &self.links, &self.has_ended, &mut self.actual);
            note(&corrected, &self.links, &self.has_ended, &mut self.corrected);
        }
        self
    }

    /// What stands behind a line in one read is lost, and what comes in a later read is not: so no cut there.
    fn room_bytes(&mut self, link: LinkId, bytes: &[u8]) -> Vec<Action> {
        let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
        let (front, rest) = bytes.split_at(end);
        let mut actions = Vec::new();
        for piece in cut(front, self.cuts.as_mut()) {
            actions.extend(self.bench.bytes(link, piece, None));
        }
        if !rest.is_empty() {
            actions.extend(self.bench.bytes(link, rest, None));
        }
        actions
    }
}

fn note(actions: &[Action], links: &[LinkId], has_ended: &[bool], noted: &mut [(Vec<u8>, bool)]) {
    let place =
        |link: &LinkId| links.iter().position(|other| other == link).expect("a link of the recording");
    for action in actions {
        match action {
            Action::Send(link, bytes) => noted[place(link)].0.extend_from_slice(bytes),
            Action::Close(link) => noted[place(link)].1 |= !has_ended[place(link)],
        }
    }
}

/// `peer_transcripts.json`: packets between two peers and the relay, in order.
pub(crate) fn conversations(topic: &mut Topic) {
    topic.file("peer_transcripts.json", |topic, mut file| topic.cases(&mut file, "scenarios", conversation));
}

/// Bytes of uid and kind.
const HEADER: usize = 6;

/// A relay between the two peers of a conversation, by their names there.
struct Between {
    bench: Bench,
    links: BTreeMap<&'static str, LinkId>,
    /// What the relay sent to each and was not compared yet.
    sent: BTreeMap<LinkId, VecDeque<Vec<u8>>>,
    closed: BTreeSet<LinkId>,
    /// Bodies that the peers gave to the relay.
    given: Vec<Vec<u8>>,
    /// Packets that were changed on the way from the relay to a peer.
    changed: usize,
}

fn conversation(mut case: Members) {
    let name = case.text("name");
    let place = format!("{} ({name})", case.place());
    let members = ["server_password", "client_password", "salt", "count", "client_decision"];
    members.iter().for_each(|member| case.remark(member));
    let mut bench = Bench::new();
    let mut open = |member: &str| bench.open(case.text(member).parse().expect("an address"), 0);
    let links =
        BTreeMap::from([("server", open("server_peer_identity")), ("client", open("client_peer_identity"))]);
    let mut between = Between {
        bench,
        links,
        sent: BTreeMap::new(),
        closed: BTreeSet::new(),
        given: Vec::new(),
        changed: 0,
    };
    for mut step in case.list("steps") {
        ["result", "random_drawn_by_client", "random_drawn_by_server"]
            .iter()
            .for_each(|name| step.remark(name));
        between.step(&place, step);
    }
    assert!(between.sent.values().all(VecDeque::is_empty), "{place}: more was sent: {:?}", between.sent);
    assert!(between.changed <= 1, "{place}: {} packets differ", between.changed);
}

impl Between {
    fn step(&mut self, place: &str, mut step: Members) {
        let place = format!("{place}, {}", step.place());
        let names = step.names();
        let has = |member: &str| names.iter().any(|name| name == member);
        if has("room_between") {
            step.remark("at");
            let names = step.values("room_between");
            let name = |at: usize| names[at].as_str().expect("a name").to_owned();
            assert_eq!(self.bench.agreed, [(name(0), name(1))], "{place}");
        } else if has("close") {
            step.remark("at");
            let link = self.links[step.text("close").as_str()];
            assert!(self.closed.contains(&link), "{place}");
        } else {
            let (from, to, bytes) = (step.text("from"), step.text("to"), step.bytes("bytes"));
            match from.as_str() {
                "relay" => self.compare(&place, self.links[to.as_str()], &bytes),
                peer => self.give(self.links[peer], &bytes),
            }
        }
    }

    fn give(&mut self, link: LinkId, bytes: &[u8]) {
        self.given.push(bytes[HEADER..].to_vec());
        for action in self.bench.bytes(link, bytes, None) {
            match action {
                Action::Send(to, bytes) => self.sent.entry(to).or_default().extend(packets(&bytes)),
                Action::Close(link) => drop(self.closed.insert(link)),
            }
        }
    }

    /// The packet arrived so: unless it was changed on the way, which leaves uid and kind, the relay sent it so.
    fn compare(&mut self, place: &str, to: LinkId, arrived: &[u8]) {
        let sent = self.sent.entry(to).or_default().pop_front();
        let sent = sent.unwrap_or_else(|| panic!("{place}: nothing was sent"));
        if sent != arrived {
            assert_eq!(sent[..HEADER], arrived[..HEADER], "{place}");
            assert!(self.given.iter().any(|body| *body == sent[HEADER..]), "{place}: not what was given");
            self.changed += 1;
        }
    }
}
