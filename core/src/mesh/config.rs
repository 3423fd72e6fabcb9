//! The configuration of a node, and the two presets.

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use bytes::Bytes;

use super::establishment::{METADATA_MAX, NETWORK_MAX};
use crate::admission::Level;
use crate::identity::PeerId;
use crate::identity::stamp::Stamp;
use crate::link::Address;
use crate::peers::{self, dial};
use crate::{admission, broadcast, channel, heads, overlay, queue, session};

/// Peers that take part.
const MEMBER: Level = Level(1);
/// Those of them that the configuration prefers.
const PRIVILEGED: Level = Level(2);
/// What nodes of Solcial speak about (`overlay` 2).
const SOLCIAL_TOPICS: [&str; 4] =
    ["/solcial/public", "/solcial/content", "/solcial/sync", "/solcial/keyexchange"];

/// A node of the mesh. Start from [`Config::native`] or [`Config::solcial`].
#[derive(Clone, Debug)]
pub struct Config {
    /// The network's name, 1..64 bytes of UTF-8, compared byte for byte. Default `pleach`.
    pub network: String,
    /// Tells nodes of one key apart in HEADs. Default 0.
    pub node_id: u32,
    /// The program that HEADs name, 1..32 bytes. Default `pleach`.
    pub software: String,
    /// Its version, 1..16 bytes. Default that of this crate.
    pub version: String,
    /// The program and version that identify names. Default both of the above.
    pub agent: String,
    /// The family of protocols that identify names (`connectivity` 4). Default `solcial/1.0.0`.
    pub protocol_version: String,
    /// Where to listen; port 0 takes a free one. Default nowhere.
    pub listen: Vec<Address>,
    /// Where to join through, and who is expected there.
    pub bootstrap: Vec<(Address, Option<PeerId>)>,
    /// Peers of the book that a stranded topic is told of, each time. Default 16.
    pub company_max: usize,
    /// Places to join through in all. Default 64.
    pub bootstrap_max: usize,
    /// Wait before a place whose peer is not known is dialled again; doubles. Default 5 s.
    pub bootstrap_retry_min: Duration,
    /// The longest such wait. Default 60 s.
    pub bootstrap_retry_max: Duration,

    /// Whether links must be established by `mesh` 2 before the overlay uses them. `native` yes, `solcial` no.
    pub establishment: bool,
    /// Our proof of work, for networks that demand one. Default none.
    pub stamp: Option<Stamp>,
    /// Bits of work demanded of a peer. Default 0: none.
    pub difficulty: u32,
    /// Told to every peer, for its application; at most 1024 bytes. Default empty.
    pub metadata: Bytes,
    /// Whether the application is asked about each peer and its metadata, through `Event::Admission`. Default no.
    pub ask_admission: bool,
    /// Peers of a higher priority than others: when all places are taken, an incoming link of another goes for theirs.
    /// Default none.
    pub privileged: Vec<PeerId>,
    /// Whether only those are let in. Default no.
    pub privileged_only: bool,
    /// A peer that dialled us and has not begun the establishment in this time is a plain one (E8). Default 5 s.
    pub silent_timeout: Duration,

    /// Whether HEADs are spread. `native` yes, `solcial` no.
    pub heads: bool,
    /// Who checks payloads.
    pub validation: Validation,
    /// Who may take part.
    pub registration: Registration,
    /// How long a yes of the application holds. A linked peer is asked about again when it ends. Default 1 h.
    pub registered_lifetime: Duration,
    /// How long a yes holds, from when it was given, while the application does not answer: an outage must not dissolve
    /// the overlay. Default 24 h.
    pub registered_grace: Duration,
    /// In this time it is asked again about a peer whose earlier yes holds on. Default 60 s.
    pub registered_retry: Duration,
    /// How long a no holds. Default 60 s.
    pub unregistered_lifetime: Duration,
    /// A question without an answer after this time counts as not answered; it is asked again while a link waits for it.
    /// Default 5 s, at least 1 ms.
    pub registration_timeout: Duration,
    /// Questions at once. Default 32.
    pub registration_questions_max: usize,
    /// Questions about linked peers that wait for those. Beyond, peers that are not known to be registered are refused.
    /// Default 256.
    pub registration_queue_max: usize,
    /// Questions about peers that others name, in HEADs or to the overlay, that wait behind those. They have half of the
    /// places at most. Beyond, they are not asked. Default 256.
    pub registration_named_max: usize,
    /// Answers kept of each kind. Default 4096.
    pub registrations_max: usize,

