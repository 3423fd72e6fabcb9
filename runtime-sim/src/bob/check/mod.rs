//! Checks that trust no machine: what passes on the links, and what people say at the end, is held against what must
//! hold in every run. Each checker counts how often it had something to check.

mod fates;
mod hall;
mod keys;
mod packet;
mod rooms;
mod secrets;
mod waits;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use pleach_core::Instant;
use pleach_core::bob::relay;
use pleach_core::bob::{pack, server};
use pleach_core::link::{LinkId, Via};
use serde::Serialize;

use super::actor::Report;
use super::plan::{Pair, Part, Person};
use super::{HANDSHAKE, HANDSHAKE_LISTENER, RELAY};
use crate::net::Traffic;
pub use fates::Ending;
pub(super) use fates::{Circumstances, End, Fate, judge, took};
use hall::{Hall, Passage};
use keys::Transcript;
use rooms::Rooms;
use secrets::Secrets;
use waits::{Rules, Waits};

/// How often each check had something to check.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Checked {
    /// Packets that the relay sent: each is for its addressee.
    pub packets: u64,
    /// Uids that it gave: each is unique.
    pub uids: u64,
    /// Secrets that it must not see.
    pub secrets: u64,
    /// Of those, keys of pairs.
    pub keys: u64,
    /// Bytes that reached it, searched for secrets.
    pub searched_bytes: u64,
    /// Handshakes of honest people: none waits for the guesses of others.
    pub waits: u64,
    /// People whose end was judged.
    pub people: u64,
    /// Tables of the relay that were looked at after everybody had left.
    pub tables: u64,
}

/// Promises that were broken: the first ones in words, the others counted.
#[derive(Clone, Debug, Default)]
pub(super) struct Broken {
    first: Vec<String>,
    more: u64,
}

/// How many are told in words, of each check.
const TOLD: usize = 5;

impl Broken {
    pub(super) const fn new() -> Self {
        Self { first: Vec::new(), more: 0 }
    }

    pub(super) fn note(&mut self, what: impl FnOnce() -> String) {
        if self.first.len() < TOLD {
            self.first.push(what());
        } else {
            self.more += 1;
        }
    }

    pub(super) fn into_vec(mut self) -> Vec<String> {
        if self.more > 0 {
            self.first.push(format!("and {} more of that kind", self.more));
        }
        self.first
    }
}

/// All checks of a run.
#[derive(Debug)]
pub(super) struct Checks {
    people: BTreeMap<u32, Person>,
    hall: Hall,
    /// Who is at the other end of each link of the relay, and what its address is.
    peers: BTreeMap<LinkId, (u32, SocketAddr)>,
    /// Which host had which uid last. What it has said may arrive when it is gone.
    hosts: BTreeMap<u16, u32>,
    rooms: Rooms,
    secrets: Secrets,
    keys: u64,
    /// Shares at the relay: of a client, for a server.
    at_relay: Waits<LinkId, LinkId>,
    /// Shares at a sender.
    at_sender: Waits<u32, u16>,
    /// Of each sender its link to the handshake port, and what was said there.
    senders: BTreeMap<u32, (LinkId, Transcript)>,
}

impl Checks {
    /// With the pauses that the relay and the senders have configured. A handshake is under way for at most so long, or
    /// until the sender's patience with it ends.
    pub(super) fn new(
        relay: &relay::Guessing,
        sender: &server::Guesses,
        under_way: Duration,
        patience: Duration,
    ) -> Self {
        // Only what has failed counts at the relay, and it gives nobody up.
        let at_relay = Rules {
            slack: Duration::ZERO,
            under_way: Duration::ZERO,
            given_up: Duration::ZERO,
            pause: relay.pause,
            pause_max: relay.pause_max,
        };
        let at_sender = Rules {
            // A sender answers many in turn, a microsecond apart.
            slack: Duration::from_millis(1),
            under_way,
            given_up: patience,
            pause: sender.delay,
            pause_max: sender.delay_max,
        };
        Self {
            people: BTreeMap::new(),
            hall: Hall::default(),
            peers: BTreeMap::new(),
            hosts: BTreeMap::new(),
            rooms: Rooms::default(),
            secrets: Secrets::default(),
            keys: 0,
            at_relay: Waits::new("a handshake at the relay", at_relay),
            at_sender: Waits::new("a handshake at a sender", at_sender),
            senders: BTreeMap::new(),
        }
    }

