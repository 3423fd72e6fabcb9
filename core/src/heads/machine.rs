//! The machine.

use alloc::collections::BTreeMap;
use core::fmt::Debug;
use core::time::Duration;

use super::link::Link;
use super::own::Own;
use super::receive::CandidateOf;
use super::table::{Entry, Table};
use super::{Config, Event, Input, Output, Rules, Stats};
use crate::bounded::Recent;
use crate::deadline::{Deadlines, earliest};
use crate::machine::{Context, Machine};
use crate::stats::count;
use crate::time::Instant;

const HOUR: Duration = Duration::from_secs(3600);

pub(super) type Cx<'a, 'b, R> =
    &'a mut Context<'b, Output<<R as Rules>::Peer, <R as Rules>::Key, <R as Rules>::Head>>;

/// The table of the best HEAD of every node. The module documentation tells the loop.
#[derive(Debug)]
pub struct Heads<R: Rules> {
    pub(super) config: Config,
    pub(super) rules: R,
    pub(super) table: Table<R::Peer, R::Key, R::Head>,
    pub(super) links: BTreeMap<R::Peer, Link<R::Key>>,
    /// When the next frame of a link goes; none while it is busy or has nothing waiting.
    pub(super) frames: Deadlines<R::Peer>,
    pub(super) own: Own<R::Own, R::Head>,
    /// New keys taken from a peer in this hour: outlives its links.
    pub(super) new_keys: Recent<R::Peer, u32>,
    pub(super) answers: Recent<R::Peer, bool>,
    /// Verified HEADs of owners who may not be admitted.
    pub(super) waiting: Recent<R::Key, CandidateOf<R>>,
    pub(super) next_serial: u64,
    /// The latest moment seen (L5).
    latest: Instant,
    pub(super) stats: Stats,
}

impl<R: Rules> Heads<R> {
    /// An empty table.
    #[must_use]
    pub fn new(config: Config, rules: R) -> Self {
        let config = config.made_usable();
        Self {
            table: Table::new(),
            links: BTreeMap::new(),
            frames: Deadlines::new(),
            own: Own::new(config.network_size),
            new_keys: Recent::new(config.new_keys_peers, HOUR),
            answers: Recent::new(config.answers, config.answer_lifetime),
            waiting: Recent::new(config.waiting, config.waiting_lifetime),
            next_serial: 0,
            latest: Instant::ORIGIN,
            stats: Stats::default(),
            config,
            rules,
        }
    }

    /// The table in order of key, our own HEAD included.
    pub fn iter(&self) -> impl Iterator<Item = (&R::Key, &Entry<R::Peer, R::Head>)> {
        self.table.iter()
    }

    /// The HEAD of one node.
    #[must_use]
    pub fn get(&self, key: &R::Key) -> Option<&Entry<R::Peer, R::Head>> {
        self.table.get(key)
    }

    /// How many HEADs are held, our own included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.table.len() == 0
    }

    /// The rules it was made with.
    pub const fn rules(&self) -> &R {
        &self.rules
    }

    /// What was received, sent and shed.
    #[must_use]
    pub const fn stats(&self) -> Stats {
        self.stats
    }
}

impl<R: Rules> Machine for Heads<R> {
    type Input = Input<R::Peer, R::Head, R::Own>;
    type Output = Output<R::Peer, R::Key, R::Head>;

    fn handle(&mut self, input: Self::Input, cx: &mut Context<'_, Self::Output>) {
        let cx = &mut cx.not_before(&mut self.latest);
        match input {
            Input::LinkUp { peer } => self.on_link_up(peer, cx.now()),
            Input::LinkDown { peer } => {
                self.links.remove(&peer);
                self.frames.remove(&peer);
            }
            Input::Received { from, heads } => self.on_received(from, heads, cx),
            Input::Drained { peer } => self.on_drained(peer, cx),
            Input::Own(says) => {
                self.own.say(&self.rules, says, cx.now(), &self.config);
                self.make_own_if_due(cx);
            }
            Input::NetworkSize(size) => self.own.resize(size),
            Input::Admitted { peer, admitted } => self.on_admitted(peer, admitted, cx),
        }
    }

    fn handle_timeout(&mut self, cx: &mut Context<'_, Self::Output>) {
        let early = self.poll_timeout().is_none_or(|due| due > cx.now().max(self.latest));
        if early {
            return;
        }
        let cx = &mut cx.not_before(&mut self.latest);
        while let Some(key) = self.table.pop_expired(cx.now()) {
            count(&mut self.stats.expired);
            self.forget(&key);
        }
        self.make_own_if_due(cx);
        while let Some(peer) = self.frames.pop_due(cx.now()) {
            self.send_frame(peer, cx);
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        earliest(earliest(self.frames.next(), self.own.due), self.table.next_expiry())
    }
}

/// The own HEAD and the table.
impl<R: Rules> Heads<R> {
    fn make_own_if_due(&mut self, cx: Cx<'_, '_, R>) {
        let now = cx.now();
        if self.own.due.is_none_or(|due| due > now) {
            return;
        }
        let Some(says) = &self.own.says else { return };
        let head = self.rules.own_head(says, self.own.latest.as_ref(), cx.wall());
        count(&mut self.stats.own_made);
        let key = self.rules.own_key();
        let issued = self.rules.issued(&head);
        self.make_room(&key);
        self.own.note_made(head.clone(), now, &self.config, cx.rng());
        self.table.put(key.clone(), Entry { head, step: 0, issued, spread: true, source: None }, None);
        self.announce(&key, now);
    }

    /// Our own HEAD came back newer than we knew it: continue from there (H7).
    pub(super) fn recover(&mut self, head: R::Head, cx: Cx<'_, '_, R>) {
        count(&mut self.stats.own_recovered);
        self.own.latest = Some(head.clone());
        self.own.hasten(cx.now(), &self.config);
        cx.emit(Output::Event(Event::Recovered { head }));
        self.make_own_if_due(cx);
    }

    /// Makes room for one entry, if the table is full and `key` is not in it (H8).
    pub(super) fn make_room(&mut self, key: &R::Key) {
        if self.table.len() < self.config.entries || self.table.get(key).is_some() {
            return;
        }
        if let Some((_, victim)) = self.first_to_go().cloned() {
            count(&mut self.stats.evicted);
            self.table.remove(&victim);
            self.forget(&victim);
        }
    }

    /// The entry that goes when the table is full: the one issued first, those of our links last, never our own.
    pub(super) fn first_to_go(&self) -> Option<&(u64, R::Key)> {
        let own = self.rules.own_key();
        let stranger = self.table.oldest_first().find(|(_, key)| *key != own && !self.is_of_a_link(key));
        stranger.or_else(|| self.table.oldest_first().find(|(_, key)| *key != own))
    }

    fn is_of_a_link(&self, key: &R::Key) -> bool {
        let owner = self.table.get(key).map(|entry| self.rules.owner(&entry.head));
        owner.and_then(|owner| self.links.get(&owner)).is_some_and(|link| link.own.contains(key))
    }

    /// What is to be forgotten of a key that has left the table.
    pub(super) fn forget(&mut self, key: &R::Key) {
        for link in self.links.values_mut() {
            link.changed.remove(key);
        }
    }
}
