//! Peers with established links: which link is used, and which topics need it.

use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::str::FromStr;

use bytes::Bytes;

use super::offences::{Consequence, Offence};
use super::timers::Timer;
use super::topics::Name;
use super::{Cx, Node, Output, Work};
use crate::identity::PeerId;
use crate::link::{LinkId, QueryId, Question};
use crate::machine::{At, Machine};
use crate::mesh::establishment::{self, Motive};
use crate::mesh::{Event, Snapshot};
use crate::peers::{self as book, Kind};
use crate::session::{self, Closing};
use crate::stats::count;
use crate::time::Instant;
use crate::trace::debug;
use crate::{broadcast, heads, overlay};

/// What the node knows of a peer that it is linked to, or wants to be.
#[derive(Debug, Default)]
pub(super) struct Peer {
    /// Established links, in the order in which they were established.
    links: Vec<LinkId>,
    /// Whether it has shown a field of `overlay` 3.2.
    pub(super) extended: bool,
    /// The topics whose overlay needs it.
    holders: BTreeSet<Name>,
    /// The link that carries HEADs.
    pub(super) heads: Option<LinkId>,
    /// Whether the table of HEADs waits for that link to take more.
    pub(super) heads_wait: bool,
}

impl Peer {
    /// Adds an established link.
    pub(super) fn add(&mut self, link: LinkId) {
        self.links.push(link);
    }

    /// Removes an established link.
    pub(super) fn remove(&mut self, link: LinkId) {
        self.links.retain(|other| *other != link);
    }

    /// The link that is written on: the newest.
    pub(super) fn current(&self) -> Option<LinkId> {
        self.links.last().copied()
    }

    pub(super) fn links(&self) -> impl Iterator<Item = LinkId> {
        self.links.iter().copied()
    }

    pub(super) const fn is_linked(&self) -> bool {
        !self.links.is_empty()
    }
}

impl Node {
    /// Peers with an established link, and whether we dialled it.
    pub(super) fn established_peers(&self) -> Vec<(PeerId, bool)> {
        let dialled = |link: LinkId| self.links.get(&link).is_some_and(|link| link.dialled);
        self.peers.iter().filter_map(|(id, peer)| Some((*id, dialled(peer.current()?)))).collect()
    }

    /// Whether a peer has shown a field of `overlay` 3.2.
    pub(super) fn is_extended(&self, peer: PeerId) -> bool {
        self.peers.get(&peer).is_some_and(|known| known.extended)
    }

    /// A topic needs the link to this peer from now on.
    pub(super) fn hold(&mut self, peer: PeerId, topic: &Name, cx: &mut Cx<'_>) {
        let known = self.peers.entry(peer).or_default();
        known.holders.insert(Name::clone(topic));
        for link in &known.links {
            self.timers.set(Timer::Unneeded(*link), None);
        }
        self.update_busy(peer, cx);
    }

    /// A topic does not need it any more. The link stays readable for a moment (`broadcast` 8.9).
    pub(super) fn release(&mut self, peer: PeerId, topic: &Name, cx: &mut Cx<'_>) {
        let Some(known) = self.peers.get_mut(&peer) else { return };
        known.holders.remove(topic);
        if !known.holders.is_empty() {
            return;
        }
        for link in &known.links {
            self.timers.set(Timer::Unneeded(*link), Some(cx.now() + self.config.release_delay));
        }
        self.update_busy(peer, cx);
        self.dialler_input(book::dial::Input::Cancel { key: super::dialling::Target::Peer(peer) }, cx);
        self.forget_peer_if_unused(peer);
    }

    /// Tells the sessions of a peer whether its links are used.
    pub(super) fn update_busy(&mut self, peer: PeerId, cx: &mut Cx<'_>) {
        let Some(known) = self.peers.get(&peer) else { return };
        let (links, busy) = (known.links.clone(), !known.holders.is_empty());
        for link in links {
            self.session(link, session::Input::Busy(busy), cx);
        }
    }

    pub(super) fn unneeded(&mut self, link: LinkId, cx: &mut Cx<'_>) {
        let Some(peer) = self.links.get(&link).and_then(|link| link.peer) else { return };
        if self.peers.get(&peer).is_none_or(|known| known.holders.is_empty()) {
            self.close(link, Some(Motive::Unspecified), Closing::Flush, cx);
        }
    }

    pub(super) fn forget_peer_if_unused(&mut self, peer: PeerId) {
        let unused = |known: &Peer| known.links.is_empty() && known.holders.is_empty();
        if self.peers.get(&peer).is_some_and(unused) {
            self.peers.remove(&peer);
        }
    }

