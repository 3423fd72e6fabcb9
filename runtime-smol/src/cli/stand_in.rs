// Replaced by the node of the mesh.
#![allow(
    dead_code,
    clippy::all,
    clippy::pedantic,
    clippy::wildcard_enum_match_arm,
    clippy::missing_const_for_fn,
    clippy::unnecessary_wraps
)]
//! Stands in for the node of the mesh until it is there: neighbours of the bootstrap's choice, and flooding.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use pleach_core::broadcast::{Id, Outcome};
use pleach_core::identity::{Keypair, PeerId};
use pleach_core::link::{Address, From, How, Input, LinkId, ListenerId, Output, Role};
use pleach_core::mesh::{Command, Config, Done, Event, Snapshot, UsageError};
use pleach_core::overlay::DownReason;
use pleach_core::{At, Context, Instant, Machine};
use rand_core::CryptoRng;

const ACTIVE: usize = 5;

#[derive(Debug)]
pub(crate) struct Node {
    config: Config,
    id: PeerId,
    local: Option<Address>,
    topics: BTreeSet<String>,
    links: BTreeMap<LinkId, Link>,
    known: BTreeMap<PeerId, String>,
    heads: BTreeMap<PeerId, u64>,
    seen: BTreeSet<Vec<u8>>,
    next: u64,
    retry: Option<Instant>,
    handshakes: u64,
    duplicates: u64,
}

#[derive(Debug, Default)]
struct Link {
    open: bool,
    peer: Option<PeerId>,
    buffer: Vec<u8>,
}

pub(crate) struct Head {
    pub(crate) peer: PeerId,
    pub(crate) node: u32,
    pub(crate) height: u64,
    pub(crate) step: u8,
}

type Cx<'a, 'b> = &'a mut Context<'b, Output<Event>>;

impl Node {
    pub(crate) fn new(
        config: Config,
        identity: Keypair,
        _: Snapshot,
        _: At,
        _: &mut impl CryptoRng,
    ) -> Result<Self, UsageError> {
        Ok(Self {
            config,
            id: identity.peer_id(),
            local: None,
            topics: BTreeSet::new(),
            links: BTreeMap::new(),
            known: BTreeMap::new(),
            heads: BTreeMap::new(),
            seen: BTreeSet::new(),
            next: 1,
            retry: Some(Instant::ORIGIN),
            handshakes: 0,
            duplicates: 0,
        })
    }

    pub(crate) fn neighbours(&self, _: &str) -> impl Iterator<Item = PeerId> {
        self.links.values().filter_map(|link| link.peer)
    }
    pub(crate) const fn active_capacity(&self, _: &str) -> usize {
        ACTIVE
    }
    pub(crate) fn heads(&self) -> impl Iterator<Item = Head> {
        let row = |(peer, height): (&PeerId, &u64)| Head { peer: *peer, node: 0, height: *height, step: 0 };
        self.heads.iter().filter(|(peer, _)| **peer != self.id).map(row)
    }
    pub(crate) fn stats(&self) -> impl Iterator<Item = (&'static str, u64)> {
        [("handshakes", self.handshakes), ("duplicates", self.duplicates)].into_iter()
    }
    pub(crate) fn links(&self) -> [usize; 2] {
        let dialled = self.links.keys().filter(|id| id.0 < LinkId::ACCEPTED).count();
        [dialled, self.links.len() - dialled]
    }
    pub(crate) fn peers(&self) -> [usize; 2] {
        [self.neighbours("").count(), self.known.len()]
    }

    fn dial(&mut self, address: Address, cx: Cx<'_, '_>) {
        let link = LinkId(self.next);
        self.next += 1;
        self.links.insert(link, Link::default());
        cx.emit(Output::Dial { link, address, from: From::Anywhere, role: Role::Dialler });
    }

    fn send(&self, link: LinkId, kind: u8, body: &[u8], cx: Cx<'_, '_>) {
        let length = u32::try_from(body.len() + 1).unwrap_or(0).to_le_bytes();
        cx.emit(Output::Send { link, bytes: [&length[..], &[kind], body].concat().into() });
    }

    fn flood(&mut self, kind: u8, body: &[u8], but: Option<LinkId>, cx: Cx<'_, '_>) -> bool {
        if !self.seen.insert([&[kind], body].concat()) {
            self.duplicates += u64::from(kind == b'g');
            return false;
        }
        for link in
            self.links.iter().filter(|(id, link)| Some(**id) != but && link.peer.is_some()).map(|(id, _)| *id)
        {
            self.send(link, kind, body, cx);
        }
        true
    }

    fn introduce(&self, cx: Cx<'_, '_>, link: LinkId) {
        let local = self.local.as_ref().map(ToString::to_string).unwrap_or_default();
        self.send(link, b'h', &[&self.id.to_bytes()[..], local.as_bytes()].concat(), cx);
    }

