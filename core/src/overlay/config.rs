//! What can be tuned. The defaults are those of `overlay` 1 and of the rules named.

use core::time::Duration;

/// The configuration of an instance; instances share it. Construction is total: every value gives a working machine,
/// zero durations are taken as one microsecond.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Config {
    /// Estimated number of nodes until `NetworkSize` says otherwise. Default 10 000.
    pub network_size: u64,
    /// Neighbours at most (A), instead of the number computed from the network's size. Default none.
    pub active_capacity: Option<usize>,
    /// With fewer neighbours than this (Amin) more are asked for, instead of A / 2. Default none.
    pub starved_below: Option<usize>,
    /// Passive peers at most (P), instead of 6 * A. Default none.
    pub passive_capacity: Option<usize>,
    /// A never exceeds this, whatever the estimate of the network's size (1.1). Default 32.
    pub active_max: usize,
    /// Deviation of every period and back-off from its nominal value, in percent. Default 10.
    pub jitter_percent: u32,

    /// Steps of a JOIN walk; greater values from peers are taken as this. Default 3.
    pub join_walk: u32,
    /// How many neighbours a FORWARD_JOIN is passed on to; 0 = all of them. Default 4 (4.3).
    pub join_fanout: usize,
    /// Wait before a JOIN is tried again; doubles up to `join_retry_max`. Default 5 s.
    pub join_retry_min: Duration,
    /// The longest such wait. Default 60 s.
    pub join_retry_max: Duration,
    /// A node that is still alone so long after its JOIN starts a shuffle at the same bootstrap node. Default 1 s.
    pub join_patience: Duration,
    /// How often a node that has won its first neighbour joins again through another bootstrap node, so that nodes
    /// which joined at the same time through different ones cannot remain islands (6.12). Default 1.
    pub join_confirmations: u32,
    /// A confirmation happens within this time, at random. Default 10 s.
    pub join_confirmation_within: Duration,
    /// A JOIN passed on is remembered so long; it is handled once in this time. Default 60 s.
    pub join_memory: Duration,
    /// So many of them are remembered. Default 4096.
    pub join_memory_max: usize,
    /// One JOIN of a peer in this time, others are ignored (6.6). Default 5 s.
    pub join_interval: Duration,
    /// Bootstrap nodes remembered. Default 64.
    pub bootstrap_max: usize,

    /// The shortest deadline of a NEIGHBOR request. Default 1 s.
    pub request_deadline_min: Duration,
    /// The longest, and the one used before any answer was measured. Default 5 s.
    pub request_deadline_max: Duration,
    /// Requests in flight while there are Amin neighbours or more; A while there are fewer. Default 3.
    pub requests_in_flight: usize,
    /// Repair that waits for a back-off, and trimming, go on this often. Default 1 s.
    pub tick: Duration,
    /// Do not ask a peer again so soon after it refused. Default 30 s.
    pub refusal_backoff: Duration,
    /// A starved node asks HIGH after so many refusals of LOW in a row (6.7). Default 3.
    pub refusals_before_high: usize,
    /// The two ends of an evicted link do not ask each other so soon (6.8). Default 10 s.
    pub eviction_backoff: Duration,
    /// The two ends of a link that ended for misconduct do not ask each other so soon (`broadcast` 8.6). Default 60 s.
    pub misconduct_backoff: Duration,
    /// The longest back-off a peer can ask for. Default 1 h.
    pub backoff_max: Duration,
    /// A passive peer that was reached before is forgotten after so many failures, another after one. Default 2.
    pub failures_max: u8,

    /// At most A / 2 neighbours are evicted for others in this time (6.6). Default 10 s.
    pub eviction_window: Duration,
    /// A neighbour linked so recently is evicted only if all are (4.4). Default 5 s.
    pub fresh_link: Duration,
    /// One HIGH of a peer in this time counts as HIGH, others as LOW (4.4). Default 30 s.
    pub high_interval: Duration,
    /// A NEIGHBOR of a neighbour is answered only if it was sent none for so long (4.4). Default 5 s.
    pub confirmation_interval: Duration,
    /// A refusal of LOW, one of HIGH, and DISCONNECT to a stranger are each sent to a peer at most once in this time
    /// (T-47). Default 1 s.
    pub refusal_interval: Duration,
    /// Neighbours that were silent for so long are sent a NEIGHBOR, which repairs one-sided links (6.2). Default 60 s.
    pub refresh_period: Duration,

    /// A sample goes out this often. Default 15 s.
    pub shuffle_period: Duration,
    /// A node that has joined shuffles for the first time within this time, at random: until then it knows nobody but
    /// its neighbours, and could not outlive them. While its passive view holds fewer than A peers, it shuffles again
    /// after twice this time, four times and so on, up to `shuffle_period`. Default 500 ms.
    pub shuffle_first_within: Duration,
    /// Steps of a SHUFFLE walk; greater values from peers are taken as this. Default 4.
    pub shuffle_walk: u32,
    /// Entries of a SHUFFLE that are passed on; a last hop reads 2 * A of them (T-45). Default 64.
    pub shuffle_nodes_max: usize,
    /// A reply is awaited, and can be passed back, for so long. Default 10 s.
    pub shuffle_lifetime: Duration,
    /// Walks whose way back is remembered. Default 256.
    pub paths_max: usize,
    /// Entries learned from one sender hold at most the n-th part of the passive view (T-45). Default 4.
    pub passive_share: usize,
    /// Unasked SHUFFLE_REPLY of a peer in a minute beyond which it is a violation. Default 10.
    pub unasked_replies_max: u32,
    /// Whether an evicted neighbour gets a sample of A passive peers with its DISCONNECT (6.14). Default yes.
    pub parting_sample: bool,

    /// A shuffle goes to a bootstrap node or a passive peer this often (6.12). Default 5 min.
    pub island_period: Duration,
    /// One lost neighbour is tried this often (6.13). Default 1 min.
    pub lost_period: Duration,
    /// A lost neighbour is remembered for so long. Default 24 h.
    pub lost_lifetime: Duration,

    /// A temporary connection is released after this time. Default 10 s.
    pub temporary_lifetime: Duration,
    /// Temporary connections held at once. Default 16.
    pub temporary_max: usize,

    /// Whether peers are asked about with `CheckRegistered` (7.1). Default no.
    pub check_registration: bool,
    /// Messages that wait for the answer. Default 64.
    pub parked_max: usize,
    /// How long they wait. Default 5 s.
    pub parked_lifetime: Duration,

    /// Whether peers that have shown no field of 3.2 are treated by the rules (a) to (e) of 3.3. Default no.
    pub plain_peers: bool,
    /// A plain peer that dialled us and is silent so long may believe in a link (3.3 b). Default 2 s.
    pub plain_silence: Duration,
    /// A NEIGHBOR of a refused plain peer is answered at most once in this time (3.3 d). Default 10 s.
    pub plain_refusal_interval: Duration,

    /// Addresses kept of a peer. Default 8.
    pub addresses_max: usize,
    /// Bytes of an address; longer ones are dropped. Default 256.
    pub address_length_max: usize,
    /// Peers whose rates of JOIN, HIGH and the like are remembered, for a minute each. Default 256.
    pub conduct_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            network_size: 10_000,
            active_capacity: None,
            starved_below: None,
            passive_capacity: None,
            active_max: 32,
            jitter_percent: 10,
            join_walk: 3,
            join_fanout: 4,
            join_retry_min: Duration::from_secs(5),
            join_retry_max: Duration::from_secs(60),
            join_patience: Duration::from_secs(1),
            join_confirmations: 1,
            join_confirmation_within: Duration::from_secs(10),
            join_memory: Duration::from_secs(60),
            join_memory_max: 4096,
            join_interval: Duration::from_secs(5),
            bootstrap_max: 64,
            request_deadline_min: Duration::from_secs(1),
            request_deadline_max: Duration::from_secs(5),
            requests_in_flight: 3,
            tick: Duration::from_secs(1),
            refusal_backoff: Duration::from_secs(30),
            refusals_before_high: 3,
            eviction_backoff: Duration::from_secs(10),
            misconduct_backoff: Duration::from_secs(60),
            backoff_max: Duration::from_secs(3600),
            failures_max: 2,
            eviction_window: Duration::from_secs(10),
            fresh_link: Duration::from_secs(5),
            high_interval: Duration::from_secs(30),
            confirmation_interval: Duration::from_secs(5),
            refusal_interval: Duration::from_secs(1),
            refresh_period: Duration::from_secs(60),
            shuffle_period: Duration::from_secs(15),
            shuffle_first_within: Duration::from_millis(500),
            shuffle_walk: 4,
            shuffle_nodes_max: 64,
            shuffle_lifetime: Duration::from_secs(10),
            paths_max: 256,
            passive_share: 4,
            unasked_replies_max: 10,
            parting_sample: true,
            island_period: Duration::from_secs(300),
            lost_period: Duration::from_secs(60),
            lost_lifetime: Duration::from_secs(24 * 3600),
            temporary_lifetime: Duration::from_secs(10),
            temporary_max: 16,
            check_registration: false,
            parked_max: 64,
            parked_lifetime: Duration::from_secs(5),
            plain_peers: false,
            plain_silence: Duration::from_secs(2),
            plain_refusal_interval: Duration::from_secs(10),
            addresses_max: 8,
            address_length_max: 256,
            conduct_max: 256,
        }
    }
}
