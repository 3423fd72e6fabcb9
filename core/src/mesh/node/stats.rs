//! What a node has done and shed.

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
        /// Plain libp2p peers in a network that requires establishment.
        strangers,
        /// Refusals heard.
        nacks_received,
        /// Goodbyes heard.
        byes_received,
        /// Bans pronounced.
        bans,
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
        /// Stored records that could not be read.
        records_unreadable,
        /// Whether the node has stopped.
        stops,
    }
}
