//! The server alone.
#![allow(clippy::wildcard_enum_match_arm)] // Tests look for a few of many outputs.

mod choices;
mod end;
mod guesses;
mod hall;
mod room;
mod transfer;

use crate::bob::packet::{Body, Packet, SpokeFailure, Uid};
use crate::bob::peer::tests::bench::{Bench, identity, packet};
use crate::bob::peer::tests::world::sends;
use crate::bob::public::Public;
use crate::bob::server::{Config, Event, Server};
use crate::bob::spoke::{self, Keys, Secret};

pub(super) const PASSWORD: &str = "pear-hedge";
pub(super) const US: &str = "192.0.2.7:4000";

pub(super) type Desk = Bench<Server, Event>;

/// A server that has said hello, and its parameters.
pub(super) fn said_hello(config: Config) -> (Desk, Public) {
    let mut desk = Bench::new(Server::new(config).unwrap());
    let hello = desk.enters();
    let [Packet { uid: Uid::RELAY, body: Body::HelloAsServer { public } }] = hello.as_slice() else {
        panic!("{hello:?}")
    };
    (desk, Public::decode(public).unwrap())
}

/// A server of some bytes that is registered.
pub(super) fn registered() -> (Desk, Public) {
    registered_with(sends(PASSWORD, b"beech"))
}

pub(super) fn registered_with(config: Config) -> (Desk, Public) {
    let (mut desk, public) = said_hello(config);
    assert_eq!(desk.packet(0, Body::ServerIdentity { identity: identity(US) }), []);
    desk.events();
    (desk, public)
}

/// A client of the tests.
pub(super) struct Guest {
    pub(super) uid: u16,
    pub(super) name: &'static str,
    secret: Secret,
    run: Option<spoke::Client>,
    pub(super) keys: Option<Keys>,
}

impl Guest {
    pub(super) fn new(uid: u16, name: &'static str, public: Public, password: &str) -> Self {
        Self { uid, name, secret: Secret::derive(public, password.as_bytes()), run: None, keys: None }
    }

    /// One with the right password.
    pub(super) fn friend(uid: u16, name: &'static str, public: Public) -> Self {
        Self::new(uid, name, public, PASSWORD)
    }

    /// One with another.
    pub(super) fn guesser(uid: u16, name: &'static str, public: Public) -> Self {
        Self::new(uid, name, public, "plum-fence")
    }

    /// 07
    pub(super) fn share(&mut self, desk: &mut Desk) -> Packet {
        let (share, run) = spoke::Client::start(&self.secret, &mut desk.rng);
        self.run = Some(run);
        packet(self.uid, Body::ClientShare { share, identity: identity(self.name) })
    }

    /// What the client says to a 06: 05, or 0d if its password is another.
    pub(super) fn prove(&mut self, answer: &[Packet]) -> Packet {
        let [Packet { uid, body: Body::ServerShare { share, validator } }] = answer else {
            panic!("{answer:?}")
        };
        assert_eq!(*uid, Uid(self.uid));
        let run = self.run.take().unwrap();
        match run.finish(share, validator, self.name.as_bytes(), US.as_bytes()) {
            Ok((validator, keys)) => {
                self.keys = Some(keys);
                packet(self.uid, Body::ClientValidator { validator })
            }
            Err(failure) => packet(self.uid, Body::SpokeFailure(failure)),
        }
    }

    /// 07 to 08.
    pub(super) fn agrees(&mut self, desk: &mut Desk) {
        let share = self.share(desk);
        let answer = desk.packets(&[share]);
        let proof = self.prove(&answer);
        assert_eq!(desk.packets(&[proof]), [packet(self.uid, Body::Agreement)]);
    }

    /// A try with another password, answered at once.
    pub(super) fn fails(&mut self, desk: &mut Desk) {
        let share = self.share(desk);
        let answer = desk.packets(&[share]);
        let proof = self.prove(&answer);
        assert_eq!(proof.body, Body::SpokeFailure(SpokeFailure::InvalidClientValidator));
        assert_eq!(desk.packets(&[proof]), []);
    }
}

/// A server and a client that is accepted: on the way to the room.
pub(super) fn accepted(config: Config) -> (Desk, Guest) {
    let (mut desk, public) = registered_with(config);
    let mut guest = Guest::friend(2, "198.51.100.2:5000", public);
    guest.agrees(&mut desk);
    desk.packets(&[packet(2, Body::Accepted)]);
    desk.events();
    (desk, guest)
}
