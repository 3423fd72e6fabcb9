//! The handshakes of a server: with every client that tries, at once (`bob-relay.md` 5).

use alloc::collections::BTreeMap;
use core::time::Duration;

use rand_core::CryptoRng;

use super::Stats;
use super::config::Config;
use super::guesses::{Failed, Guesses};
use crate::bob::Identity;
use crate::bob::packet::{Body, POINT_LEN, RelayFailure, SpokeFailure, Uid, VALIDATOR_LEN};
use crate::bob::peer::{Hall, is_routable};
use crate::bob::spoke::{self, Keys, Response, Verifier};
use crate::deadline::{Deadlines, earliest};
use crate::stats::{count, count_by};
use crate::time::Instant;

/// The clients that have tried and are not forgotten.
#[derive(Debug)]
pub(super) struct Clients {
    clients: BTreeMap<Uid, Client>,
    clients_max: usize,
    guesses: Guesses,
    /// Until when those that were answered may take to prove that they have the password.
    proofs: Deadlines<Uid>,
    patience: Duration,
    next_serial: u64,
}

#[derive(Debug)]
struct Client {
    /// In the order of the latest tries.
    serial: u64,
    identity: Identity,
    run: Run,
    /// The keys of a run that succeeded. They stay when another run begins, and go when it fails: then the relay parts
    /// the two, and would not take the acceptance.
    agreed: Option<Keys>,
}

/// Where its latest run stands.
#[derive(Debug)]
enum Run {
    /// Its share waits for an answer.
    Waiting([u8; POINT_LEN]),
    /// Answered: its validator is awaited.
    Answered(spoke::Server),
    Over,
}

/// What came of a packet, for the application.
#[derive(Debug)]
pub(super) enum Outcome {
    /// A handshake failed; so many of that address have. If they are too many, those of it that wait are cut off.
    Failed { identity: Identity, failures: u32, cut_off: usize },
    /// A client has the password.
    Agreed(Identity),
    /// A client accepts: these are the keys.
    Accepted(Identity, Keys),
}

impl Clients {
    pub(super) const fn new(config: &Config) -> Self {
        Self {
            clients: BTreeMap::new(),
            clients_max: config.clients_max,
            guesses: Guesses::new(config.guesses),
            proofs: Deadlines::new(),
            patience: config.relay.answer_timeout,
            next_serial: 0,
        }
    }

    /// 07: somebody tries. Answered by [`Clients::answer_next`] when it is its turn.
    pub(super) fn try_begins(
        &mut self,
        client: Uid,
        share: [u8; POINT_LEN],
        identity: Identity,
        now: Instant,
        stats: &mut Stats,
    ) -> Option<Outcome> {
        let failed = self.run_ends(client, now);
        if !is_routable(&identity) {
            count(&mut stats.unroutable);
            return failed;
        }
        // First whether it may try at all: who may not costs nobody its place.
        if !self.guesses.arrive(&identity, client, now) {
            count(&mut stats.cut_off);
            return failed;
        }
        if !self.clients.contains_key(&client) && !self.make_room(now, stats) {
            self.guesses.withdraw(&identity, client);
            return failed;
        }
        // Whose place it takes may have been the last guess that its address had.
        if !self.guesses.waits(&identity, client) {
            return failed;
        }
        let agreed = self.clients.remove(&client).and_then(|before| before.agreed);
        let serial = self.next_serial;
        self.next_serial = serial.saturating_add(1);
        self.clients.insert(client, Client { serial, identity, run: Run::Waiting(share), agreed });
        failed
    }

    /// Answers whose turn it is: 06, or 0d if its share is none.
    pub(super) fn answer_next(
        &mut self,
        verifier: &Verifier,
        us: &Identity,
        hall: &mut Hall,
        now: Instant,
        rng: &mut dyn CryptoRng,
    ) -> Option<Outcome> {
        let uid = self.guesses.next_turn(now)?;
        let client = self.clients.get_mut(&uid)?;
        let Run::Waiting(share) = client.run else { return None };
        let them = client.identity.clone();
        match spoke::Server::respond(verifier, &share, them.as_bytes(), us.as_bytes(), rng) {
            Ok((Response { y: share, validator }, server)) => {
                client.run = Run::Answered(server);
                self.proofs.set(uid, Some(now + self.patience));
                hall.say(uid, Body::ServerShare { share, validator });
                None
            }
            Err(failure) => {
                hall.say(uid, Body::SpokeFailure(failure));
                self.clients.remove(&uid);
                Some(self.fails(them, now))
            }
        }
    }

