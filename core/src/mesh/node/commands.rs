//! Commands of the application, listeners, and the end.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use super::timers::Timer;
use super::{Cx, Node, Output, Phase};
use crate::channel;
use crate::ip::Class;
use crate::link::{Address, Cause, How, LinkId, ListenerId};
use crate::mesh::establishment::Motive;
use crate::mesh::{Command, Done, Event, UsageError};
use crate::peers::{self as book, Surroundings};
use crate::session::Closing;
use crate::stats::count;
use crate::wire::multiaddr::Multiaddr;
use crate::{heads, overlay};

/// Where we listen, and the addresses at which we are reached there.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    /// Those that were asked for and of which nothing has been heard.
    awaited: BTreeSet<ListenerId>,
    bound: Vec<(ListenerId, SocketAddr)>,
    /// Local addresses of links, for listeners that are bound to every address.
    local: Vec<IpAddr>,
}

impl Listeners {
    /// At most so many local addresses are learned from links.
    const LOCAL_MAX: usize = 8;

    fn reached_at(&self) -> Vec<SocketAddr> {
        let addresses = |(_, bound): &(ListenerId, SocketAddr)| {
            let same_family = |ip: &&IpAddr| ip.is_ipv4() == bound.is_ipv4() || bound.is_ipv6();
            let port = bound.port();
            if bound.ip().is_unspecified() {
                self.local.iter().filter(same_family).map(|ip| SocketAddr::new(*ip, port)).collect()
            } else {
                alloc::vec![*bound]
            }
        };
        self.bound.iter().flat_map(addresses).collect()
    }
}

impl Node {
    pub(super) fn command(&mut self, command: Command, cx: &mut Cx<'_>) {
        if self.phase != Phase::Running {
            return shutting_down(&command, cx);
        }
        match command {
            Command::Subscribe { token, topic } => {
                let result = self.subscribe(&topic, cx);
                done(token, result, cx);
            }
            Command::Leave { token, topic } => {
                let result = self.leave(&topic, cx);
                done(token, result, cx);
            }
            Command::Publish { token, topic, payload, scope } => {
                if let Err(error) = self.publish(token, &topic, payload, scope, cx) {
                    done(token, Err(error), cx);
                }
            }
            Command::Verdict { topic, id, verdict } => self.verdict(&topic, id, verdict, cx),
            Command::Registered { peer, registered } => self.registered(peer, registered, cx),
            Command::Admit { peer, admitted } => self.admitted(peer, admitted, cx),
            Command::Ban { token, peer, .. } if peer == self.me => done(token, Err(UsageError::OwnId), cx),
            Command::Ban { token, peer, lifetime } => {
                self.book_input(book::Input::Ban { peer, lifetime }, cx);
                done(token, Ok(Done::Ok), cx);
            }
            Command::Unban { token, peer } => {
                self.book_input(book::Input::Unban { peer }, cx);
                done(token, Ok(Done::Ok), cx);
            }
            Command::NetworkSize(size) => {
                self.network_size = size;
                self.overlays(&overlay::Input::NetworkSize(size), cx);
                self.heads_input(heads::Input::NetworkSize(size), cx);
            }
            Command::OwnHead { height, tip } => {
                self.own.set(height, &tip);
                self.say_own(cx);
            }
            Command::Bootstrap { address, peer } => self.add_bootstrap(address, peer, cx),
            Command::Shutdown => self.shutdown(cx),
        }
    }

    pub(super) fn open_listeners(&mut self, cx: &mut Cx<'_>) {
        for (index, address) in self.config.listen.iter().enumerate() {
            let listener = ListenerId(u32::try_from(index).unwrap_or(u32::MAX));
            self.listeners.awaited.insert(listener);
            cx.emit(Output::Listen { listener, address: address.clone() });
        }
    }

    pub(super) fn listening(&mut self, listener: ListenerId, local: Address, cx: &mut Cx<'_>) {
        if self.phase != Phase::Running {
            return;
        }
        self.listeners.awaited.remove(&listener);
        if let Address::Socket(bound) = &local {
            self.listeners.bound.retain(|(other, _)| *other != listener);
            self.listeners.bound.push((listener, *bound));
            self.addresses_changed(cx);
        }
        cx.emit(Output::Event(Event::Listening { address: local }));
    }

    pub(super) fn listen_failed(&mut self, listener: ListenerId, cause: Cause, cx: &mut Cx<'_>) {
        if self.phase != Phase::Running {
            return;
        }
        self.listeners.awaited.remove(&listener);
        self.listeners.bound.retain(|(other, _)| *other != listener);
        self.addresses_changed(cx);
        cx.emit(Output::Event(Event::ListenFailed { cause }));
    }

