//! The handshakes of a client: with every server that is announced, at once (`bob-relay.md` 5).

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use core::time::Duration;

use rand_core::CryptoRng;

use super::Stats;
use super::config::Config;
use super::derivation::Derivations;
use crate::bob::packet::{Body, POINT_LEN, PUBLIC_LEN, RelayFailure, SpokeFailure, Uid, VALIDATOR_LEN};
use crate::bob::peer::{Hall, is_routable};
use crate::bob::public::{Cipher, Public};
use crate::bob::spoke::{self, Keys};
use crate::bob::{Identity, Password};
use crate::deadline::{Deadlines, earliest};
use crate::stats::count;
use crate::time::Instant;

/// The servers that were announced, are not gone, and may have the password.
#[derive(Debug)]
pub(super) struct Servers {
    servers: BTreeMap<Uid, Server>,
    servers_max: usize,
    derivations: Derivations,
    count_min: u32,
    count_max: u32,
    password: Password,
    /// To whom we have said that we accept, and until when the relay may take to open the room.
    accepted: Option<(Uid, Instant)>,
    /// Those that are to say something, and until when that is awaited.
    awaited: Deadlines<Uid>,
    patience: Duration,
    /// Of all so far, how many have another password.
    failed: u64,
}

#[derive(Debug)]
struct Server {
    identity: Identity,
    ciphers: [Cipher; 2],
    run: Run,
}

/// Where the run with it stands.
#[derive(Debug)]
enum Run {
    Deriving,
    /// Our share was sent.
    Started(Box<spoke::Client>),
    /// Our proof was sent.
    Proven(Keys),
    /// It agrees: the person here decides.
    Offered(Keys),
}

/// Whom to meet, and how to read what it sends.
#[derive(Debug)]
pub(super) struct Partner {
    pub(super) identity: Identity,
    pub(super) keys: Keys,
    pub(super) ciphers: [Cipher; 2],
}

/// A server that is gone, or has another password.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Gone {
    /// The person was not asked about it.
    Unnoticed,
    /// The person was asked.
    Withdrawn,
}