    /// What a pair has to hide.
    pub(super) fn pair(&mut self, number: usize, pair: &Pair) {
        self.secrets.add(format!("the password of pair {number}"), &pair.password);
        self.secrets.add(format!("the name of the file of pair {number}"), pair.name.as_bytes());
        self.secrets.add_samples(&format!("the file of pair {number}"), &pair.content);
        self.secrets.add_samples(&format!("the pack of pair {number}"), &packed(pair));
    }

    /// Somebody honest runs on that host.
    pub(super) fn joins(&mut self, node: u32, person: Person) {
        self.people.insert(node, person);
    }

    /// Something passed between a machine and a link.
    pub(super) fn traffic(&mut self, at: Instant, node: u32, traffic: &Traffic<'_>) {
        if node == RELAY {
            self.hall.passed(at);
            self.at_relay(at, traffic);
        } else if self.people.get(&node).is_some_and(|person| person.part == Part::Sends) {
            self.at_sender(at, node, traffic);
        }
    }

    /// The relay freezes: who waits for it waits in vain, and is not told.
    pub(super) fn relay_freezes(&mut self) {
        self.at_relay.over();
        self.at_sender.over();
    }

    /// Somebody's host freezes: who waits for an end of its handshakes is not told of it.
    pub(super) fn freezes(&mut self, node: u32) {
        let uids = self.hosts.iter().filter(|(_, host)| **host == node).map(|(uid, _)| *uid);
        uids.for_each(|uid| self.at_sender.falls_silent(uid));
    }

    /// The relay reports something.
    pub(super) fn report(&mut self, report: &Report) {
        match report {
            Report::Relay(relay::Event::Registered { uid, role, identity }) => {
                self.hall.registered(uid.0, *role == relay::Role::Server, identity.as_bytes());
                let link = self.hall.link_of(uid.0);
                if let Some((host, _)) = link.and_then(|link| self.peers.get(&link)) {
                    self.hosts.insert(uid.0, *host);
                }
            }
            Report::Relay(relay::Event::Departed { uid, why }) => {
                self.hall.departed(uid.0);
                if *why == relay::Departure::Paired {
                    // The others are not told of it (6.5).
                    self.at_sender.falls_silent(uid.0);
                }
            }
            Report::Relay(_)
            | Report::Sender(_)
            | Report::Receiver(_)
            | Report::Refused
            | Report::Kept { .. } => {}
        }
    }

    fn pair_of(&self, node: u32) -> Option<usize> {
        self.people.get(&node).map(|person| person.pair)
    }

    fn at_relay(&mut self, at: Instant, traffic: &Traffic<'_>) {
        match *traffic {
            Traffic::Opened { link, via, remote, peer } => {
                self.peers.insert(link, (peer, remote));
                if matches!(via, Via::Accepted { listener } if listener == HANDSHAKE_LISTENER) {
                    self.hall.opened(link, remote);
                    if let Some(pair) = self.pair_of(peer) {
                        self.rooms.name(remote.to_string(), pair);
                    }
                } else {
                    self.rooms.opened(link, self.pair_of(peer));
                }
            }
            Traffic::Received { link, bytes } => {
                self.secrets.received(link, bytes);
                self.rooms.received(link, bytes);
                for said in self.hall.received(link, bytes) {
                    if let Some((_, remote)) = self.honest_share(&said) {
                        self.at_relay.asked(at, said.to, said.from, remote.ip().to_string().as_bytes());
                    }
                }
            }
            Traffic::Sent { link, bytes } => {
                self.rooms.sent(link, bytes);
                for said in self.hall.sent(at, link, bytes) {
                    if self.honest_share(&said).is_some() {
                        self.at_relay.answered(at, said.to, said.from);
                    }
                }
            }
            Traffic::Closed { link } => {
                self.at_relay.left(at, |server, client| server == link || client == link);
                self.hall.closed(link);
                self.rooms.closed(link);
                self.peers.remove(&link);
            }
        }
    }

    /// Whose share that is, if it is somebody honest's.
    fn honest_share(&self, said: &Passage) -> Option<(u32, SocketAddr)> {
        let from = self.peers.get(&said.from).copied()?;
        (said.kind == 0x07 && self.people.contains_key(&from.0)).then_some(from)
    }