    /// 05: the proof of somebody that was answered.
    pub(super) fn prove(
        &mut self,
        uid: Uid,
        validator: &[u8; VALIDATOR_LEN],
        hall: &mut Hall,
        now: Instant,
    ) -> Option<Outcome> {
        let client = self.clients.get_mut(&uid).filter(|client| matches!(client.run, Run::Answered(_)));
        let Some(client) = client else {
            hall.report(RelayFailure::InvalidClient(uid));
            return None;
        };
        let Run::Answered(server) = core::mem::replace(&mut client.run, Run::Over) else { return None };
        self.proofs.remove(&uid);
        let identity = client.identity.clone();
        match server.finish(validator) {
            Ok(keys) => {
                client.agreed = Some(keys);
                self.guesses.agreed(&identity);
                hall.say(uid, Body::Agreement);
                Some(Outcome::Agreed(identity))
            }
            Err(failure) => {
                self.clients.remove(&uid);
                hall.say(uid, Body::SpokeFailure(failure));
                Some(self.fails(identity, now))
            }
        }
    }

    /// 0a: somebody accepts.
    pub(super) fn accept(&mut self, uid: Uid, hall: &mut Hall) -> Option<Outcome> {
        let agreed = self.clients.get_mut(&uid).and_then(|client| {
            let keys = client.agreed.take()?;
            Some(Outcome::Accepted(client.identity.clone(), keys))
        });
        if agreed.is_none() {
            hall.report(RelayFailure::NoHandshake(uid));
        }
        agreed
    }

    /// 0b, 0d, 09: somebody is gone, or has had enough.
    pub(super) fn forget(&mut self, uid: Uid, now: Instant) -> Option<Outcome> {
        let failed = self.run_ends(uid, now);
        self.clients.remove(&uid);
        failed
    }

    /// Somebody was answered and has proven nothing in time: it fails as with a wrong proof. Nobody may tell that it is
    /// gone (6.8), and it has what it needs to check its guess.
    pub(super) fn give_up(&mut self, hall: &mut Hall, now: Instant) -> Option<Outcome> {
        let uid = self.proofs.pop_due(now)?;
        hall.say(uid, Body::SpokeFailure(SpokeFailure::InvalidServerValidator));
        self.forget(uid, now)
    }

    /// Whether it is somebody's turn to be answered.
    pub(super) fn has_turn(&self, now: Instant) -> bool {
        self.guesses.due().is_some_and(|due| due <= now)
    }

    /// When somebody is to be answered or given up.
    pub(super) fn due(&self) -> Option<Instant> {
        earliest(self.guesses.due(), self.proofs.next())
    }

    /// Whether somebody has the password.
    pub(super) fn has_agreement(&self) -> bool {
        self.clients.values().any(|client| client.agreed.is_some())
    }

    /// Whether a handshake is under way.
    pub(super) fn has_run(&self) -> bool {
        self.clients.values().any(|client| !matches!(client.run, Run::Over))
    }

    fn fails(&mut self, identity: Identity, now: Instant) -> Outcome {
        let Failed { failures, cut_off } = self.guesses.failed(&identity, now);
        for uid in &cut_off {
            let Some(client) = self.clients.get_mut(uid) else { continue };
            client.run = Run::Over;
            if client.agreed.is_none() {
                self.clients.remove(uid);
            }
        }
        Outcome::Failed { identity, failures, cut_off: cut_off.len() }
    }

    /// The run of a client ends, whatever comes after it. One that was answered and led to nothing was a guess.
    fn run_ends(&mut self, uid: Uid, now: Instant) -> Option<Outcome> {
        let client = self.clients.get_mut(&uid)?;
        let identity = client.identity.clone();
        match core::mem::replace(&mut client.run, Run::Over) {
            Run::Waiting(_) => {
                self.guesses.withdraw(&identity, uid);
                None
            }
            Run::Answered(_) => {
                self.proofs.remove(&uid);
                Some(self.fails(identity, now))
            }
            Run::Over => None,
        }
    }

    /// Forgets somebody that has not agreed, if there is no room for another: first who waits, then the oldest.
    fn make_room(&mut self, now: Instant, stats: &mut Stats) -> bool {
        if self.clients.len() < self.clients_max {
            return true;
        }
        count(&mut stats.clients_shed);
        let strangers = self.clients.iter().filter(|(_, client)| client.agreed.is_none());
        let order = |client: &Client| (!matches!(client.run, Run::Waiting(_)), client.serial);
        let first = strangers.min_by_key(|(_, client)| order(client)).map(|(uid, _)| *uid);
        // It is the application's business no more, but one that was answered stays a guess.
        first.is_some_and(|uid| {
            if let Some(Outcome::Failed { cut_off, .. }) = self.run_ends(uid, now) {
                count_by(&mut stats.cut_off, cut_off);
            }
            self.clients.remove(&uid).is_some()
        })
    }
}
