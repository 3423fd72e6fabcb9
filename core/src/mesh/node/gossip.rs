//! The overlay and broadcast stream: frames in and out (`overlay` 3.1).

use alloc::sync::Arc;

use bytes::Bytes;

use super::outbox::Frame;
use super::timers::Timer;
use super::topics::Name;
use super::{Cx, Node, Work};
use crate::broadcast::{self, Announcement};
use crate::channel::{self, StreamId};
use crate::identity::PeerId;
use crate::link::LinkId;
use crate::mesh::establishment::Motive;
use crate::mesh::rpc::{self, Action, Rpc};
use crate::overlay;
use crate::queue::Class;
use crate::session::Closing;
use crate::stats::{count, count_by};
use crate::time::Instant;

impl Node {
    /// Encodes a message once and queues it for each of these peers.
    pub(super) fn gossip(&mut self, topic: &Name, peers: &[PeerId], action: &Action, cx: &mut Cx<'_>) {
        let Some(bytes) = rpc::encode_frame(topic, action) else {
            return count(&mut self.stats.messages_oversize);
        };
        let class = class_of(action);
        let announcement = announcement_of(topic, action);
        for peer in peers {
            let Some(link) = self.peers.get(peer).and_then(|peer| peer.current()) else {
                count(&mut self.stats.messages_without_link);
                continue;
            };
            self.count_sent(class, bytes.len());
            let frame = Frame { bytes: bytes.clone(), announcement: announcement.clone() };
            self.queue_gossip(link, *peer, class, frame, cx);
        }
    }

    fn count_sent(&mut self, class: Class, size: usize) {
        let stats = &mut self.stats;
        let (messages, bytes) = match class {
            Class::Bulk => (&mut stats.payloads_sent, &mut stats.payload_bytes_sent),
            Class::Control | Class::Gossip => (&mut stats.control_sent, &mut stats.control_bytes_sent),
        };
        count(messages);
        count_by(bytes, size);
    }

    fn queue_gossip(&mut self, id: LinkId, peer: PeerId, class: Class, frame: Frame, cx: &mut Cx<'_>) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let shed = link.gossip.push(cx.now(), class, frame);
        for frame in shed {
            count(&mut self.stats.frames_shed);
            if let Some((topic, announcement)) = frame.announcement {
                let announcements = alloc::vec![announcement];
                self.broadcast(&topic, broadcast::Input::Shed { peer, announcements }, cx);
            }
        }
        self.flush_gossip(id, cx);
    }

    /// Another link to the peer is written on from now on: what waits goes there. What the channel has been given stays
    /// behind, so that nothing is sent twice.
    pub(super) fn move_gossip(&mut self, peer: PeerId, from: LinkId, to: LinkId, cx: &mut Cx<'_>) {
        let Some(link) = self.links.get_mut(&from) else { return };
        let waiting = link.gossip.drain();
        self.timers.set(Timer::Congested(from), None);
        for (class, frame) in waiting {
            self.queue_gossip(to, peer, class, frame, cx);
        }
    }

    /// Hands waiting frames to the channel, as far as it takes them.
    pub(super) fn flush_gossip(&mut self, id: LinkId, cx: &mut Cx<'_>) {
        while let Some((stream, bytes)) = self.links.get_mut(&id).and_then(|link| link.gossip.next()) {
            self.channel(id, channel::Input::Send { stream, bytes }, cx);
        }
        let full_since = self.links.get(&id).and_then(|link| link.gossip.full_since());
        let failed_at = full_since.map(|since| since + self.config.congestion_timeout);
        self.timers.set(Timer::Congested(id), failed_at);
    }

    /// So many bytes of a stream have left the channel: more may follow.
    pub(super) fn on_sent(&mut self, id: LinkId, stream: StreamId, count: usize, cx: &mut Cx<'_>) {
        let Some(link) = self.links.get_mut(&id) else { return };
        if link.gossip.is(stream) {
            link.gossip.sent(count);
            self.flush_gossip(id, cx);
        } else if link.heads.is(stream) {
            link.heads.sent(count);
            self.flush_heads(id, cx);
        }
    }

    /// The gossip queue of a link has been full for too long: the peer counts as failed (`broadcast` 8.10).
    pub(super) fn congested(&mut self, id: LinkId, cx: &mut Cx<'_>) {
        let Some(link) = self.links.get(&id).filter(|link| link.established) else { return };
        let Some(peer) = link.peer else { return };
        count(&mut self.stats.links_congested);
        self.overlays(&overlay::Input::Unresponsive { peer }, cx);
        self.close(id, Some(Motive::Unspecified), Closing::Flush, cx);
    }

    /// Takes a frame of an established link.
    pub(super) fn on_gossip_frame(
        &mut self,
        id: LinkId,
        peer: PeerId,
        stream: StreamId,
        frame: &Bytes,
        cx: &mut Cx<'_>,
    ) {
        let rpc = match rpc::decode(frame) {
            Ok(rpc) => rpc,
            Err(_) => return self.bad_stream(id, stream, cx),
        };
        count(&mut self.stats.gossip_received);
        if matches!(rpc.action, Action::Overlay(_)) && frame.len() > self.config.membership_max {
            // No offence: whoever passes on what others have named may come to send one (T-50).
            return count(&mut self.stats.membership_oversize);
        }
        if rpc.extended {
            self.note_extended(peer, cx);
        }
        self.on_rpc(peer, rpc, cx);
    }