    /// Estimated number of nodes until a command says otherwise. Default 10 000.
    pub network_size: u64,
    /// Topics to take part in from the start, until [`Command::Leave`](super::Command::Leave). At most `topics_max`.
    /// `native` none, `solcial` the four of Solcial (`overlay` 2).
    pub topics: Vec<String>,
    /// Topics at once. Default 64.
    pub topics_max: usize,
    /// Bytes of a topic's name. Default 256.
    pub topic_name_max: usize,
    /// A peer is told so often at most that a topic is not ours. Default 60 s.
    pub told_unknown_interval: Duration,
    /// Peers for which that is remembered. Default 1024.
    pub told_unknown_max: usize,
    /// The largest frame of a message between overlays, in bytes; a larger one is not taken up. Default 64 KiB (`overlay` 1).
    pub membership_max: usize,
    /// Bytes of unfinished frames on all links together. Beyond, the streams whose frames have waited longest are reset.
    /// Default 64 MiB (`overlay` 1).
    pub partial_frames_max: usize,
    /// A lost outbound stream is opened again after this time. Default 1 s.
    pub reopen_delay: Duration,
    /// A peer whose queue was full for so long counts as failed. Default 10 s.
    pub congestion_timeout: Duration,
    /// A link that no topic needs any more is closed after this time. Default 2 s.
    pub release_delay: Duration,
    /// A shutdown takes so long at most. Default 5 s.
    pub stop_timeout: Duration,

    /// The overlay of each topic.
    pub overlay: overlay::Config,
    /// The broadcast instance of each topic.
    pub broadcast: broadcast::Config,
    /// The table of HEADs; its size of the network and admission are those above.
    pub head_table: heads::Config,
    /// The channel of each link.
    pub channel: channel::Config,
    /// The session of each link. `native` waits 10 s for an answer about a peer, as `mesh` E1 has it; `solcial` 30 s
    /// (`identity-and-content` 2.1) and so 40 s for the whole handshake, of which the channel takes 10 s at most.
    pub session: session::Config,
    /// The table of links.
    pub admission: admission::Config,
    /// The peer book.
    pub peers: peers::Config,
    /// The dialler.
    pub dialling: dial::Config,
    /// What waits for a peer that does not read, per stream.
    pub outgoing: queue::Config,
}

/// Who checks payloads before they are delivered and relayed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Validation {
    /// Payloads carry author and signature ([`super::signed`]); the node checks them itself. The `native` preset.
    Signed,
    /// The application, through `Event::Validate`. The `solcial` preset.
    Application,
    /// Nobody: everything is good.
    None,
}

/// Who may take part (`identity-and-content` 2.1).
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Registration {
    /// Everybody. The `native` preset.
    Open,
    /// These peers.
    AllowList(Vec<PeerId>),
    /// Whom the application says, through `Event::Registration`. The `solcial` preset.
    Query,
}

