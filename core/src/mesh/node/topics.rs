//! Topics: an overlay and a broadcast instance each, and the routing between the two, the links and the application.

use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;

use super::offences::Offence;
use super::timers::Timer;
use super::{Cx, Node, Output, Phase, Work};
use crate::broadcast::{self, Broadcast, Scope, Verdict};
use crate::identity::PeerId;
use crate::machine::{Context, Machine};
use crate::mesh::rpc::{self, Action};
use crate::mesh::signed::{Refusal, Signed};
use crate::mesh::{Done, Event, UsageError, Validation};
use crate::overlay::{self, Contact, Overlay};
use crate::rng;
use crate::stats::count;
use crate::time::Instant;

/// The name of a topic, shared by all that speak of it.
pub(super) type Name = Arc<str>;

/// One topic that is subscribed.
#[derive(Debug)]
pub(super) struct Topic {
    pub(super) overlay: Overlay<PeerId>,
    pub(super) broadcast: Broadcast<PeerId>,
    /// Messages that this node has published here.
    published: u64,
}

impl Node {
    /// Takes part in the topics of the configuration, which has been checked; one that it names twice is one.
    pub(super) fn subscribe_configured(&mut self, cx: &mut Cx<'_>) {
        let config = Arc::clone(&self.config);
        for name in &config.topics {
            let _subscribed_twice = self.subscribe(name, cx);
        }
    }

    pub(super) fn subscribe(&mut self, name: &str, cx: &mut Cx<'_>) -> Result<Done, UsageError> {
        if !self.config.is_topic(name) {
            return Err(UsageError::BadTopic);
        }
        if self.topics.contains_key(name) {
            return Err(UsageError::AlreadySubscribed);
        }
        if self.topics.len() >= self.config.topics_max {
            return Err(UsageError::TooManyTopics);
        }
        let name = Name::from(name);
        let overlay = Overlay::new(Arc::clone(&self.overlay_config), self.me, cx.wall());
        let broadcast = Broadcast::new(self.broadcast_config_of(&name));
        self.topics.insert(Arc::clone(&name), Topic { overlay, broadcast, published: 0 });
        if let Some(addresses) = self.advertised() {
            self.overlay(&name, overlay::Input::Addresses(addresses), cx);
        }
        for (peer, dialled) in self.established_peers() {
            self.overlay(&name, overlay::Input::Connected { peer, dialled }, cx);
            if self.is_extended(peer) {
                self.overlay(&name, overlay::Input::Extended { peer }, cx);
            }
        }
        self.overlay(&name, overlay::Input::Join { bootstrap: self.bootstrap_contacts(cx.now()) }, cx);
        Ok(Done::Ok)
    }

    /// What is published must fit a frame that names the topic, or it could never be sent.
    fn broadcast_config_of(&self, name: &str) -> Arc<broadcast::Config> {
        let publish_max = self.broadcast_config.publish_max.min(rpc::payload_max(name));
        if publish_max == self.broadcast_config.publish_max {
            return Arc::clone(&self.broadcast_config);
        }
        Arc::new(broadcast::Config { publish_max, ..(*self.broadcast_config).clone() })
    }

    pub(super) fn leave(&mut self, name: &str, cx: &mut Cx<'_>) -> Result<Done, UsageError> {
        let (name, _) = self.topics.get_key_value(name).ok_or(UsageError::NotSubscribed)?;
        let name = Arc::clone(name);
        self.overlay(&name, overlay::Input::Leave, cx);
        self.drain(cx);
        if let Some(topic) = self.topics.remove(&name) {
            self.ended.add_topic(&topic);
        }
        self.timers.set(Timer::Overlay(Arc::clone(&name)), None);
        self.timers.set(Timer::Broadcast(name), None);
        Ok(Done::Ok)
    }