    fn at_sender(&mut self, at: Instant, node: u32, traffic: &Traffic<'_>) {
        if let Traffic::Opened { link, remote, .. } = *traffic {
            if remote == HANDSHAKE {
                self.senders.insert(node, (link, Transcript::default()));
            }
            return;
        }
        let Some((hall, transcript)) = self.senders.get_mut(&node) else { return };
        let is_honest = |uid| self.hosts.get(&uid).is_some_and(|host| self.people.contains_key(host));
        match *traffic {
            Traffic::Received { link, bytes } if link == *hall => {
                for packet in transcript.received(bytes) {
                    match packet.kind {
                        0x07 if is_honest(packet.uid) => {
                            let host = host(packet.name().unwrap_or_default());
                            self.at_sender.asked(at, node, packet.uid, host);
                        }
                        0x09 => {
                            let Some(client) = packet.uid_at(0) else { continue };
                            self.at_sender.left(at, |place, who| place == node && who == client);
                            self.at_sender.ended(node, client);
                        }
                        0x05 | 0x0d => self.at_sender.ended(node, packet.uid),
                        _ => {}
                    }
                }
            }
            Traffic::Sent { link, bytes } if link == *hall => {
                for packet in
                    transcript.sent(bytes).iter().filter(|packet| matches!(packet.kind, 0x06 | 0x0d))
                {
                    self.at_sender.answered(at, node, packet.uid);
                }
            }
            Traffic::Closed { link } if link == *hall => self.at_sender.left(at, |place, _| place == node),
            Traffic::Opened { .. }
            | Traffic::Received { .. }
            | Traffic::Sent { .. }
            | Traffic::Closed { .. } => {}
        }
    }

    /// Pairs into whose rooms a stranger went.
    pub(super) fn squatted(&mut self) -> Vec<usize> {
        self.rooms.settle_all();
        self.rooms.squatted.iter().copied().collect()
    }

    /// After everybody has left, the relay holds nothing (T-14). What it remembers of guesses is bounded, and not theirs
    /// who left.
    pub(super) fn empty(held: &relay::Occupancy, broken: &mut Broken) -> u64 {
        let relay::Occupancy { links, servers, clients, rooms, delayed, guesses: _ } = *held;
        let tables = [
            ("links", links),
            ("servers", servers),
            ("clients", clients),
            ("rooms", rooms),
            ("shares", delayed),
        ];
        for (what, count) in tables.iter().filter(|(_, count)| *count > 0) {
            broken.note(|| format!("after everybody has left the relay holds {count} {what}"));
        }
        tables.len() as u64
    }

    /// Finishes all checks: what was checked, and what is broken.
    pub(super) fn finish(mut self, seed: u64, pairs: &[Pair]) -> (Checked, Vec<String>) {
        for (node, (_, transcript)) in &self.senders {
            let Some(pair) = self.people.get(node).map(|person| person.pair) else { continue };
            let Some(password) = pairs.get(pair).map(|pair| pair.password.as_slice()) else { continue };
            if let Some(keys) = transcript.keys(seed, *node, password) {
                for (what, key) in [("K_0", keys.of_server()), ("K_1", keys.of_client())] {
                    let key = key.get(..32).unwrap_or_default();
                    self.secrets.add(format!("{what} of pair {pair}"), key);
                    self.keys += 1;
                }
            }
        }
        self.secrets.search();
        let checked = Checked {
            packets: self.hall.packets,
            uids: self.hall.uids_seen,
            secrets: self.secrets.len(),
            keys: self.keys,
            searched_bytes: self.secrets.bytes(),
            waits: self.at_relay.checked + self.at_sender.checked,
            people: 0,
            tables: 0,
        };
        let broken = [self.hall.broken, self.secrets.broken, self.at_relay.broken, self.at_sender.broken];
        (checked, broken.into_iter().flat_map(Broken::into_vec).collect())
    }
}

/// The part of a name in front of its port.
fn host(name: &[u8]) -> &[u8] {
    let colon = name.iter().rposition(|byte| *byte == b':');
    colon.and_then(|colon| name.get(..colon)).unwrap_or(name)
}

/// The file as it travels inside the channel.
fn packed(pair: &Pair) -> Vec<u8> {
    let mut out = bytes::BytesMut::new();
    if let Ok(name) = pack::Name::try_from(pair.name.as_bytes()) {
        let mut writer = pack::Writer::new(&name, pair.content.len() as u64, pair.compression);
        // Both fail only where the size is not that of the content.
        let _ = writer.write(&pair.content, &mut out);
        let _ = writer.finish(&mut out);
    }
    out.to_vec()
}

#[cfg(test)]
mod tests;
