//! What a node and its machines have done and shed.

use super::Node;
use super::link::Link;
use super::topics::Topic;
use crate::peers::{self, dial};
use crate::{admission, broadcast, channel, heads, overlay, session};

crate::counters! {
    /// Counters of a node; its machines have their own.
    pub struct Stats {
        /// Links opened, dialled and accepted.
        links_opened,
        /// Noise handshakes completed.
        handshakes,
        /// Handshakes that took too long.
        handshakes_timed_out,
        /// Links established: usable by the overlay.
        links_established,
        /// Links closed in order.
        links_closed,
        /// Links closed as the peer broke the protocol.
        links_broken,
        /// Channels that ended by a violation.
        channels_broken,
        /// Links closed as the peer did not take what was sent.
        links_congested,
        /// Peers that became linked.
        peers_up,
        /// Peers that are no longer linked.
        peers_down,
        /// Peers that may not take part and are kept: plain libp2p ones in a network that requires establishment, and
        /// those that are not registered in one that does not.
        strangers,
        /// Refusals heard.
        nacks_received,
        /// Goodbyes heard.
        byes_received,
        /// Bans pronounced.
        bans,
        /// Times that a peer named another that is banned, in a walk of the overlay, a sample or a HEAD: that was ignored.
        banned_named,
        /// Dials begun.
        dials,
        /// Dials that failed.
        dials_failed,
        /// Places to join through that were not taken, as there are too many.
        bootstrap_refused,
        /// Streams of peers that were refused.
        streams_refused,
        /// Frames that were malformed or oversize.
        frames_malformed,
        /// Streams that were reset in the middle of a frame, as too much of unfinished frames waited: more than
        /// `partial_frames_max`.
        partial_frames_shed,
        /// Messages between overlays that were not taken up, as they are larger than `membership_max`.
        membership_oversize,
        /// Frames that were shed for a slow peer.
        frames_shed,
        /// Frames received for overlay and broadcast.
        gossip_received,
        /// Payload frames queued for peers, one for each of them.
        payloads_sent,
        /// Their bytes.
        payload_bytes_sent,
        /// Other overlay and broadcast frames queued for peers, one for each of them.
        control_sent,
        /// Their bytes.
        control_bytes_sent,
        /// Messages for a topic that is not subscribed.
        unknown_topics,
        /// Messages whose action is not known.
        unknown_actions,
        /// Messages of a kind that is not known, on other streams.
        unknown_messages,
        /// Messages that are larger than a frame.
        messages_oversize,
        /// Messages that could not be sent, as their peer has no link any more.
        messages_without_link,
        /// Payloads that were delivered.
        delivered,
        /// Payloads that were not accepted: forged, malformed, too old.
        payloads_not_accepted,
        /// Announced payloads that could not be had.
        lost,
        /// Answers about registration forgotten early: more than `registrations_max`.
        registrations_shed,
        /// Questions about registration that had to wait for others: more than `registration_questions_max`.
        registrations_queued,
        /// Questions about linked peers that were not asked: more than `registration_queue_max`.
        registrations_refused,
        /// Questions about peers that others named that were not asked: more than `registration_named_max`.
        registrations_named_shed,
        /// Questions about registration that nobody answered in time.
        registrations_unanswered,
        /// Times that an earlier answer held on, as there was no newer one.
        registrations_prolonged,
        /// Peers forgotten early that were told of a topic that is not ours: more than `told_unknown_max`.
        told_unknown_shed,
        /// Stored records that could not be read.
        records_unreadable,
        /// Whether the node has stopped.
        stops,
    }
}

/// What a node and all its machines have counted since it began, those of links and topics that are gone included.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Totals {
    /// The node itself.
    pub mesh: Stats,
    /// The overlays of all topics.
    pub overlay: overlay::Stats,
    /// The broadcast instances of all topics.
    pub broadcast: broadcast::Stats,
    /// The table of HEADs.
    pub heads: heads::Stats,
    /// The channels of all links.
    pub channel: channel::Stats,
    /// The sessions of all links.
    pub session: session::Stats,
    /// The table of links.
    pub admission: admission::Stats,
    /// The peer book.
    pub peers: peers::Stats,
    /// The dialler.
    pub dialling: dial::Stats,
}

impl Totals {
    /// Each counter, with the machine that keeps it.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
        let of = |machine| move |(name, value)| (machine, name, value);
        (self.mesh.iter().map(of("mesh")))
            .chain(self.overlay.iter().map(of("overlay")))
            .chain(self.broadcast.iter().map(of("broadcast")))
            .chain(self.heads.iter().map(of("heads")))
            .chain(self.channel.iter().map(of("channel")))
            .chain(self.session.iter().map(of("session")))
            .chain(self.admission.iter().map(of("admission")))
            .chain(self.peers.iter().map(of("peers")))
            .chain(self.dialling.iter().map(of("dialling")))
    }

    pub(super) fn add_link(&mut self, link: &Link) {
        self.channel.add(&link.channel.stats());
        self.session.add(link.session.stats());
    }

    pub(super) const fn add_topic(&mut self, topic: &Topic) {
        self.overlay.add(topic.overlay.stats());
        self.broadcast.add(&topic.broadcast.stats());
    }
}

impl Node {
    /// What the node itself has counted; [`Node::totals`] has what its machines have.
    #[must_use]
    pub const fn stats(&self) -> &Stats {
        &self.stats
    }

    /// What the node and its machines have counted. Costs a walk over all links and topics.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let mut totals = Totals {
            mesh: self.stats,
            heads: self.heads.as_ref().map(heads::Heads::stats).unwrap_or_default(),
            admission: *self.admission.stats(),
            peers: *self.book.stats(),
            dialling: *self.dialler.stats(),
            ..self.ended
        };
        self.links.values().for_each(|link| totals.add_link(link));
        self.topics.values().for_each(|topic| totals.add_topic(topic));
        totals
    }
}
