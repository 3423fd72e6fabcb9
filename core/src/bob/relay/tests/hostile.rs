//! T-66, T-13, T-65: whoever breaks the protocol costs its own link only.

use alloc::vec::Vec;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use super::super::{Departure, Port};
use super::SECOND;
use super::scene::{Person, Scene, answer, encoded, share_of};
use crate::bob::packet::{Body, PUBLIC_LEN, Packet, SpokeFailure, Uid};
use crate::link::{Cause, LinkId};

/// An honest pair's handshake, a step at a time, and then its transfer; whatever happens in between.
struct Honest {
    client: Person,
    server: Person,
    step: usize,
}

impl Honest {
    fn new(scene: &mut Scene) -> Self {
        let (server, client) = (scene.server([10, 0, 0, 1]), scene.client([10, 0, 0, 2]));
        Self { client, server, step: 0 }
    }

    fn hears(scene: &mut Scene, who: &Person, from: &Person, body: Body) {
        let expected = Packet { uid: from.uid, body };
        let heard = scene.hears(who.link);
        assert!(heard.contains(&expected), "{expected:?} is not among {heard:?}");
    }

    fn go_on(&mut self, scene: &mut Scene) {
        let (client, server) = (&self.client, &self.server);
        let (from, to, body) = match self.step {
            0 => (client, server, share_of(&client.name)),
            1 => (server, client, answer()),
            2 => (client, server, Body::ClientValidator { validator: [5; 64] }),
            3 => (server, client, Body::Agreement),
            _ => (client, server, Body::Accepted),
        };
        scene.say(from.link, to.uid, body.clone());
        Self::hears(scene, to, from, body);
        self.step += 1;
    }

    fn finish(mut self, scene: &mut Scene) {
        while self.step < 5 {
            self.go_on(scene);
        }
        assert!(scene.hears(self.client.link).contains(&Packet::of_relay(Body::Done)));
        let receiver = scene.names([10, 0, 0, 2], &self.server.name);
        let sender = scene.names([10, 0, 0, 1], &self.client.name);
        scene.bytes(sender, b"a file");
        assert_eq!(scene.hears_bytes(receiver), b"00a file".as_slice());
        scene.leave(receiver);
        assert_eq!(scene.hears_bytes(sender), b"00\xff\xff\xff\xff".as_slice());
    }
}

#[test]
fn t66_each_breach_costs_its_link_only() {
    let mut scene = Scene::new();
    let mut honest = Honest::new(&mut scene);
    let long = [b"000002".as_slice(), &[b'x'; 300]].concat();
    let breaches: [&[u8]; 6] = [&long, b"zzzzzz", b"000110", b"0000090g00", b"00000cX0001", b"00010d\x09"];
    for (number, breach) in (1..).zip(breaches) {
        let peer =
            if number % 2 == 0 { scene.client([6, 6, 6, number]) } else { scene.server([6, 6, 6, number]) };
        scene.bytes(peer.link, breach);
        assert!(!scene.is_open(peer.link), "{breach:?}");
        assert_eq!(scene.departures().last(), Some(&(peer.uid, Departure::Violation)));
        assert_eq!(scene.stats().malformed, u64::from(number));
        if number < 5 {
            honest.go_on(&mut scene);
        }
    }
    honest.finish(&mut scene);
}

#[test]
fn t66_a_field_without_an_end_that_drips_is_known_in_time() {
    let mut scene = Scene::new();
    let client = scene.client([6, 6, 6, 6]);
    scene.bytes(client.link, b"000002");
    let mut sent = 0;
    while scene.is_open(client.link) {
        scene.bytes(client.link, b"x");
        sent += 1;
    }
    assert_eq!(sent, 256);
}

#[test]
fn t66_floods_of_hellos_are_limited() {
    let mut scene = Scene::new();
    let honest = Honest::new(&mut scene);
    let flooder = scene.open(Port::Handshake, [6, 6, 6, 6]);
    let hello = encoded(Uid::RELAY, Body::HelloAsServer { public: [1; PUBLIC_LEN] });
    scene.bytes(flooder, &hello.repeat(1000));
    assert!(!scene.is_open(flooder));
    // The first, and eight repeats.
    assert_eq!(scene.stats().announced, 1 + 9);
    honest.finish(&mut scene);
}

