//! Dials: for peers that an overlay asks for, and for the places that the node joins through.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use super::timers::Timer;
use super::{Cx, Node, Output, Phase, Work};
use crate::admission::Level;
use crate::identity::PeerId;
use crate::ip::Class;
use crate::link::{Address, Cause, From, How, LinkId, Role};
use crate::machine::Machine;
use crate::mesh::Config;
use crate::overlay::{self, Contact};
use crate::peers::dial::{self, Attempt};
use crate::peers::{self as book, Place, Route, Source};
use crate::rng;
use crate::stats::count;
use crate::wire::multiaddr::{Component, Multiaddr};

/// What a dial is for.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Target {
    /// This peer.
    Peer(PeerId),
    /// A place to join through, whoever is there.
    Bootstrap(usize),
}

/// The dials under way and the places to join through.
#[derive(Debug)]
pub(super) struct Dials {
    /// Links that are being dialled, until they are established or gone.
    under_way: BTreeMap<LinkId, Dial>,
    bootstrap: Vec<Bootstrap>,
    retry: Duration,
}

#[derive(Debug)]
struct Dial {
    target: Target,
    place: Place,
    /// Whether the dialler has heard the outcome of its attempt.
    reported: bool,
}

#[derive(Debug)]
struct Bootstrap {
    address: Address,
    /// Who is there, once that is known.
    peer: Option<PeerId>,
}

impl Dials {
    pub(super) fn new(config: &Config) -> Self {
        let bootstrap = config
            .bootstrap
            .iter()
            .map(|(address, peer)| Bootstrap { address: address.clone(), peer: *peer });
        Self { under_way: BTreeMap::new(), bootstrap: bootstrap.collect(), retry: config.bootstrap_retry_min }
    }

    /// Who must be at the other end of a link that we dialled.
    pub(super) fn expected(&self, link: LinkId) -> Option<PeerId> {
        match self.under_way.get(&link)?.target {
            Target::Peer(peer) => Some(peer),
            Target::Bootstrap(_) => None,
        }
    }

    /// The places to join through whose peer is known.
    pub(super) fn contacts(&self) -> impl Iterator<Item = Contact<PeerId>> + '_ {
        self.bootstrap.iter().filter_map(|bootstrap| {
            let address = Multiaddr::from_address(&bootstrap.address)?;
            Some(Contact { peer: bootstrap.peer?, addresses: alloc::vec![Bytes::from(address.to_bytes())] })
        })
    }

    /// Whether a place to join through is this peer's.
    pub(super) fn is_bootstrap(&self, peer: PeerId) -> bool {
        self.bootstrap.iter().any(|bootstrap| bootstrap.peer == Some(peer))
    }

    #[cfg(test)]
    pub(super) fn has_any(&self) -> bool {
        !self.under_way.is_empty()
    }

    fn unknown(&self) -> impl Iterator<Item = (usize, &Address)> {
        let unknown = |(index, bootstrap): (usize, &'_ Bootstrap)| bootstrap.peer.is_none().then_some(index);
        let indexes: Vec<usize> = self.bootstrap.iter().enumerate().filter_map(unknown).collect();
        indexes.into_iter().filter_map(|index| Some((index, &self.bootstrap.get(index)?.address)))
    }
}

impl Node {
    /// An overlay needs a link to this peer.
    pub(super) fn dial_peer(&mut self, peer: PeerId, addresses: &[Bytes], cx: &mut Cx<'_>) {
        let is_stranger = |link| self.admission.level(link) == Some(Level::STRANGER);
        if self.is_banned(peer, cx.now())
            || self.phase != Phase::Running
            || self.admission.links_to(peer).any(is_stranger)
        {
            return self.overlays(&overlay::Input::DialFailed { peer }, cx);
        }
        let places: Vec<Place> = addresses.iter().filter_map(place_of).collect();
        let source =
            if self.dials.is_bootstrap(peer) { Source::Local } else { Source::Peer { peer, over: None } };
        self.book_input(book::Input::Learned { peer, places, source }, cx);
        let places = self.book.candidates(peer, cx.now());
        self.dialler_input(dial::Input::Dial { key: Target::Peer(peer), places }, cx);
    }

