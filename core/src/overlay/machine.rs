//! The instance: its state, its accessors, and where inputs go.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::Debug;

use bytes::Bytes;

use super::active::Neighbor;
use super::conduct::Conduct;
use super::join::Joining;
use super::links::{Link, Temporary};
use super::passive::{Candidate, Lost};
use super::registration::Parking;
use super::repair::{Answers, Request};
use super::shuffle::Shuffling;
use super::table::Table;
use super::timers::Timers;
use super::{Capacity, Config, Contact, Input, Message, Output, Stats};
use crate::bounded::Recent;
use crate::machine::{Context, Machine};
use crate::stats::count;
use crate::time::{Instant, WallTime};

/// One topic of one node: a small view of live neighbours, a larger one of peers in reserve.
///
/// See the module documentation for the contract with the parent.
#[derive(Clone, Debug)]
pub struct Overlay<P> {
    pub(super) config: Arc<Config>,
    pub(super) me: P,
    /// What to advertise; none until the parent has said it.
    pub(super) addresses: Option<Vec<Bytes>>,
    pub(super) capacity: Capacity,
    /// The link counter of 6.3.
    pub(super) epoch: u64,
    pub(super) active: Table<P, Neighbor>,
    pub(super) pending: Table<P, Request<P>>,
    pub(super) passive: Table<P, Candidate<P>>,
    /// Peers that are connected, or held.
    pub(super) links: Table<P, Link>,
    pub(super) temporary: Table<P, Temporary<P>>,
    pub(super) backoffs: Table<P, Instant>,
    pub(super) lost: Vec<Lost<P>>,
    pub(super) joining: Joining<P>,
    /// Joins passed on lately.
    pub(super) joins: Recent<(P, Option<u64>), ()>,
    pub(super) shuffling: Shuffling<P>,
    pub(super) conduct: Recent<P, Conduct>,
    pub(super) parking: Parking<P>,
    pub(super) answers: Answers,
    /// When neighbours were evicted for others, within the window.
    pub(super) evictions: Vec<Instant>,
    /// From the loss of a link until the view is full or no candidate is left.
    pub(super) refilling: bool,
    /// Something happened after which repair looks at the views.
    pub(super) unsettled: bool,
    pub(super) closed: bool,
    pub(super) timers: Timers,
    /// The latest moment seen (L5).
    pub(super) latest: Instant,
    pub(super) stats: Stats,
}

impl<P: Copy + Ord + Debug> Overlay<P> {
    /// An instance that knows nobody. `wall` only makes the link counter start above where an earlier run ended (6.15).
    #[must_use]
    pub fn new(config: impl Into<Arc<Config>>, me: P, wall: WallTime) -> Self {
        let config = config.into();
        Self {
            me,
            addresses: None,
            capacity: Capacity::of(config.network_size, &config),
            // 1024 links a second for ever would be needed to fall behind the clock of the next start.
            epoch: wall.unix_seconds().saturating_mul(1024).max(1),
            active: Table::new(),
            pending: Table::new(),
            passive: Table::new(),
            links: Table::new(),
            temporary: Table::new(),
            backoffs: Table::new(),
            lost: Vec::new(),
            joining: Joining::new(&config),
            joins: Recent::new(config.join_memory_max, config.join_memory),
            shuffling: Shuffling::new(&config),
            conduct: Recent::new(config.conduct_max, Conduct::LIFETIME),
            parking: Parking::new(),
            answers: Answers::default(),
            evictions: Vec::new(),
            refilling: false,
            unsettled: false,
            closed: false,
            timers: Timers::default(),
            latest: Instant::ORIGIN,
            stats: Stats::default(),
            config,
        }
    }

    /// The neighbours, in id order.
    pub fn active(&self) -> impl Iterator<Item = P> {
        self.active.keys()
    }

    /// The peers in reserve, in id order.
    pub fn passive(&self) -> impl Iterator<Item = P> {
        self.passive.keys()
    }

    /// The peers that were asked for a link and have not answered, in id order.
    pub fn pending(&self) -> impl Iterator<Item = P> {
        self.pending.keys()
    }

    /// The peers whose link is held, in id order.
    pub fn held(&self) -> impl Iterator<Item = P> {
        self.links.iter().filter(|(_, link)| link.held).map(|(peer, _)| peer)
    }

    /// Neighbours at most.
    #[must_use]
    pub const fn active_capacity(&self) -> usize {
        self.capacity.active
    }

    /// The sizes of the views.
    #[must_use]
    pub const fn capacity(&self) -> Capacity {
        self.capacity
    }

    /// Whether this peer is a neighbour.
    #[must_use]
    pub fn is_active(&self, peer: &P) -> bool {
        self.active.contains(peer)
    }

    /// What was done and shed.
    #[must_use]
    pub const fn stats(&self) -> &Stats {
        &self.stats
    }