    /// A listener that is bound to every address is reached at the local addresses of links.
    pub(super) fn learn_local(&mut self, local: &Address, cx: &mut Cx<'_>) {
        let Address::Socket(local) = local else { return };
        let ip = local.ip().to_canonical();
        let wanted = self.listeners.bound.iter().any(|(_, bound)| bound.ip().is_unspecified())
            && self.listeners.local.len() < Listeners::LOCAL_MAX
            && Class::of(ip) != Class::Unusable
            && !self.listeners.local.contains(&ip);
        if wanted {
            self.listeners.local.push(ip);
            self.addresses_changed(cx);
        }
    }

    /// Our own addresses are others than before: the overlays advertise them, peers are told, dials avoid them.
    pub(super) fn addresses_changed(&mut self, cx: &mut Cx<'_>) {
        let own = self.listeners.reached_at();
        let surroundings = Surroundings { own, ..self.book.surroundings().clone() };
        self.book_input(book::Input::Surroundings(surroundings.clone()), cx);
        self.dialler_input(book::dial::Input::Surroundings(surroundings), cx);
        if let Some(addresses) = self.advertised() {
            self.overlays(&overlay::Input::Addresses(addresses), cx);
        }
        for id in self.links.keys().copied().collect::<Vec<_>>() {
            let Some(link) = self.links.get(&id) else { continue };
            let description = self.description(&link.remote);
            self.channel(id, channel::Input::Describe(description), cx);
        }
    }

    /// The addresses that overlays name for us, as binary multiaddrs; none while there may be some soon, as the first
    /// that an overlay is given permit it to join.
    pub(super) fn advertised(&self) -> Option<Vec<bytes::Bytes>> {
        let bytes = |address| bytes::Bytes::from(Multiaddr::tcp(address).to_bytes());
        let addresses: Vec<_> = self.listeners.reached_at().into_iter().map(bytes).collect();
        (!addresses.is_empty() || self.listeners.awaited.is_empty()).then_some(addresses)
    }

    /// What identify tells the peer at this address.
    pub(super) fn description(&self, remote: &Address) -> Box<channel::identify::Info> {
        Box::new(channel::identify::Info {
            listen_addresses: self.listeners.reached_at().into_iter().map(Multiaddr::tcp).collect(),
            observed_address: Multiaddr::from_address(remote),
            protocol_version: Some(self.config.protocol_version.clone()),
            agent_version: Some(self.config.agent.clone()),
            ..channel::identify::Info::default()
        })
    }

    /// Says goodbye in every topic and on every link; the node is stopped when all links are gone, or late enough.
    fn shutdown(&mut self, cx: &mut Cx<'_>) {
        if self.phase != Phase::Running {
            return;
        }
        for topic in self.topics.keys().cloned().collect::<Vec<_>>() {
            self.overlay(&topic, overlay::Input::Leave, cx);
        }
        self.drain(cx);
        self.phase = Phase::Stopping;
        self.admission.shut();
        let listeners = core::mem::take(&mut self.listeners);
        for listener in listeners.bound.into_iter().map(|(bound, _)| bound).chain(listeners.awaited) {
            cx.emit(Output::Unlisten { listener });
        }
        self.cancel_dials(cx);
        self.timers.set(Timer::Bootstrap, None);
        self.timers.set(Timer::Stop, Some(cx.now() + self.config.stop_timeout));
        for id in self.links.keys().copied().collect::<Vec<_>>() {
            self.close(id, Some(Motive::ShuttingDown), Closing::Flush, cx);
        }
        self.drain(cx);
        if self.links.is_empty() {
            self.stopped(cx);
        }
    }

    /// The last word: what is still open is torn down.
    pub(super) fn stopped(&mut self, cx: &mut Cx<'_>) {
        if self.phase == Phase::Stopped {
            return;
        }
        let open: Vec<LinkId> = self.links.keys().copied().collect();
        count(&mut self.stats.stops);
        self.phase = Phase::Stopped;
        self.ended = self.totals();
        self.links.clear();
        self.topics.clear();
        self.work.clear();
        self.heard.clear();
        self.timers = crate::deadline::Deadlines::new();
        for link in open {
            cx.emit(Output::Close { link, how: How::Abort });
        }
        cx.emit(Output::Event(Event::Stopped));
    }
}

/// After a shutdown nothing is done any more, and whoever waits for an outcome is told.
fn shutting_down(command: &Command, cx: &mut Cx<'_>) {
    match command {
        Command::Subscribe { token, .. }
        | Command::Leave { token, .. }
        | Command::Publish { token, .. }
        | Command::Ban { token, .. }
        | Command::Unban { token, .. } => done(*token, Err(UsageError::ShuttingDown), cx),
        Command::Verdict { .. }
        | Command::Registered { .. }
        | Command::Admit { .. }
        | Command::NetworkSize(_)
        | Command::OwnHead { .. }
        | Command::Bootstrap { .. }
        | Command::Shutdown => {}
    }
}

fn done(token: u64, result: Result<Done, UsageError>, cx: &mut Cx<'_>) {
    cx.emit(Output::Event(Event::Done { token, result }));
}