    fn frame(&mut self, link: LinkId, kind: u8, body: &[u8], cx: Cx<'_, '_>) {
        let Some((peer, rest)) = body.split_at_checked(PeerId::LENGTH) else { return };
        let Some(peer) = PeerId::from_bytes(peer) else { return };
        match kind {
            b'h' => {
                if peer == self.id || self.links.values().any(|link| link.peer == Some(peer)) {
                    return cx.emit(Output::Close { link, how: How::Flush });
                }
                self.handshakes += 1;
                if let Some(link) = self.links.get_mut(&link) {
                    link.peer = Some(peer);
                }
                cx.emit(Output::Event(Event::PeerUp { peer }));
                for topic in self.topics.clone() {
                    cx.emit(Output::Event(Event::NeighborUp { topic, peer }));
                }
                for (known, address) in self.known.clone() {
                    self.send(link, b'p', &[&known.to_bytes()[..], address.as_bytes()].concat(), cx);
                }
                for (of, height) in self.heads.clone() {
                    self.send(link, b'H', &[&of.to_bytes()[..], &height.to_le_bytes()].concat(), cx);
                }
                let address = String::from_utf8_lossy(rest).into_owned();
                self.seen.remove(&[b"p", body].concat());
                self.flood(b'p', body, Some(link), cx);
                self.known.insert(peer, address);
            }
            b'p' => {
                self.known.insert(peer, String::from_utf8_lossy(rest).into_owned());
                self.flood(b'p', body, Some(link), cx);
            }
            b'H' => {
                let height = u64::from_le_bytes(rest.try_into().unwrap_or_default());
                if self.flood(b'H', body, Some(link), cx) {
                    self.heads.insert(peer, height);
                }
            }
            b'g' => {
                let from = self.links.get(&link).and_then(|link| link.peer).unwrap_or(peer);
                if self.flood(b'g', body, Some(link), cx) {
                    for topic in self.topics.iter().take(1).cloned() {
                        let payload = Bytes::copy_from_slice(rest);
                        let id = Id([0; 16]);
                        cx.emit(Output::Event(Event::Message {
                            topic,
                            id,
                            author: Some(peer),
                            from,
                            hop: 1,
                            payload,
                        }));
                    }
                }
            }
            _ => {}
        }
    }

    fn command(&mut self, command: Command, cx: Cx<'_, '_>) {
        let (token, result) = match command {
            Command::Subscribe { token, topic } => {
                self.topics.insert(topic);
                (token, Done::Ok)
            }
            Command::Publish { token, payload, .. } => {
                let body = [&self.id.to_bytes()[..], &payload].concat();
                self.flood(b'g', &body, None, cx);
                (token, Done::Published { id: Id([0; 16]), outcome: Outcome::Sent })
            }
            Command::OwnHead { height, .. } => {
                self.heads.insert(self.id, height);
                let body = [&self.id.to_bytes()[..], &height.to_le_bytes()].concat();
                self.flood(b'H', &body, None, cx);
                return;
            }
            Command::Shutdown => {
                for link in self.links.keys() {
                    cx.emit(Output::Close { link: *link, how: How::Flush });
                }
                cx.emit(Output::Event(Event::Stopped));
                return;
            }
            _ => return,
        };
        cx.emit(Output::Event(Event::Done { token, result: Ok(result) }));
    }
}

impl Machine for Node {
    type Input = Input<Command>;
    type Output = Output<Event>;

    fn handle(&mut self, input: Self::Input, cx: Cx<'_, '_>) {
        match input {
            Input::Command(command) => self.command(command, cx),
            Input::Listening { local, .. } => {
                self.local = Some(local.clone());
                cx.emit(Output::Event(Event::Listening { address: local }));
            }
            Input::ListenFailed { cause, .. } => cx.emit(Output::Event(Event::ListenFailed { cause })),
            Input::Opened { link, .. } => {
                self.links.entry(link).or_default().open = true;
                self.introduce(cx, link);
            }
            Input::Received { link, bytes } => {
                let Some(open) = self.links.get_mut(&link) else { return };
                open.buffer.extend_from_slice(&bytes);
                let mut frames = Vec::new();
                while let Some((length, rest)) = open.buffer.split_first_chunk::<4>() {
                    let length = u32::from_le_bytes(*length) as usize;
                    let Some(frame) = rest.get(..length) else { break };
                    frames.push(frame.to_vec());
                    open.buffer.drain(..4 + length);
                }
                for frame in frames {
                    if let Some((kind, body)) = frame.split_first() {
                        self.frame(link, *kind, body, cx);
                    }
                }
            }
            Input::Finished { link } => cx.emit(Output::Close { link, how: How::Flush }),
            Input::Closed { link, .. } => {
                let Some(Link { peer: Some(peer), .. }) = self.links.remove(&link) else { return };
                cx.emit(Output::Event(Event::PeerDown { peer }));
                for topic in self.topics.clone() {
                    cx.emit(Output::Event(Event::NeighborDown { topic, peer, reason: DownReason::Lost }));
                }
                self.known.remove(&peer);
                self.retry = Some(cx.now());
            }
            _ => {}
        }
    }

    fn handle_timeout(&mut self, cx: Cx<'_, '_>) {
        if self.retry.is_none_or(|retry| retry > cx.now()) {
            return;
        }
        if self.local.is_none() {
            for (listener, address) in (0..).map(ListenerId).zip(self.config.listen.clone()) {
                cx.emit(Output::Listen { listener, address });
            }
        } else if self.links.len() < ACTIVE - 1 {
            if self.links.is_empty() {
                for (address, _) in self.config.bootstrap.clone() {
                    self.dial(address, cx);
                }
            }
            let linked: BTreeSet<PeerId> = self.neighbours("").collect();
            let mut candidates: Vec<String> = self
                .known
                .iter()
                .filter(|(id, _)| !linked.contains(id) && **id != self.id)
                .map(|(_, a)| a.clone())
                .collect();
            if let Some(at) = pleach_core::rng::index(cx.rng(), candidates.len()) {
                if let Ok(address) = candidates.swap_remove(at).parse() {
                    self.dial(Address::Socket(address), cx);
                }
            }
        }
        self.retry = Some(cx.now() + std::time::Duration::from_millis(50));
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.retry
    }
}
