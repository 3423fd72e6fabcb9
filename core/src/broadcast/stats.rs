//! What an instance has counted (`broadcast.md` 9).

crate::counters! {
    /// Counters of one instance. A message sent to several neighbours counts once for each.
    pub struct Stats {
        /// Payloads published here.
        published,
        /// Payloads delivered to the parent.
        delivered,
        /// Payload messages received from neighbours.
        payloads_received,
        /// Payload bytes received from neighbours.
        payload_bytes_received,
        /// Of the payloads received: those of an id that was known.
        duplicates,
        /// Payload messages sent.
        payloads_sent,
        /// Payload bytes sent.
        payload_bytes_sent,
        /// IHAVE messages received.
        ihaves_received,
        /// IHAVE messages sent.
        ihaves_sent,
        /// Ids announced in IHAVE messages.
        ids_announced,
        /// GRAFT messages received.
        grafts_received,
        /// GRAFT messages sent.
        grafts_sent,
        /// Payloads sent in answer to a GRAFT.
        grafts_answered,
        /// PRUNE messages received.
        prunes_received,
        /// PRUNE messages sent.
        prunes_sent,
        /// NOTHAVE messages received.
        not_haves_received,
        /// NOTHAVE messages sent.
        not_haves_sent,
        /// Links that replaced one with a longer way.
        optimisations,
        /// Replacements that were not made, as another had just been.
        optimisations_deferred,
        /// Lazy links made eager as the link that delivered was lost.
        repairs,
        /// Payloads announced and never had.
        lost,
        /// Messages from peers that are no neighbours.
        strangers,
        /// Violations reported.
        violations,
        /// Payloads of a further content under a known opaque id, not looked at.
        conflicting_ids,
        /// Payloads delivered before under another opaque id.
        replayed_contents,
        /// Payloads ignored by verdict.
        ignored,
        /// Payloads rejected by verdict.
        rejected,
        /// Payloads whose verdict did not come in time.
        verdicts_missed,
        /// Verdicts for which nothing waits (any more).
        verdicts_stray,
        /// Payloads not validated, as too many waited.
        validations_shed,
        /// Announced ids not looked at, as one message held too many.
        announcements_shed,
        /// Announced ids not tracked, as too many are missing.
        missing_shed,
        /// Grafted ids not answered, for the limits of a message, a second or an id.
        grafts_shed,
        /// Announcements not sent, as too many were queued for a neighbour.
        queue_shed,
        /// What was remembered of peers and payloads and forgotten early, for want of room.
        memory_shed,
        /// GRAFTs that led to nothing.
        broken_promises,
    }
}
