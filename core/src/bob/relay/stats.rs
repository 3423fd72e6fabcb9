//! What a relay counts.

crate::counters! {
    /// What a relay has done and what it has shed; who was let in is counted by
    /// [`Relay::admission`](super::Relay::admission).
    pub struct Stats {
        /// Links that came in.
        opened,
        /// Of those, refused, as there are too many, or too many from that address or range, or too fast.
        refused,
        /// Links closed before they had said hello or named a room, to make room for others.
        evicted,
        /// Links that said nothing useful until their time was over.
        silent,
        /// Links that took too long to close.
        lingered,
        /// Peers registered.
        registered,
        /// Peers that could not be registered, as no uid was free.
        uids_exhausted,
        /// Hellos of the other role, ignored.
        hellos_ignored,
        /// Registered peers whose time was over.
        timed_out,
        /// Registered peers disconnected, as they did not read.
        slow,
        /// Links closed, as what they sent is no packet.
        malformed,
        /// Links closed, as they repeated their hello too often.
        hellos_excessive,
        /// Announcements of servers written.
        announced,
        /// Packets forwarded.
        forwarded,
        /// Packets dropped: the sender has not said hello.
        dropped_unregistered,
        /// Packets dropped: not for a peer of this role to send.
        dropped_direction,
        /// Packets dropped: nobody has that uid.
        dropped_unknown,
        /// Packets dropped: the peer with that uid has the wrong role.
        dropped_role,
        /// Packets dropped: a client's share with an identity that is not its own, or too long.
        dropped_identity,
        /// Packets dropped: too many of this sender wait for that peer already.
        dropped_flooding,
        /// Acceptances dropped: the server has not agreed.
        dropped_unagreed,
        /// Acceptances dropped: too many rooms of that address are open.
        dropped_rooms,
        /// What peers reported that they could not make sense of.
        reported,
        /// Handshakes that failed: answered, and not agreed to.
        guesses_failed,
        /// Handshakes that had to wait.
        guesses_delayed,
        /// Handshakes dropped: too many failures.
        guesses_cut,
        /// Handshakes dropped: too many wait.
        guesses_dropped,
        /// Failures forgotten early, for want of room.
        guesses_forgotten,
        /// Rooms promised to a pair.
        rooms_agreed,
        /// Rooms in which both have met.
        rooms_met,
        /// Rooms to which one or both did not come in time, or that were left before.
        rooms_unmet,
        /// Rooms given up before both had come, for want of room or as one of their names was promised another.
        rooms_shed,
        /// Links to the room port that named no room.
        lines_unknown,
        /// Links to the room port that did not end their line within its limit.
        lines_too_long,
        /// Links to the room port refused, as the address is not that of their peer.
        lines_foreign,
        /// Bytes lost, as they came before both were there.
        early_bytes_lost,
        /// Links closed, as they sent too much before both were there.
        early_excessive,
        /// Bytes copied in rooms.
        copied,
        /// Rooms closed, as nothing moved.
        rooms_idle,
        /// Rooms closed, as they were open for too long.
        rooms_old,
        /// Rooms closed, as too much was copied.
        rooms_full,
    }
}
