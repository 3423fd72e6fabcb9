//! What an instance has done and shed.

crate::counters! {
    /// Counters of one instance.
    pub struct Stats {
        /// Neighbours won.
        neighbors_won,
        /// Neighbours lost, for any reason.
        neighbors_lost,
        /// NEIGHBOR requests started.
        requests_started,
        /// Of these, accepted.
        requests_accepted,
        /// Of these, refused.
        requests_refused,
        /// Of these, without an answer in time, or the link broke.
        requests_failed,
        /// Requests not made: A were open.
        requests_shed,
        /// JOIN sent.
        joins_sent,
        /// JOIN of others received and handled.
        joins_received,
        /// JOIN ignored: a peer sent more than one in `join_interval`.
        joins_limited,
        /// FORWARD_JOIN dropped: seen before.
        joins_repeated,
        /// FORWARD_JOIN forgotten early: more than `join_memory_max`.
        joins_shed,
        /// Neighbours evicted to make room.
        evictions,
        /// Evictions not made: more than A / 2 in `eviction_window`.
        evictions_withheld,
        /// HIGH requests taken as LOW: more than one in `high_interval`.
        highs_limited,
        /// Refusals and DISCONNECT not sent: more than one in `refusal_interval`.
        refusals_limited,
        /// NEIGHBOR and DISCONNECT ignored for their epoch.
        stale,
        /// Messages in another peer's name.
        impersonations,
        /// Messages that only a neighbour may send, from others.
        strangers,
        /// Messages of peers that are not connected.
        unconnected,
        /// SHUFFLE sent for ourselves.
        shuffles_sent,
        /// SHUFFLE passed on.
        shuffles_forwarded,
        /// SHUFFLE that ended here.
        shuffles_answered,
        /// SHUFFLE_REPLY merged.
        replies_merged,
        /// SHUFFLE_REPLY passed back along the walk.
        replies_relayed,
        /// SHUFFLE_REPLY that nothing asked for.
        replies_unasked,
        /// Ways back forgotten early: more than `paths_max`.
        paths_shed,
        /// Passive peers dropped for want of room.
        passive_shed,
        /// Addresses dropped: too many or too long.
        addresses_shed,
        /// Entries of samples not read: too many.
        nodes_shed,
        /// Temporary connections not made: more than `temporary_max`.
        temporaries_shed,
        /// Back-offs forgotten early: more than 4 * P.
        backoffs_shed,
        /// Lost neighbours forgotten early: more than 2 * A.
        lost_shed,
        /// Messages dropped as too many wait for registration answers.
        parked_shed,
        /// Messages dropped as the registration answer came too late.
        parked_expired,
        /// Peers turned away as not registered.
        unregistered,
        /// Peers whose rates were forgotten early: more than `conduct_max`.
        conduct_shed,
        /// Bootstrap nodes not remembered: more than `bootstrap_max`.
        bootstrap_shed,
    }
}