impl Config {
    /// Our own network: links established, HEADs spread, payloads signed, everybody registered.
    #[must_use]
    pub fn native() -> Self {
        let version = env!("CARGO_PKG_VERSION").to_string();
        let mut agent = String::from("pleach/");
        agent.push_str(&version);
        Self {
            network: "pleach".to_string(),
            node_id: 0,
            software: "pleach".to_string(),
            version,
            agent,
            protocol_version: "solcial/1.0.0".to_string(),
            listen: Vec::new(),
            bootstrap: Vec::new(),
            company_max: 16,
            bootstrap_max: 64,
            bootstrap_retry_min: Duration::from_secs(5),
            bootstrap_retry_max: Duration::from_secs(60),
            establishment: true,
            stamp: None,
            difficulty: 0,
            metadata: Bytes::new(),
            ask_admission: false,
            privileged: Vec::new(),
            privileged_only: false,
            silent_timeout: Duration::from_secs(5),
            heads: true,
            validation: Validation::Signed,
            registration: Registration::Open,
            registered_lifetime: Duration::from_secs(3600),
            registered_grace: Duration::from_secs(24 * 3600),
            registered_retry: Duration::from_secs(60),
            unregistered_lifetime: Duration::from_secs(60),
            registration_timeout: Duration::from_secs(5),
            registration_questions_max: 32,
            registration_queue_max: 256,
            registration_named_max: 256,
            registrations_max: 4096,
            network_size: 10_000,
            topics: Vec::new(),
            topics_max: 64,
            topic_name_max: 256,
            told_unknown_interval: Duration::from_secs(60),
            told_unknown_max: 1024,
            membership_max: 64 * 1024,
            partial_frames_max: 64 * 1024 * 1024,
            reopen_delay: Duration::from_secs(1),
            congestion_timeout: Duration::from_secs(10),
            release_delay: Duration::from_secs(2),
            stop_timeout: Duration::from_secs(5),
            overlay: overlay::Config::default(),
            broadcast: broadcast::Config { validate: true, ..broadcast::Config::default() },
            head_table: heads::Config::default(),
            channel: channel::Config::default(),
            session: session::Config::default(),
            admission: admission::Config::default(),
            peers: peers::Config::default(),
            dialling: dial::Config::default(),
            outgoing: queue::Config::default(),
        }
    }

    /// Solcial's network, with nodes of the original library in it: no establishment, no HEADs, any ids, the application
    /// validates and knows who is registered.
    #[must_use]
    pub fn solcial() -> Self {
        let native = Self::native();
        Self {
            network: "solcial".to_string(),
            establishment: false,
            heads: false,
            validation: Validation::Application,
            registration: Registration::Query,
            topics: SOLCIAL_TOPICS.iter().map(ToString::to_string).collect(),
            overlay: overlay::Config { plain_peers: true, ..native.overlay },
            broadcast: broadcast::Config { ids: broadcast::Ids::Opaque, ..native.broadcast },
            session: session::Config {
                answer: Duration::from_secs(30),
                handshake: Duration::from_secs(40),
                ..native.session
            },
            ..native
        }
    }

    /// Checks what types cannot: names, their lengths and number.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if !(1..=NETWORK_MAX).contains(&self.network.len()) {
            return Err(ConfigError::Network);
        }
        if self.metadata.len() > METADATA_MAX {
            return Err(ConfigError::Metadata);
        }
        if self.topics.len() > self.topics_max || !self.topics.iter().all(|topic| self.is_topic(topic)) {
            return Err(ConfigError::Topics);
        }
        Ok(())
    }

    /// Whether a topic may have this name.
    pub(super) const fn is_topic(&self, name: &str) -> bool {
        !name.is_empty() && name.len() <= self.topic_name_max
    }

    /// What the table of links is made with.
    pub(super) fn admission_config(&self) -> admission::Config {
        let level_min = self.admission.level_min;
        let level_min = if self.privileged_only { level_min.max(PRIVILEGED) } else { level_min };
        admission::Config { level_min, ..self.admission }
    }

    /// How much a link to this peer is worth, if it takes part; strangers have [`Level::STRANGER`].
    pub(super) fn level_of(&self, peer: &PeerId) -> Level {
        if self.privileged.contains(peer) { PRIVILEGED } else { MEMBER }
    }

    /// What the overlay of a topic is made with.
    pub(super) fn overlay_config(&self) -> Arc<overlay::Config> {
        let check_registration = self.registration != Registration::Open;
        let network_size = self.network_size;
        Arc::new(overlay::Config { check_registration, network_size, ..self.overlay.clone() })
    }
}

/// A configuration that no node can be made of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ConfigError {
    /// The network's name has no bytes, or more than 64.
    Network,
    /// There are more than 1024 bytes of metadata.
    Metadata,
    /// There are more topics than `topics_max`, or the name of one has no bytes, or more than `topic_name_max`.
    Topics,
    /// The software's name does not have 1 to 32 bytes, or its version not 1 to 16.
    Software,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Network => "the name of a network has 1 to 64 bytes",
            Self::Metadata => "metadata has at most 1024 bytes",
            Self::Topics => "too many topics, or one with a name that is empty or too long",
            Self::Software => "the name of a software has 1 to 32 bytes, its version 1 to 16",
        })
    }
}

impl core::error::Error for ConfigError {}

#[cfg(test)]
mod tests;
