//! The client alone.
#![allow(clippy::wildcard_enum_match_arm)] // Tests look for a few of many outputs.

mod choices;
mod derivation;
mod end;
mod hall;
mod room;
mod transfer;

use alloc::vec::Vec;

use crate::bob::channel::{self, Sealer};
use crate::bob::client::{Client, Command, Config, Event};
use crate::bob::packet::{Body, Packet, Uid};
use crate::bob::peer::ROOM;
use crate::bob::peer::tests::bench::{Bench, identity, packet};
use crate::bob::peer::tests::world::takes;
use crate::bob::public::{Cipher, Public};
use crate::bob::spoke::{self, Keys, Response, Secret, Verifier};

pub(super) const PASSWORD: &str = "pear-hedge";
pub(super) const US: &str = "198.51.100.2:5000";
pub(super) const HOST: &str = "192.0.2.7:4000";
pub(super) const CIPHERS: [Cipher; 2] = [Cipher::Aes256Gcm, Cipher::ChaCha20Poly1305];

pub(super) type Desk = Bench<Client, Event>;

/// A client that has said hello.
pub(super) fn said_hello(config: Config) -> Desk {
    let mut desk = Bench::new(Client::new(config));
    assert_eq!(desk.enters(), [packet(0, Body::HelloAsClient)]);
    desk.events();
    desk
}

/// A client that is registered.
pub(super) fn registered() -> Desk {
    registered_with(takes(PASSWORD))
}

pub(super) fn registered_with(config: Config) -> Desk {
    let mut desk = said_hello(config);
    assert_eq!(desk.packet(0, Body::ClientIdentity { identity: identity(US) }), []);
    desk.events();
    desk
}

/// A server of the tests.
pub(super) struct Host {
    pub(super) uid: u16,
    name: &'static str,
    pub(super) public: Public,
    password: &'static str,
    verifier: Option<Verifier>,
    run: Option<spoke::Server>,
    pub(super) keys: Option<Keys>,
}

impl Host {
    /// One whose password costs so many iterations. Knows it only when asked.
    pub(super) fn costing(uid: u16, name: &'static str, password: &'static str, count: u32) -> Self {
        let public = Public::new(count, CIPHERS, [u8::try_from(uid % 256).unwrap(); 16]).unwrap();
        Self { uid, name, public, password, verifier: None, run: None, keys: None }
    }

    /// One with the right password.
    pub(super) fn friend(uid: u16) -> Self {
        Self::costing(uid, HOST, PASSWORD, 16)
    }

    /// One with another.
    pub(super) fn stranger(uid: u16) -> Self {
        Self::costing(uid, HOST, "plum-fence", 16)
    }

    /// 04
    pub(super) fn announcement(&self) -> Packet {
        let (server, public) = (Uid(self.uid), self.public.encode());
        packet(0, Body::NewServer { server, public, identity: identity(self.name) })
    }

    /// The answer to a 07: 06.
    pub(super) fn answer(&mut self, desk: &mut Desk, said: &[Packet]) -> Packet {
        let [Packet { uid, body: Body::ClientShare { share, identity: name } }] = said else {
            panic!("{said:?}")
        };
        assert_eq!((*uid, name), (Uid(self.uid), &identity(US)));
        let (public, password) = (self.public, self.password.as_bytes());
        let verifier = self.verifier.get_or_insert_with(|| Secret::derive(public, password).verifier());
        let (us, them) = (self.name.as_bytes(), US.as_bytes());
        let (response, run) = spoke::Server::respond(verifier, share, them, us, &mut desk.rng).unwrap();
        self.run = Some(run);
        let Response { y: share, validator } = response;
        packet(self.uid, Body::ServerShare { share, validator })
    }

    /// 04 to 05, which is right.
    pub(super) fn proven(&mut self, desk: &mut Desk) {
        let said = desk.packets(&[self.announcement()]);
        let answer = self.answer(desk, &said);
        let said = desk.packets(&[answer]);
        let [Packet { uid, body: Body::ClientValidator { validator } }] = said.as_slice() else {
            panic!("{said:?}")
        };
        assert_eq!(*uid, Uid(self.uid));
        self.keys = Some(self.run.take().unwrap().finish(validator).unwrap());
    }

    /// 04 to 08.
    pub(super) fn offers(&mut self, desk: &mut Desk) {
        self.proven(desk);
        assert_eq!(desk.packet(self.uid, Body::Agreement), []);
    }
}

/// A client that has accepted a server, and is on the way to the room.
pub(super) fn accepted(config: Config) -> (Desk, Host) {
    let mut desk = registered_with(config);
    let mut host = Host::friend(1);
    host.offers(&mut desk);
    desk.command(Command::Accept { server: Uid(1) });
    assert_eq!(desk.said(), [packet(1, Body::Accepted)]);
    assert_eq!(desk.packet(0, Body::Done), []);
    desk.events();
    (desk, host)
}

/// A client that is with its server, and what seals for it.
pub(super) fn together(config: Config) -> (Desk, Sealer) {
    let (mut desk, host) = accepted(config);
    desk.goes_to_room();
    desk.acts();
    desk.hears(ROOM, b"00");
    desk.events();
    let (sealer, _) = channel::of_server(host.keys.as_ref().unwrap(), CIPHERS);
    (desk, sealer)
}

/// What was handed over.
pub(super) fn content(events: &[Event]) -> Vec<u8> {
    let pieces = events.iter().filter_map(|event| match event {
        Event::Content { bytes } => Some(bytes.as_ref()),
        _ => None,
    });
    pieces.collect::<Vec<_>>().concat()
}