impl Servers {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            servers: BTreeMap::new(),
            servers_max: config.servers_max,
            derivations: Derivations::new(config.derivation),
            count_min: config.derivation.count_min,
            count_max: config.derivation.count_max,
            password: config.password.clone(),
            accepted: None,
            awaited: Deadlines::new(),
            patience: config.relay.answer_timeout,
            failed: 0,
        }
    }

    /// How many may have the password, and how many do not.
    pub(super) fn census(&self) -> (usize, u64) {
        (self.servers.len(), self.failed)
    }

    /// 04: a server is announced, or again. Says 0d if its parameters cannot be taken.
    pub(super) fn announced(
        &mut self,
        uid: Uid,
        public: &[u8; PUBLIC_LEN],
        identity: Identity,
        hall: &mut Hall,
        stats: &mut Stats,
    ) -> Option<Gone> {
        let gone = self.forget(uid);
        let counts = self.count_min..=self.count_max;
        let public = Public::decode(public).ok().filter(|public| counts.contains(&public.count()));
        match public {
            None => {
                count(&mut stats.publics_refused);
                hall.say(uid, Body::SpokeFailure(SpokeFailure::InvalidPublic));
            }
            Some(_) if !is_routable(&identity) => count(&mut stats.unroutable),
            Some(_) if self.servers.len() >= self.servers_max => count(&mut stats.servers_shed),
            Some(public) if !self.derivations.push(uid, public, &self.password) => {
                count(&mut stats.left_out);
            }
            Some(public) => {
                let server = Server { identity, ciphers: public.ciphers(), run: Run::Deriving };
                self.servers.insert(uid, server);
            }
        }
        gone
    }

    /// Works on the passwords of servers, within `budget` iterations; those that are done are told our share: 07.
    pub(super) fn derive(
        &mut self,
        us: &Identity,
        budget: &mut u32,
        hall: &mut Hall,
        now: Instant,
        rng: &mut dyn CryptoRng,
    ) {
        while !hall.is_choked()
            && let Some((uid, secret)) = self.derivations.advance(budget)
        {
            let Some(server) = self.servers.get_mut(&uid) else { continue };
            let (share, client) = spoke::Client::start(&secret, rng);
            server.run = Run::Started(Box::new(client));
            hall.say(uid, Body::ClientShare { share, identity: us.clone() });
            self.awaited.set(uid, Some(now + self.patience));
        }
    }

    /// Whether there is something to derive.
    pub(super) fn is_deriving(&self) -> bool {
        !self.derivations.is_idle()
    }

    /// Whether it is our turn somewhere, or an answer is awaited.
    pub(super) fn is_authenticating(&self) -> bool {
        self.is_deriving() || !self.awaited.is_empty()
    }

    /// 06: a server answers. Proves to it that we know the password, or says that it does not.
    pub(super) fn answered(
        &mut self,
        uid: Uid,
        share: &[u8; POINT_LEN],
        validator: &[u8; VALIDATOR_LEN],
        us: &Identity,
        hall: &mut Hall,
        now: Instant,
    ) {
        let server = self.servers.get_mut(&uid).filter(|server| matches!(server.run, Run::Started(_)));
        let Some(server) = server else { return hall.report(RelayFailure::InvalidServer(uid)) };
        let Run::Started(client) = core::mem::replace(&mut server.run, Run::Deriving) else { return };
        match client.finish(share, validator, us.as_bytes(), server.identity.as_bytes()) {
            Ok((validator, keys)) => {
                server.run = Run::Proven(keys);
                hall.say(uid, Body::ClientValidator { validator });
                self.awaited.set(uid, Some(now + self.patience));
            }
            Err(failure) => {
                self.forget(uid);
                count(&mut self.failed);
                hall.say(uid, Body::SpokeFailure(failure));
            }
        }
    }

    /// 08: a server agrees. Its identity, if the person is to be asked.
    pub(super) fn agreed(&mut self, uid: Uid, hall: &mut Hall) -> Option<Identity> {
        let server = self.servers.get_mut(&uid);
        let Some(server) = server.filter(|server| matches!(server.run, Run::Proven(_) | Run::Offered(_)))
        else {
            hall.report(RelayFailure::NoHandshake(uid));
            return None;
        };
        match core::mem::replace(&mut server.run, Run::Deriving) {
            Run::Proven(keys) => {
                server.run = Run::Offered(keys);
                self.awaited.remove(&uid);
                Some(server.identity.clone())
            }
            run @ (Run::Deriving | Run::Started(_) | Run::Offered(_)) => {
                server.run = run;
                None
            }
        }
    }

    /// The person accepts: 0a, unless another was accepted before.
    pub(super) fn accept(&mut self, uid: Uid, hall: &mut Hall, now: Instant) {
        if self.accepted.is_none() && self.is_offered(uid) {
            self.accepted = Some((uid, now + self.patience));
            hall.say(uid, Body::Accepted);
        }
    }

    /// The person declines: 0b, and the others go on.
    pub(super) fn refuse(&mut self, uid: Uid, hall: &mut Hall) {
        if self.accepted() != Some(uid) && self.is_offered(uid) {
            self.servers.remove(&uid);
            hall.say(uid, Body::Refused);
        }
    }

    /// 0e: the relay has opened the room.
    pub(super) fn done(&mut self, hall: &mut Hall) -> Option<Partner> {
        let partner = self.accepted.take().and_then(|(uid, _)| {
            let Server { identity, ciphers, run } = self.servers.remove(&uid)?;
            match run {
                Run::Offered(keys) => Some(Partner { identity, keys, ciphers }),
                Run::Deriving | Run::Started(_) | Run::Proven(_) => None,
            }
        });
        if partner.is_none() {
            hall.report(RelayFailure::NoAgreement(Uid::RELAY));
        }
        partner
    }

    /// 0d: a server says that it fails with us.
    pub(super) fn fails(&mut self, uid: Uid) -> Option<Gone> {
        let gone = self.forget(uid);
        if gone.is_some() {
            count(&mut self.failed);
        }
        gone
    }

    /// 09: a server is gone. None if it was not known.
    pub(super) fn forget(&mut self, uid: Uid) -> Option<Gone> {
        self.derivations.remove(uid);
        self.awaited.remove(&uid);
        let server = self.servers.remove(&uid)?;
        if self.accepted() == Some(uid) {
            self.accepted = None;
        }
        Some(if matches!(server.run, Run::Offered(_)) { Gone::Withdrawn } else { Gone::Unnoticed })
    }

    /// Whether the person is being asked, or has accepted.
    pub(super) fn has_offer(&self) -> bool {
        self.servers.values().any(|server| matches!(server.run, Run::Offered(_)))
    }

    /// The relay does not open the room that we asked for: another client was faster, and nobody says so.
    pub(super) fn give_up(&mut self, now: Instant) -> Option<Uid> {
        let (uid, _) = self.accepted.filter(|(_, until)| *until <= now)?;
        self.forget(uid);
        Some(uid)
    }

    /// Servers that were silent for too long are awaited no more. Their runs stay: they, or the relay, may have let us
    /// wait in a line (T-34).
    pub(super) fn lose_patience(&mut self, now: Instant) {
        while self.awaited.pop_due(now).is_some() {}
    }

    /// When one of the two is due.
    pub(super) fn patience_ends(&self) -> Option<Instant> {
        earliest(self.accepted.map(|(_, until)| until), self.awaited.next())
    }

    fn accepted(&self) -> Option<Uid> {
        self.accepted.map(|(uid, _)| uid)
    }

    fn is_offered(&self, uid: Uid) -> bool {
        self.servers.get(&uid).is_some_and(|server| matches!(server.run, Run::Offered(_)))
    }
}