    /// Starts a publication; `Event::Done` tells the outcome.
    pub(super) fn publish(
        &mut self,
        token: u64,
        name: &str,
        payload: Bytes,
        scope: Scope,
        cx: &mut Cx<'_>,
    ) -> Result<(), UsageError> {
        let (name, topic) = self.topics.get_key_value(name).ok_or(UsageError::NotSubscribed)?;
        let (name, sequence) = (Arc::clone(name), topic.published);
        let payload = match self.config.validation {
            Validation::Signed => {
                Signed::seal(&self.identity, &self.config.network, &name, cx.wall(), sequence, &payload)
            }
            Validation::Application | Validation::None => payload,
        };
        if let Some(topic) = self.topics.get_mut(&name) {
            topic.published = topic.published.saturating_add(1);
        }
        self.broadcast(&name, broadcast::Input::Publish { token, payload, scope }, cx);
        Ok(())
    }

    /// Hands an input to the overlay of a topic.
    pub(super) fn overlay(&mut self, name: &Name, input: overlay::Input<PeerId>, cx: &mut Cx<'_>) {
        self.run_overlay(name, cx, |overlay, cx| overlay.handle(input, cx));
    }

    /// Hands an input to the overlays of all topics.
    pub(super) fn overlays(&mut self, input: &overlay::Input<PeerId>, cx: &mut Cx<'_>) {
        for name in self.topics.keys().cloned().collect::<Vec<_>>() {
            self.overlay(&name, input.clone(), cx);
        }
    }

    pub(super) fn overlay_timeout(&mut self, name: &Name, cx: &mut Cx<'_>) {
        self.run_overlay(name, cx, Machine::handle_timeout);
    }