#[test]
fn t12_a_client_that_never_reads_costs_64_kib_while_2000_servers_come_and_go() {
    let mut scene = Scene::with(|config| config.per_address_max = usize::MAX);
    let honest = Honest::new(&mut scene);
    let deaf = scene.client([6, 6, 6, 6]);
    scene.deaf.insert(deaf.link);
    let servers: Vec<Person> = (0..2000).map(|_| scene.server([127, 0, 0, 1])).collect();
    assert!(scene.is_open(deaf.link), "announcements alone disconnect nobody");
    assert!(scene.unwritten[&deaf.link] <= 33 << 10);
    for server in servers {
        scene.leave(server.link);
    }
    assert!(scene.unwritten[&deaf.link] <= 64 << 10);
    honest.finish(&mut scene);
}

#[test]
fn t65_a_hundred_peers_that_exhaust_rooms_do_not_keep_a_pair_from_its_own() {
    let mut scene = Scene::with(|config| config.rooms_max = 50);
    let honest = Honest::new(&mut scene);
    for number in 0..100 {
        scene.pair([66, 6, number, 6], [66, 6, number, 7]);
    }
    assert_eq!(scene.stats().rooms_shed, 50);
    honest.finish(&mut scene);
}

/// What a hostile peer may do, drawn at random.
fn misbehaves(scene: &mut Scene, rng: &mut ChaCha8Rng, link: LinkId, honest: &Honest) {
    let draw = |rng: &mut ChaCha8Rng, below: u32| rng.next_u32() % below;
    let uid = match draw(rng, 4) {
        0 => honest.server.uid,
        1 => honest.client.uid,
        2 => Uid(u16::try_from(draw(rng, 60)).unwrap()),
        _ => Uid(u16::try_from(draw(rng, 0x10000)).unwrap()),
    };
    let body = match draw(rng, 14) {
        0 | 1 => Body::HelloAsClient,
        2 => Body::HelloAsServer { public: [9; PUBLIC_LEN] },
        3 => share_of(&honest.client.name),
        4 => answer(),
        5 => Body::Agreement,
        6 => Body::Accepted,
        7 => Body::Refused,
        8 => Body::SpokeFailure(SpokeFailure::InvalidSecret),
        9 => Body::ClientValidator { validator: [1; 64] },
        10 => Body::Closed { peer: honest.server.uid },
        11 => Body::Done,
        12 => Body::ClientIdentity { identity: honest.server.name.clone() },
        _ => Body::Timeout,
    };
    let mut bytes = encoded(uid, body);
    match draw(rng, 8) {
        0 => {
            let at = usize::try_from(draw(rng, u32::try_from(bytes.len()).unwrap())).unwrap();
            bytes[at] ^= 1 << draw(rng, 8);
        }
        1 => bytes.truncate(bytes.len() / 2),
        2 => bytes = bytes.repeat(20),
        3 => bytes = b"000003".iter().copied().chain(core::iter::repeat_n(b'a', 300)).collect(),
        _ => {}
    }
    match draw(rng, 12) {
        0 => scene.leave(link),
        1 if scene.is_open(link) => {
            scene.input(super::super::Input::Closed { link, cause: Cause::Reset });
            scene.closed.insert(link, crate::link::How::Abort);
        }
        2 => drop(scene.deaf.insert(link)),
        3 => bytes.chunks(3).for_each(|piece| scene.bytes(link, piece)),
        _ => scene.bytes(link, &bytes),
    }
}

#[test]
fn t66_a_thousand_peers_that_each_break_it_differently_do_not_harm_an_honest_pair() {
    let mut scene = Scene::with(|config| config.admission.incoming_burst = u32::MAX);
    let mut honest = Honest::new(&mut scene);
    let mut rng = ChaCha8Rng::seed_from_u64(66);
    let mut alive: Vec<LinkId> = Vec::new();
    for number in 0..1000_u32 {
        let ip = core::net::Ipv4Addr::from_bits(0x4200_0000 + number * 0x101);
        let link = scene.open(if number % 7 == 0 { Port::Room } else { Port::Handshake }, ip);
        alive.push(link);
        match rng.next_u32() % 4 {
            0 => {}
            1 => scene.say(link, Uid::RELAY, Body::HelloAsServer { public: [8; PUBLIC_LEN] }),
            _ => scene.say(link, Uid::RELAY, Body::HelloAsClient),
        }
        for _ in 0..6 {
            let at = usize::try_from(rng.next_u32()).unwrap() % alive.len();
            let link = alive[at];
            misbehaves(&mut scene, &mut rng, link, &honest);
        }
        alive.retain(|link| scene.is_open(*link));
        if number % 150 == 100 && honest.step < 4 {
            honest.go_on(&mut scene);
        }
        scene.wait(SECOND / 10);
    }
    assert_eq!(honest.step, 4);
    assert!(scene.stats().malformed > 100 && scene.stats().registered > 500, "{:?}", scene.stats());
    honest.finish(&mut scene);
}