    /// Tells the overlays of the places to join through whose peer is known, and dials the others, again and again until
    /// it is.
    pub(super) fn dial_bootstrap(&mut self, cx: &mut Cx<'_>) {
        let unknown: Vec<(usize, Option<Multiaddr>)> =
            self.dials.unknown().map(|(index, address)| (index, Multiaddr::from_address(address))).collect();
        self.join_all(cx);
        if unknown.is_empty() || self.phase != Phase::Running {
            return self.timers.set(Timer::Bootstrap, None);
        }
        for (index, address) in unknown {
            let places = address.and_then(|address| place_of(&Bytes::from(address.to_bytes())));
            let places = places.into_iter().collect();
            self.dialler_input(dial::Input::Dial { key: Target::Bootstrap(index), places }, cx);
        }
        let wait = rng::jitter(cx.rng(), self.dials.retry, 10);
        self.dials.retry = self.dials.retry.saturating_mul(2).min(self.config.bootstrap_retry_max);
        self.timers.set(Timer::Bootstrap, Some(cx.now() + wait));
    }

    /// Another place to join through.
    pub(super) fn add_bootstrap(&mut self, address: Address, peer: Option<PeerId>, cx: &mut Cx<'_>) {
        if self.dials.bootstrap.len() >= self.config.bootstrap_max {
            return count(&mut self.stats.bootstrap_refused);
        }
        self.dials.bootstrap.push(Bootstrap { address, peer });
        self.dials.retry = self.config.bootstrap_retry_min;
        self.dial_bootstrap(cx);
    }

    fn join_all(&mut self, cx: &mut Cx<'_>) {
        let bootstrap = self.bootstrap_contacts(cx.now());
        self.overlays(&overlay::Input::Join { bootstrap }, cx);
    }

    /// A dialled link proved who is there: from now on the overlays, the book and its back-off know a place to join
    /// through by its peer, whatever becomes of this link.
    pub(super) fn dial_authenticated(&mut self, link: LinkId, peer: PeerId, cx: &mut Cx<'_>) {
        let Some(dial) = self.dials.under_way.get_mut(&link) else { return };
        dial.reported = true;
        if let Target::Bootstrap(index) = dial.target
            && let Some(bootstrap) = self.dials.bootstrap.get_mut(index)
        {
            bootstrap.peer = Some(peer);
            let place = dial.place.clone();
            let input = book::Input::Learned { peer, places: alloc::vec![place], source: Source::Local };
            self.book_input(input, cx);
        }
        self.dialler_input(dial::Input::Completed { attempt: Attempt(link.0) }, cx);
    }

    /// A link is established, whoever dialled it.
    pub(super) fn dial_succeeded(&mut self, link: LinkId, peer: PeerId, cx: &mut Cx<'_>) {
        let place = self.dials.under_way.remove(&link).map(|dial| dial.place);
        self.book_input(book::Input::Connected { peer, place }, cx);
        self.dialler_input(dial::Input::Cancel { key: Target::Peer(peer) }, cx);
    }

    /// Joins through a peer, if it is at a place to join through: once the overlays know of a link to it, and when its ban
    /// is over, for which they have forgotten it.
    pub(super) fn join_through(&mut self, peer: PeerId, cx: &mut Cx<'_>) {
        if self.dials.is_bootstrap(peer) {
            self.join_all(cx);
        }
    }

    /// A dialled link is gone, or its dial failed.
    pub(super) fn dial_ended(&mut self, link: LinkId, cause: Cause, cx: &mut Cx<'_>) {
        let Some(dial) = self.dials.under_way.remove(&link) else { return };
        if cause != Cause::Finished {
            count(&mut self.stats.dials_failed);
        }
        if !dial.reported {
            return self.dialler_input(dial::Input::Failed { attempt: Attempt(link.0) }, cx);
        }
        // The dialler counts it as done: the link was refused while it was established.
        self.target_failed(dial.target, cx);
    }

    /// The peer at the end of a dialled link is not one that the overlay can use.
    pub(super) fn dial_useless(&mut self, link: LinkId, cx: &mut Cx<'_>) {
        if let Some(dial) = self.dials.under_way.remove(&link) {
            self.target_failed(dial.target, cx);
        }
    }

    fn target_failed(&mut self, target: Target, cx: &mut Cx<'_>) {
        // The peer of a place to join through is known by now: with the next round the overlays try it.
        let Target::Peer(peer) = target else { return };
        if !self.peers.get(&peer).is_some_and(super::peers::Peer::is_linked) {
            self.overlays(&overlay::Input::DialFailed { peer }, cx);
        }
    }

