//! A simulated host: a machine with its clock, generator, links and store.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use pleach_core::Machine;
use pleach_core::identity::PublicKey;
use pleach_core::link::{Address, Answer, LinkId, ListenerId, Question};
use rand_chacha::ChaCha8Rng;

use super::Stop;
use super::connection::Side;
use crate::queue::Alarm;

/// How long the outer world takes to answer.
pub(super) const STORE_DELAY: Duration = Duration::from_millis(1);
/// The port of a listener that asked for any.
const PORT: u16 = 7411;
/// Ports of dials lie from here upwards.
const EPHEMERAL: u16 = 32_768;

#[derive(Debug)]
pub(super) struct Host<M> {
    pub(super) machine: M,
    /// Its address, which it may share with others.
    pub(super) ip: IpAddr,
    pub(super) rng: ChaCha8Rng,
    pub(super) wall_offset_ms: i64,
    /// How it stopped, if it has.
    pub(super) stopped: Option<Stop>,
    pub(super) alarm: Alarm,
    pub(super) links: BTreeMap<LinkId, (u64, Side)>,
    /// Ends that the last call of the machine changed, in order.
    pub(super) touched: Vec<(u64, Side)>,
    pub(super) store: BTreeMap<String, Bytes>,
}

impl<M: Machine> Host<M> {
    pub(super) const fn new(machine: M, ip: IpAddr, rng: ChaCha8Rng, wall_offset_ms: i64) -> Self {
        Self {
            machine,
            ip,
            rng,
            wall_offset_ms,
            stopped: None,
            alarm: Alarm::OFF,
            links: BTreeMap::new(),
            touched: Vec::new(),
            store: BTreeMap::new(),
        }
    }

    pub(super) const fn is_alive(&self) -> bool {
        self.stopped.is_none()
    }

    /// Answers what every driver can; gives back a question of the network's own kind.
    pub(super) fn answer<A, Q>(&mut self, question: Question<Q>) -> Result<Answer<A>, Q> {
        Ok(match question {
            // Simulated hosts have no names.
            Question::Resolve { host: _ } => Answer::Resolved(Vec::new()),
            Question::Load { key } => Answer::Loaded(self.store.get(&key).cloned()),
            Question::Store { key, value } => {
                match value {
                    Some(value) => self.store.insert(key, value),
                    None => self.store.remove(&key),
                };
                Answer::Stored(true)
            }
            Question::Verify(job) => {
                Answer::Verified(PublicKey(job.key).verify(&job.message, &job.signature))
            }
            Question::Other(other) => return Err(other),
        })
    }
}

/// The address at which a host listens by default: every host has a /24 of its own.
#[must_use]
pub const fn address(node: u32) -> SocketAddr {
    SocketAddr::new(ip(node), PORT)
}

/// Where a listener is bound; each further listener of a host has a port of its own. Hosts that share an address share
/// its ports as well.
pub(super) fn bind(ip: IpAddr, listener: ListenerId, wanted: &Address) -> Option<SocketAddr> {
    let Address::Socket(wanted) = wanted else { return None };
    let further = u16::try_from(listener.0 % 1024).unwrap_or_default();
    let port = if wanted.port() == 0 { PORT + further } else { wanted.port() };
    Some(SocketAddr::new(ip, port))
}

/// From where a dial comes: a port is used again after 32 767 further dials, of whatever host.
pub(super) fn ephemeral(ip: IpAddr, connection: u64) -> SocketAddr {
    let offset = u16::try_from(connection % u64::from(u16::MAX - EPHEMERAL)).unwrap_or_default();
    SocketAddr::new(ip, EPHEMERAL + offset)
}

/// `10.0.0.1`, `10.0.1.1`, and so on: room for 65 536 hosts in 10/8, then on into the networks above.
pub(super) const fn ip(node: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits((10 << 24) + (node << 8) + 1))
}
