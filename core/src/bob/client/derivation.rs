//! The password, as each server wants it: work that servers ask for, the cheapest first and a little at a time (T-34).

use alloc::collections::BTreeMap;

use super::config;
use crate::bob::Password;
use crate::bob::packet::Uid;
use crate::bob::public::Public;
use crate::bob::spoke::{Deriving, Secret};

/// What is to be derived.
#[derive(Debug)]
pub(super) struct Derivations {
    limits: config::Derivation,
    /// By count, then in the order in which they came.
    queue: BTreeMap<Place, (Uid, Deriving)>,
    places: BTreeMap<Uid, Place>,
    next_serial: u64,
    /// Iterations of servers that are not free, all that were ever taken.
    taken: u64,
}

type Place = (u32, u64);

/// What a server costs besides iterations: points and their multiplications, in iterations.
const OVERHEAD: u32 = 256;
/// Iterations for one of the count: so many blocks are derived.
const BLOCKS: u32 = 4;

impl Derivations {
    pub(super) const fn new(limits: config::Derivation) -> Self {
        Self { limits, queue: BTreeMap::new(), places: BTreeMap::new(), next_serial: 0, taken: 0 }
    }

    /// Takes a server's parameters in. False: it asks for too much, after what others have asked for.
    pub(super) fn push(&mut self, server: Uid, public: Public, password: &Password) -> bool {
        let iterations = u64::from(public.count()).saturating_mul(u64::from(BLOCKS));
        if public.count() > self.limits.free {
            let taken = self.taken.saturating_add(iterations);
            if taken > self.limits.iterations_max {
                return false;
            }
            self.taken = taken;
        }
        self.remove(server);
        let place = (public.count(), self.next_serial);
        self.next_serial = self.next_serial.saturating_add(1);
        self.queue.insert(place, (server, Deriving::new(public, password.as_bytes())));
        self.places.insert(server, place);
        true
    }

    /// The server is gone.
    pub(super) fn remove(&mut self, server: Uid) {
        if let Some(place) = self.places.remove(&server) {
            self.queue.remove(&place);
        }
    }

    /// Whether there is nothing to do.
    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_empty()
    }

    /// Works on the cheapest, within `budget` iterations, which it lowers. None: the budget is used up, or all is done.
    pub(super) fn advance(&mut self, budget: &mut u32) -> Option<(Uid, Secret)> {
        while *budget > 0 {
            let mut entry = self.queue.first_entry()?;
            let (server, deriving) = entry.get_mut();
            let whole = deriving.public().count().saturating_mul(BLOCKS);
            let iterations = whole.min(*budget);
            let secret = deriving.advance(iterations);
            let server = *server;
            *budget = budget.saturating_sub(iterations);
            if let Some(secret) = secret {
                entry.remove();
                self.places.remove(&server);
                *budget = budget.saturating_sub(OVERHEAD);
                return Some((server, secret));
            }
        }
        None
    }
}