    pub(super) fn dialler_input(&mut self, input: dial::Input<Target>, cx: &mut Cx<'_>) {
        let mut outputs = Vec::new();
        cx.capture(&mut outputs, |cx| self.dialler.handle(input, cx));
        self.timers.set(Timer::Dialler, self.dialler.poll_timeout());
        self.work.extend(outputs.into_iter().map(Work::Dialler));
    }

    pub(super) fn dialler_timeout(&mut self, cx: &mut Cx<'_>) {
        let mut outputs = Vec::new();
        cx.capture(&mut outputs, |cx| self.dialler.handle_timeout(cx));
        self.timers.set(Timer::Dialler, self.dialler.poll_timeout());
        self.work.extend(outputs.into_iter().map(Work::Dialler));
    }

    pub(super) fn on_dialler(&mut self, output: dial::Output<Target>, cx: &mut Cx<'_>) {
        match output {
            dial::Output::Start { attempt, key, place } => self.start(attempt, key, place, cx),
            dial::Output::Abort { attempt } => {
                let link = LinkId(attempt.0);
                self.dials.under_way.remove(&link);
                cx.emit(Output::Close { link, how: How::Abort });
            }
            dial::Output::Lost { key: Target::Peer(peer), place } => {
                self.book_input(book::Input::DialFailed { peer, address: place.address }, cx);
            }
            dial::Output::Exhausted { key: key @ Target::Peer(_) } => self.target_failed(key, cx),
            dial::Output::Exhausted { key: Target::Bootstrap(_) }
            | dial::Output::Lost { key: Target::Bootstrap(_), .. }
            | dial::Output::Won { .. } => {}
        }
    }

    fn start(&mut self, attempt: Attempt, target: Target, place: Place, cx: &mut Cx<'_>) {
        let link = LinkId(attempt.0);
        if self.phase != Phase::Running {
            return self.dialler_input(dial::Input::Failed { attempt }, cx);
        }
        let address = Multiaddr::try_from(&*place.address).ok().and_then(|address| address.to_address());
        let Some(address) = address else {
            return self.dialler_input(dial::Input::Failed { attempt }, cx);
        };
        count(&mut self.stats.dials);
        self.dials.under_way.insert(link, Dial { target, place, reported: false });
        cx.emit(Output::Dial { link, address, from: From::Anywhere, role: Role::Dialler });
    }

    /// Whether a link of ours may still stand: it was not given up while it was dialled.
    pub(super) fn is_dialling(&self, link: LinkId) -> bool {
        self.dials.under_way.contains_key(&link)
    }

    /// Gives up all dials.
    pub(super) fn cancel_dials(&mut self, cx: &mut Cx<'_>) {
        let targets: Vec<Target> = self.dials.under_way.values().map(|dial| dial.target).collect();
        for key in targets {
            self.dialler_input(dial::Input::Cancel { key }, cx);
        }
    }

    /// A dialled link stands.
    pub(super) fn dial_opened(&mut self, link: LinkId, cx: &mut Cx<'_>) {
        self.dialler_input(dial::Input::Opened { attempt: Attempt(link.0) }, cx);
    }

    /// Somebody told where a peer can be reached.
    pub(super) fn learn(
        &mut self,
        peer: PeerId,
        addresses: impl Iterator<Item = Bytes>,
        over: &Address,
        teller: PeerId,
        cx: &mut Cx<'_>,
    ) {
        let over = if let Address::Socket(over) = over { Some(Class::of(over.ip())) } else { None };
        let places = addresses.filter_map(|address| place_of(&address)).collect();
        let source = Source::Peer { peer: teller, over };
        self.book_input(book::Input::Learned { peer, places, source }, cx);
    }
}

/// How a multiaddr is reached; none if it cannot be dialled.
fn place_of(address: &Bytes) -> Option<Place> {
    let parsed = Multiaddr::try_from(&**address).ok()?;
    let relayed = parsed.components().any(|component| matches!(component, Component::P2pCircuit));
    let route = match parsed.to_address()? {
        _ if relayed => Route::Relayed,
        Address::Socket(socket) => Route::Direct(socket),
        Address::Name { port, .. } | Address::Onion { port, .. } | Address::WebSocket { port, .. } => {
            Route::Named { port }
        }
    };
    Some(Place { address: address.clone(), route })
}