    /// Carries out what follows from an offence (`mesh` 4).
    pub(super) fn offence(&mut self, peer: PeerId, offence: Offence, cx: &mut Cx<'_>) {
        let offence = match offence.consequence() {
            Consequence::Ban => book::Offence::Ban,
            Consequence::Points(points) => book::Offence::Points(points),
            Consequence::Rate => book::Offence::Rate,
        };
        self.book_input(book::Input::Offence { peer, offence }, cx);
    }

    pub(super) fn book_input(&mut self, input: book::Input<PeerId>, cx: &mut Cx<'_>) {
        let mut outputs = Vec::new();
        cx.capture(&mut outputs, |cx| self.book.handle(input, cx));
        self.timers.set(Timer::Book, self.book.poll_timeout());
        self.work.extend(outputs.into_iter().map(Work::Book));
    }

    pub(super) fn book_timeout(&mut self, cx: &mut Cx<'_>) {
        let mut outputs = Vec::new();
        cx.capture(&mut outputs, |cx| self.book.handle_timeout(cx));
        self.timers.set(Timer::Book, self.book.poll_timeout());
        self.work.extend(outputs.into_iter().map(Work::Book));
    }

    pub(super) fn on_book(&mut self, output: book::Output<PeerId>, cx: &mut Cx<'_>) {
        match output {
            book::Output::Banned { peer, lifetime } => self.banned(peer, lifetime.is_none(), cx),
            book::Output::Unbanned { peer } => self.unbanned(peer, cx),
            book::Output::Store { peer, kind, value } => {
                let query = QueryId(self.next_query);
                self.next_query = self.next_query.saturating_add(1);
                let key = record_key(kind, peer);
                cx.emit(Output::Query { query, question: Question::Store { key, value } });
            }
        }
    }

    /// A ban: out of all views, all links closed, without a word (`overlay` 7.4).
    fn banned(&mut self, peer: PeerId, permanent: bool, cx: &mut Cx<'_>) {
        count(&mut self.stats.bans);
        debug!("{peer} is banned, for good: {permanent}");
        self.overlays(&overlay::Input::Banned { peer }, cx);
        for topic in self.topics.keys().cloned().collect::<Vec<_>>() {
            self.broadcast(&topic, broadcast::Input::NeighborDown { peer }, cx);
        }
        let links: Vec<LinkId> =
            self.links.iter().filter(|(_, link)| link.peer == Some(peer)).map(|(id, _)| *id).collect();
        for link in links {
            self.close(link, None, Closing::Abort, cx);
        }
        // What it has said of itself is spread no more.
        self.heads_input(heads::Input::Admitted { peer, admitted: false }, cx);
        cx.emit(Output::Event(Event::Banned { peer, permanent }));
    }

    /// A ban is over: a place to join through may be used again, and whether the HEADs of the peer are spread is a question
    /// of its registration.
    fn unbanned(&mut self, peer: PeerId, cx: &mut Cx<'_>) {
        self.join_through(peer, cx);
        if self.config.heads {
            self.check_registered(peer, cx);
        }
    }

    pub(super) fn is_banned(&self, peer: PeerId, now: Instant) -> bool {
        self.book.is_banned(peer, now)
    }

    /// Takes back what an earlier run stored. A record that cannot be read costs that record.
    pub(super) fn restore(&mut self, snapshot: &Snapshot, at: At) {
        for (key, value) in &snapshot.records {
            let restored = parse_record_key(key)
                .is_some_and(|(kind, peer)| self.book.restore(at, peer, kind, value).is_ok_and(|kept| kept));
            if !restored {
                count(&mut self.stats.records_unreadable);
            }
        }
        self.timers.set(Timer::Book, self.book.poll_timeout());
    }

    /// Whom a peer may try instead of us: peers that we have reached ourselves.
    pub(super) fn alternatives(&self) -> Vec<establishment::Alternative> {
        let alternative = |peer: PeerId| {
            let addresses: Vec<Bytes> = self
                .book
                .places(peer)
                .take(establishment::ADDRESSES_MAX)
                .map(|place| place.address.clone())
                .collect();
            (!addresses.is_empty()).then_some(establishment::Alternative { peer, addresses })
        };
        self.book.connected().filter_map(alternative).take(establishment::ALTERNATIVES_TAKEN).collect()
    }
}

fn record_key(kind: Kind, peer: PeerId) -> String {
    let mut key = kind.name().to_string();
    key.push('/');
    key.push_str(&peer.to_base58());
    key
}

fn parse_record_key(key: &str) -> Option<(Kind, PeerId)> {
    let (kind, peer) = key.split_once('/')?;
    let kind = [Kind::Ban, Kind::Peer].into_iter().find(|known| known.name() == kind)?;
    Some((kind, PeerId::from_str(peer).ok()?))
}