    fn on_message(&mut self, from: P, mut message: Message<P>, cx: &mut Context<'_, Output<P>>) {
        let Some(link) = self.links.get_mut(&from).filter(|link| link.connected) else {
            count(&mut self.stats.unconnected);
            return;
        };
        link.heard(&message);
        if let Some(neighbor) = self.active.get_mut(&from) {
            neighbor.heard = cx.now();
        } else if self.config.plain_peers {
            self.plain_spoke(from, &message, cx);
        }
        message.complete();
        self.dispatch(from, message, true, cx);
    }

    /// Handles a message, or parks it until the registration of its subject is known.
    pub(super) fn dispatch(
        &mut self,
        from: P,
        message: Message<P>,
        ask: bool,
        cx: &mut Context<'_, Output<P>>,
    ) {
        let ask = ask && self.config.check_registration;
        match message {
            Message::Join { ttl: _, peer, nonce } => self.on_join(from, peer, nonce, ask, cx),
            Message::ForwardJoin { ttl, peer, nonce } => {
                self.on_forward_join(from, ttl, peer, nonce, ask, cx)
            }
            Message::Neighbor { peer, priority, epoch } => {
                self.on_neighbor(from, peer, priority, epoch, ask, cx);
            }
            Message::Disconnect { alive, epoch, backoff_s } => {
                self.on_disconnect(from, alive, epoch, backoff_s, cx);
            }
            Message::Shuffle { ttl, origin, nodes, nonce } => {
                self.on_shuffle(from, ttl, origin, nodes, nonce, ask, cx);
            }
            Message::ShuffleReply { nodes, nonce } => self.on_shuffle_reply(from, nodes, nonce, ask, cx),
        }
    }

    /// We are known by this, at these addresses.
    pub(super) fn own_contact(&self) -> Contact<P> {
        Contact { peer: self.me, addresses: self.addresses.clone().unwrap_or_default() }
    }

    /// The contact within the limits on addresses.
    pub(super) fn bounded(&mut self, mut contact: Contact<P>) -> Contact<P> {
        let before = contact.addresses.len();
        let length_max = self.config.address_length_max;
        if contact.addresses.iter().any(|address| address.len() > length_max) {
            contact.addresses.retain(|address| address.len() <= length_max);
        }
        contact.addresses.truncate(self.config.addresses_max);
        crate::stats::count_by(
            &mut self.stats.addresses_shed,
            before.saturating_sub(contact.addresses.len()),
        );
        contact
    }

    /// Says something to a connected peer; to others nothing.
    pub(super) fn send(&mut self, to: P, message: Message<P>, cx: &mut Context<'_, Output<P>>) {
        if self.is_connected(&to) {
            cx.emit(Output::Send { to, message });
        }
    }

    fn forget(&mut self, peer: P, cx: &mut Context<'_, Output<P>>) {
        if self.active.contains(&peer) {
            self.deactivate(peer, super::DownReason::Banned, cx);
        }
        self.pending.remove(&peer);
        self.passive.remove(&peer);
        self.temporary.remove(&peer);
        self.backoffs.remove(&peer);
        self.lost.retain(|lost| lost.peer != peer);
        self.joining.forget(&peer);
        self.parking.forget(&peer);
        self.release_unused(peer, cx);
        self.links.remove(&peer);
        self.unsettled = true;
    }
}

impl<P: Copy + Ord + Debug> Machine for Overlay<P> {
    type Input = Input<P>;
    type Output = Output<P>;

    fn handle(&mut self, input: Input<P>, cx: &mut Context<'_, Output<P>>) {
        if self.closed {
            return;
        }
        let cx = &mut cx.not_before(&mut self.latest);
        match input {
            Input::Join { bootstrap } => self.start(bootstrap, cx),
            Input::Known { contacts } => self.on_known(contacts, cx),
            Input::Leave => self.leave(cx),
            Input::Addresses(addresses) => self.on_addresses(addresses),
            Input::Message { from, message } => self.on_message(from, message, cx),
            Input::Connected { peer, dialled } => self.on_connected(peer, dialled, cx),
            Input::Extended { peer } => self.on_extended(peer),
            Input::Disconnected { peer } => self.on_disconnected(peer, cx),
            Input::DialFailed { peer } => self.on_dial_failed(peer, cx),
            Input::Unresponsive { peer } => self.on_unresponsive(peer, cx),
            Input::Misbehaved { peer } => self.on_misbehaved(peer, cx),
            Input::NetworkSize(nodes) => {
                self.capacity = Capacity::of(nodes, &self.config);
                self.trim_passive(cx);
                self.unsettled = true;
            }
            Input::Registered { peer, registered } => self.on_registered(peer, registered, cx),
            Input::Banned { peer } => self.forget(peer, cx),
            Input::Stranger { peer } => self.on_stranger(peer, cx),
        }
        self.settle(cx);
    }

    fn handle_timeout(&mut self, cx: &mut Context<'_, Output<P>>) {
        if self.timers.next.is_some_and(|next| next <= cx.now()) {
            let cx = &mut cx.not_before(&mut self.latest);
            self.on_due(cx);
            self.settle(cx);
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next
    }
}