    fn on_rpc(&mut self, peer: PeerId, rpc: Rpc, cx: &mut Cx<'_>) {
        let Some((topic, _)) = self.topics.get_key_value(&*rpc.topic) else {
            return self.refuse_topic(peer, &rpc, cx);
        };
        let topic = Arc::clone(topic);
        match rpc.action {
            Action::Overlay(message) => {
                if let Some(message) = self.without_banned(message, cx.now()) {
                    self.overlay(&topic, overlay::Input::Message { from: peer, message }, cx);
                }
            }
            Action::Broadcast(message) => self.broadcast_message(&topic, peer, message, cx),
            Action::Unknown => count(&mut self.stats.unknown_actions),
        }
    }

    /// Leaves out the banned peers that a message names; none if it is about one (`overlay` 4.3, 4.6, 7.4). No offence: its
    /// sender may not know of the ban. JOIN and NEIGHBOR are about their sender, whose links a ban closes; in another's
    /// name they are an offence whoever that is (4.2).
    fn without_banned(
        &mut self,
        mut message: overlay::Message<PeerId>,
        now: Instant,
    ) -> Option<overlay::Message<PeerId>> {
        use overlay::Message;
        let (subject, nodes) = match &mut message {
            Message::Join { .. } | Message::Neighbor { .. } | Message::Disconnect { .. } => (None, None),
            Message::ForwardJoin { peer, .. } => (Some(peer.peer), None),
            Message::Shuffle { origin, nodes, .. } => (Some(origin.peer), Some(nodes)),
            Message::ShuffleReply { nodes, .. } => (None, Some(nodes)),
        };
        if subject.is_some_and(|subject| self.is_banned(subject, now)) {
            count(&mut self.stats.banned_named);
            return None;
        }
        if let Some(nodes) = nodes {
            let before = nodes.len();
            nodes.retain(|node| !self.book.is_banned(node.peer, now));
            count_by(&mut self.stats.banned_named, before.saturating_sub(nodes.len()));
        }
        Some(message)
    }

    /// A message for the broadcast instance. A plain peer that speaks as a neighbour becomes one if there is room, and
    /// then its message is taken up (`overlay` 3.3 c).
    fn broadcast_message(
        &mut self,
        topic: &Name,
        from: PeerId,
        message: broadcast::Message,
        cx: &mut Cx<'_>,
    ) {
        let again = self.config.overlay.plain_peers.then(|| message.clone());
        let before = self.work.len();
        self.broadcast(topic, broadcast::Input::Message { from, message }, cx);
        let turned_away =
            |work: &Work| matches!(work, Work::Broadcast(_, broadcast::Output::Stranger { .. }));
        let Some(message) = again.filter(|_| self.work.iter().skip(before).any(turned_away)) else { return };
        self.work.truncate(before);
        self.overlay(topic, overlay::Input::Stranger { peer: from }, cx);
        if self.topics.get(topic).is_some_and(|topic| topic.overlay.is_active(&from)) {
            // Behind what the overlay has just said: the broadcast instance hears of its neighbour first.
            self.work.push_back(Work::Adopted(Arc::clone(topic), from, message));
        }
    }

    /// A peer that has shown a field of `overlay` 3.2 knows our extensions, on every topic.
    fn note_extended(&mut self, peer: PeerId, cx: &mut Cx<'_>) {
        let Some(known) = self.peers.get_mut(&peer) else { return };
        if core::mem::replace(&mut known.extended, true) {
            return;
        }
        self.overlays(&overlay::Input::Extended { peer }, cx);
        for topic in self.topics.keys().cloned().collect::<alloc::vec::Vec<_>>() {
            self.broadcast(&topic, broadcast::Input::Extended { peer }, cx);
        }
    }

    /// A topic that is not subscribed: said once a minute, and no offence (`overlay` 2).
    fn refuse_topic(&mut self, peer: PeerId, rpc: &Rpc, cx: &mut Cx<'_>) {
        count(&mut self.stats.unknown_topics);
        let is_goodbye = matches!(rpc.action, Action::Overlay(overlay::Message::Disconnect { .. }));
        let told = self.told_unknown.contains(cx.now(), &peer);
        if is_goodbye || told || rpc.topic.len() > self.config.topic_name_max {
            return;
        }
        if self.told_unknown.insert(cx.now(), peer, ()).is_some() {
            count(&mut self.stats.told_unknown_shed);
        }
        let goodbye = overlay::Message::Disconnect { alive: false, epoch: None, backoff_s: None };
        self.gossip(&Name::from(&*rpc.topic), &[peer], &Action::Overlay(goodbye), cx);
    }
}

const fn class_of(action: &Action) -> Class {
    match action {
        Action::Broadcast(broadcast::Message::Payload { .. }) => Class::Bulk,
        Action::Broadcast(broadcast::Message::IHave(_)) => Class::Gossip,
        Action::Broadcast(
            broadcast::Message::Prune | broadcast::Message::Graft(_) | broadcast::Message::NotHave(_),
        )
        | Action::Overlay(_)
        | Action::Unknown => Class::Control,
    }
}

fn announcement_of(topic: &Name, action: &Action) -> Option<(Name, Announcement)> {
    if let Action::Broadcast(broadcast::Message::Payload { id, hop, .. }) = action {
        // Payloads for neighbours only (hop 0) are never announced.
        return (*hop > 0).then(|| (Arc::clone(topic), Announcement { id: *id, hop: *hop }));
    }
    None
}