    fn run_overlay(
        &mut self,
        name: &Name,
        cx: &mut Cx<'_>,
        run: impl FnOnce(&mut Overlay<PeerId>, &mut Context<'_, overlay::Output<PeerId>>),
    ) {
        let Some(topic) = self.topics.get_mut(name) else { return };
        let mut outputs = Vec::new();
        cx.capture(&mut outputs, |cx| run(&mut topic.overlay, cx));
        self.timers.set(Timer::Overlay(Arc::clone(name)), topic.overlay.poll_timeout());
        self.work.extend(outputs.into_iter().map(|output| Work::Overlay(Arc::clone(name), output)));
    }

    /// Hands an input to the broadcast instance of a topic.
    pub(super) fn broadcast(&mut self, name: &Name, input: broadcast::Input<PeerId>, cx: &mut Cx<'_>) {
        self.run_broadcast(name, cx, |broadcast, cx| broadcast.handle(input, cx));
    }

    pub(super) fn broadcast_timeout(&mut self, name: &Name, cx: &mut Cx<'_>) {
        self.run_broadcast(name, cx, Machine::handle_timeout);
    }

    fn run_broadcast(
        &mut self,
        name: &Name,
        cx: &mut Cx<'_>,
        run: impl FnOnce(&mut Broadcast<PeerId>, &mut Context<'_, broadcast::Output<PeerId>>),
    ) {
        let Some(topic) = self.topics.get_mut(name) else { return };
        let mut outputs = Vec::new();
        cx.capture(&mut outputs, |cx| run(&mut topic.broadcast, cx));
        self.timers.set(Timer::Broadcast(Arc::clone(name)), topic.broadcast.poll_timeout());
        self.work.extend(outputs.into_iter().map(|output| Work::Broadcast(Arc::clone(name), output)));
    }

    pub(super) fn on_overlay(&mut self, name: &Name, output: overlay::Output<PeerId>, cx: &mut Cx<'_>) {
        match output {
            overlay::Output::Send { to, message } => self.gossip(name, &[to], &Action::Overlay(message), cx),
            overlay::Output::Hold { peer } => self.hold(peer, name, cx),
            overlay::Output::Release { peer } => self.release(peer, name, cx),
            overlay::Output::Dial { peer, addresses } => self.dial_peer(peer, &addresses, cx),
            overlay::Output::CheckRegistered { peer } => self.check_registered(peer, cx),
            overlay::Output::Violation { peer, violation } => {
                self.offence(peer, Offence::from(violation), cx);
            }
            overlay::Output::Event(overlay::Event::Stranded) => self.find_company(name, cx),
            overlay::Output::Event(overlay::Event::NeighborUp { peer }) => {
                let extended = self.is_extended(peer);
                self.broadcast(name, broadcast::Input::NeighborUp { peer, extended }, cx);
                cx.emit(Output::Event(Event::NeighborUp { topic: name.to_string(), peer }));
            }
            overlay::Output::Event(overlay::Event::NeighborDown { peer, reason }) => {
                self.broadcast(name, broadcast::Input::NeighborDown { peer }, cx);
                cx.emit(Output::Event(Event::NeighborDown { topic: name.to_string(), peer, reason }));
            }
        }
    }

    pub(super) fn on_broadcast(&mut self, name: &Name, output: broadcast::Output<PeerId>, cx: &mut Cx<'_>) {
        match output {
            broadcast::Output::Send { peers, message } => {
                self.gossip(name, &peers, &Action::Broadcast(message), cx);
            }
            broadcast::Output::Validate { id, payload, from } => self.validate(name, id, payload, from, cx),
            broadcast::Output::Stranger { peer } => self.overlay(name, overlay::Input::Stranger { peer }, cx),
            broadcast::Output::Violation { peer, violation } => {
                if violation == broadcast::Violation::BrokenPromises {
                    self.overlay(name, overlay::Input::Misbehaved { peer }, cx);
                }
                self.offence(peer, Offence::from(violation), cx);
            }
            broadcast::Output::Event(event) => self.on_broadcast_event(name, event, cx),
        }
    }

    fn on_broadcast_event(&mut self, name: &Name, event: broadcast::Event<PeerId>, cx: &mut Cx<'_>) {
        match event {
            broadcast::Event::Delivered { id, from, hop, payload } => {
                let (author, payload) = match self.config.validation {
                    Validation::Signed => match Signed::read(&payload) {
                        Some(signed) => (Some(signed.author), signed.content),
                        None => return,
                    },
                    Validation::Application | Validation::None => (None, payload),
                };
                count(&mut self.stats.delivered);
                cx.emit(Output::Event(Event::Message {
                    topic: name.to_string(),
                    id,
                    author,
                    from,
                    hop,
                    payload,
                }));
            }
            broadcast::Event::Published { token, id, outcome } => {
                cx.emit(Output::Event(Event::Done { token, result: Ok(Done::Published { id, outcome }) }));
            }
            broadcast::Event::Lost { .. } => count(&mut self.stats.lost),
        }
    }

    fn validate(&mut self, name: &Name, id: broadcast::Id, payload: Bytes, from: PeerId, cx: &mut Cx<'_>) {
        let verdict = match self.config.validation {
            Validation::Signed => match Signed::open(&payload, &self.config.network, name, cx.wall()) {
                Ok(_) => Verdict::Accept,
                Err(Refusal::Malformed | Refusal::OutOfTime) => Verdict::Ignore,
                Err(Refusal::BadSignature) => Verdict::Reject,
            },
            Validation::Application => {
                cx.emit(Output::Event(Event::Validate { topic: name.to_string(), id, from, payload }));
                return;
            }
            Validation::None => Verdict::Accept,
        };
        if verdict != Verdict::Accept {
            count(&mut self.stats.payloads_not_accepted);
        }
        self.broadcast(name, broadcast::Input::Verdict { id, verdict }, cx);
    }

    /// The application's answer to `Event::Validate`; late or unknown ones are ignored by the instance.
    pub(super) fn verdict(&mut self, name: &str, id: broadcast::Id, verdict: Verdict, cx: &mut Cx<'_>) {
        if let Some((name, _)) = self.topics.get_key_value(name) {
            self.broadcast(&Arc::clone(name), broadcast::Input::Verdict { id, verdict }, cx);
        }
    }

    /// A stranded topic is told of peers in the book, as the places of the configuration, which it knows already, may all
    /// be gone (T-51): of those that were reached before, and where these are few, of those known from hearsay. Only of
    /// the former where a topic that the peer does not have costs its whole connection (`overlay` 3.3 e).
    fn find_company(&mut self, name: &Name, cx: &mut Cx<'_>) {
        let usable = |peer: &PeerId| {
            let dialable = self.book.retry_at(*peer, cx.now()).is_some_and(|at| at <= cx.now());
            dialable && !self.dials.is_bootstrap(*peer)
        };
        let mut company: Vec<PeerId> =
            self.book.connected().chain(self.book.verified()).filter(usable).collect();
        let mut strangers: Vec<PeerId> = if self.config.overlay.plain_peers {
            Vec::new()
        } else {
            self.book.strangers().filter(usable).collect()
        };
        rng::choose_to_front(cx.rng(), &mut company, self.config.company_max);
        company.truncate(self.config.company_max);
        let room = self.config.company_max - company.len();
        rng::choose_to_front(cx.rng(), &mut strangers, room);
        company.extend(strangers.into_iter().take(room));
        self.introduce(name, &company, cx);
    }

    /// A refused node was told of these: its topics without neighbours may ask them.
    pub(super) fn offer_company(&mut self, peers: &[PeerId], cx: &mut Cx<'_>) {
        let is_lonely = |topic: &Topic| topic.overlay.active().next().is_none();
        let lonely: Vec<Name> = self
            .topics
            .iter()
            .filter(|(_, topic)| is_lonely(topic))
            .map(|(name, _)| Arc::clone(name))
            .collect();
        for name in lonely {
            self.introduce(&name, peers, cx);
        }
    }

    fn introduce(&mut self, name: &Name, peers: &[PeerId], cx: &mut Cx<'_>) {
        if self.phase != Phase::Running {
            return;
        }
        let contact = |peer: &PeerId| {
            let addresses: Vec<Bytes> = self.book.places(*peer).map(|place| place.address.clone()).collect();
            (!addresses.is_empty()).then_some(Contact { peer: *peer, addresses })
        };
        let usable = |peer: &&PeerId| !self.is_banned(**peer, cx.now());
        let contacts: Vec<Contact<PeerId>> = peers.iter().filter(usable).filter_map(contact).collect();
        if !contacts.is_empty() {
            self.overlay(name, overlay::Input::Known { contacts }, cx);
        }
    }

    /// Where all topics may join: known nodes of the configuration and of commands that are not banned.
    pub(super) fn bootstrap_contacts(&self, now: Instant) -> Vec<Contact<PeerId>> {
        let usable =
            |contact: &Contact<PeerId>| contact.peer != self.me && !self.is_banned(contact.peer, now);
        self.dials.contacts().filter(usable).collect()
    }

    /// The neighbours in a topic, in the order of their ids; none if it is not subscribed.
    pub fn neighbors(&self, topic: &str) -> impl Iterator<Item = PeerId> {
        self.topics.get(topic).into_iter().flat_map(|topic| topic.overlay.active())
    }

    /// The topics that are subscribed, in order.
    pub fn topics(&self) -> impl Iterator<Item = &str> {
        self.topics.keys().map(|name| &**name)
    }

    /// The overlay instance of a topic, for its views and statistics.
    #[must_use]
    pub fn overlay_of(&self, topic: &str) -> Option<&Overlay<PeerId>> {
        self.topics.get(topic).map(|topic| &topic.overlay)
    }

    /// The broadcast instance of a topic, for its sets and statistics.
    #[must_use]
    pub fn broadcast_of(&self, topic: &str) -> Option<&Broadcast<PeerId>> {
        self.topics.get(topic).map(|topic| &topic.broadcast)
    }
}
