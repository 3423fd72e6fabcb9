use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use super::*;
use crate::identity::stamp::{Search, Stamp};
use crate::identity::{Keypair, PeerId};
use crate::machine::{At, Context};
use crate::mesh::Malformed;
use crate::session::{Handshake, Step};
use crate::wire::cbor::encode;
use crate::wire::frame::{Deframer, Prefix};

type Steps = Vec<Step<PeerId, Wanted>>;

/// One side's handshake, and what it takes to call it.
struct Side(Establishment);

impl Side {
    /// The stream is open and our HELLO is out.
    fn opened(difficulty: u32) -> Self {
        let terms = Terms {
            required: true,
            network: String::from("pleach"),
            stamp: None,
            difficulty,
            metadata: Bytes::new(),
        };
        let mut side = Self(Establishment::new(Arc::new(terms), false));
        side.call(|handshake, cx| handshake.handle(Heard::Authenticated(peer(2)), cx));
        let steps = side.call(|handshake, cx| handshake.handle(Heard::StreamOpen, cx));
        assert_eq!(steps, vec![send(&Message::Hello(hello())), Step::Stage(Duration::from_secs(5))]);
        side
    }

    /// Greeted by a peer of the same network.
    fn greeted() -> Self {
        let mut side = Self::opened(0);
        side.hear(&Message::Hello(hello()));
        side
    }

    fn hear(&mut self, message: &Message) -> Steps {
        self.call(|handshake, cx| handshake.handle(Heard::Frame(bare(message)), cx))
    }

    fn answer(&mut self, verdict: Result<(), Refusal>) -> Steps {
        self.call(|handshake, cx| handshake.answer(verdict, cx))
    }

    fn close(&mut self, motive: Motive) -> Steps {
        self.call(|handshake, cx| handshake.close(motive.into(), cx))
    }

    fn call(
        &mut self,
        run: impl FnOnce(&mut Establishment, &mut Context<'_, Step<PeerId, Wanted>>),
    ) -> Steps {
        let mut steps = Vec::new();
        run(&mut self.0, &mut Context::new(At::default(), &mut ChaCha8Rng::seed_from_u64(1), &mut steps));
        steps
    }
}

fn peer(seed: u8) -> PeerId {
    Keypair::from_seed(&[seed; 32]).peer_id()
}

fn hello() -> Hello {
    Hello { network: "pleach".into(), lowest: 1, highest: 1, stamp: None, metadata: Bytes::new() }
}

/// A frame as the other side cuts it.
fn bare(message: &Message) -> Bytes {
    cut(message.to_frame())
}

fn cut(frame: Bytes) -> Bytes {
    let mut deframer = Deframer::new(Prefix::Varint, FRAME_MAX);
    deframer.push(frame);
    deframer.next_frame().unwrap().unwrap()
}

fn send(message: &Message) -> Step<PeerId, Wanted> {
    Step::Emit(Wanted::Send(message.to_frame()))
}

fn nack(motive: Motive) -> Message {
    Message::Nack { motive, alternatives: Vec::new() }
}

fn alternative(seed: u8) -> Alternative {
    Alternative { peer: peer(seed), addresses: vec![Bytes::from_static(b"\x04\x7f\0\0\x01\x06\x1f\x90")] }
}

#[test]
fn messages_survive() {
    let full = Hello {
        stamp: Some(Stamp([3; 24])),
        metadata: Bytes::from(vec![1; METADATA_MAX]),
        network: "n".repeat(64),
        lowest: 0,
        highest: u64::MAX,
    };
    for message in [
        Message::Hello(hello()),
        Message::Hello(full),
        Message::Ack { version: 1 },
        Message::Nack { motive: Motive::Other(77), alternatives: vec![alternative(5); ALTERNATIVES_MAX] },
        Message::Bye { motive: Motive::Duplicate },
    ] {
        assert_eq!(Message::from_frame(&bare(&message)), Ok(Some(message)));
    }
    for number in 0..20 {
        assert_eq!(Motive::of(number).number(), number);
    }
}

#[test]
fn messages_are_strict_and_ignore_what_stands_behind() {
    let longer = encode(|out| out.array(4)?.u8(1)?.u64(1)?.str("more")?.array(0)?.ok());
    assert_eq!(Message::from_frame(&longer), Ok(Some(Message::Ack { version: 1 })));
    assert_eq!(Message::from_frame(&encode(|out| out.array(2)?.u8(9)?.null()?.ok())), Ok(None));
    let whole = bare(&Message::Hello(hello()));
    for end in 0..whole.len() {
        assert!(Message::from_frame(&whole[..end]).is_err(), "{end}");
    }
    assert!(Message::from_frame(&[&whole[..], &[0]].concat()).is_err());
    let hello = |network: &str, low: u64, high: u64, stamp: &[u8], metadata: usize| {
        let bytes = encode(|out| {
            out.array(6)?
                .u8(0)?
                .str(network)?
                .u64(low)?
                .u64(high)?
                .bytes(stamp)?
                .bytes(&vec![0; metadata])?
                .ok()
        });
        Message::from_frame(&bytes)
    };
    assert!(hello("n", 1, 1, &[0; 24], 1024).is_ok());
    assert_eq!(hello("", 1, 1, &[0; 24], 0), Err(Malformed::Length));
    assert_eq!(hello(&"n".repeat(65), 1, 1, &[0; 24], 0), Err(Malformed::Length));
    assert_eq!(hello("n", 2, 1, &[0; 24], 0), Err(Malformed::Range));
    assert!(hello("n", 1, 1, &[0; 23], 0).is_err());
    assert_eq!(hello("n", 1, 1, &[0; 24], 1025), Err(Malformed::Length));
    let crowded = Alternative { addresses: vec![Bytes::new(); 9], ..alternative(5) };
    let crowded = Message::Nack { motive: Motive::Quota, alternatives: vec![crowded] };
    assert_eq!(Message::from_frame(&bare(&crowded)), Err(Malformed::Length));
}

#[test]
fn e1_and_e4_both_hellos_then_an_ack_from_each_side_in_either_order() {
    let ack = Message::Ack { version: 1 };
    let mut side = Side::opened(0);
    let steps = side.hear(&Message::Hello(hello()));
    assert_eq!(steps, vec![Step::Stage(Duration::from_secs(10)), Step::Identified(peer(2))]);
    assert_eq!(side.answer(Ok(())), vec![send(&ack)]);
    assert_eq!(side.hear(&ack), vec![Step::Established]);
    let mut side = Side::greeted();
    assert_eq!(side.hear(&ack), vec![]);
    assert_eq!(side.answer(Ok(())), vec![send(&ack), Step::Established]);
}

#[test]
fn e2_the_version_is_the_smaller_highest_or_none() {
    let greet = |lowest, highest| {
        let mut side = Side::opened(0);
        side.hear(&Message::Hello(Hello { lowest, highest, ..hello() })).pop()
    };
    assert_eq!(greet(1, 1), Some(Step::Identified(peer(2))));
    assert_eq!(greet(0, 9), Some(Step::Identified(peer(2))));
    assert_eq!(greet(2, 9), Some(Step::Refused));
    assert_eq!(greet(0, 0), Some(Step::Refused));
}

#[test]
fn e3_network_then_version_then_stamp() {
    let greet = |hello: Hello| Side::opened(4).hear(&Message::Hello(hello));
    let refused = |motive| vec![send(&nack(motive)), Step::Emit(Wanted::Unfit(motive)), Step::Refused];
    let elsewhere = Hello { network: "pleacH".into(), lowest: 7, highest: 8, ..hello() };
    assert_eq!(greet(elsewhere), refused(Motive::Network));
    assert_eq!(greet(Hello { lowest: 7, highest: 8, ..hello() }), refused(Motive::Version));
    assert_eq!(greet(hello()), refused(Motive::Stamp));
    let mut search = Search::new(peer(2).public_key().0, 4, &mut ChaCha8Rng::seed_from_u64(1));
    let stamp = search.step(10_000);
    assert_eq!(greet(Hello { stamp, ..hello() }).pop(), Some(Step::Identified(peer(2))));
}

#[test]
fn e3_a_refusal_is_cut_to_its_frame() {
    let refuse = |address: usize| {
        let addresses = vec![Bytes::from(vec![0; address]); 12];
        let alternatives = vec![Alternative { addresses, ..alternative(5) }; 120];
        let steps = Side::greeted().answer(Err(Refusal { motive: Motive::Quota, alternatives }));
        let [Step::Emit(Wanted::Send(frame))] = &steps[..] else { panic!("no NACK") };
        let Ok(Some(Message::Nack { motive: Motive::Quota, alternatives })) =
            Message::from_frame(&cut(frame.clone()))
        else {
            panic!("no NACK")
        };
        (alternatives.len(), alternatives.first().map(|first| first.addresses.len()))
    };
    assert_eq!(refuse(2), (99, Some(8)));
    assert_eq!(refuse(256), (7, Some(8)), "a frame holds no more");
    assert_eq!(refuse(1 << 20), (0, None));
}

#[test]
fn e5_a_nack_is_passed_on_and_backs_off_by_its_motive() {
    let alternatives: Vec<_> = (10..30).map(alternative).collect();
    let message = Message::Nack { motive: Motive::Quota, alternatives: alternatives.clone() };
    let refused = Step::Emit(Wanted::Refused { motive: Motive::Quota, alternatives });
    assert_eq!(Side::greeted().hear(&message), vec![refused, Step::Refused]);
    let seconds = |number| Motive::of(number).back_off().as_secs();
    assert_eq!((0..10).map(seconds).collect::<Vec<_>>(), [600, 600, 600, 600, 600, 600, 0, 30, 0, 600]);
}

#[test]
fn e6_more_than_99_alternatives_a_second_hello_and_disorder_are_violations() {
    let many = |count| Message::Nack { motive: Motive::Quota, alternatives: vec![alternative(5); count] };
    let violation = vec![Step::Violation(10)];
    assert_eq!(Side::greeted().hear(&many(99)).pop(), Some(Step::Refused));
    assert_eq!(Side::greeted().hear(&many(100)), violation);
    assert_eq!(Side::greeted().hear(&Message::Hello(hello())), violation);
    assert_eq!(Side::opened(0).hear(&Message::Ack { version: 1 }), violation);
    assert_eq!(Side::greeted().hear(&Message::Ack { version: 2 }), violation);
    let mut side = Side::greeted();
    side.hear(&nack(Motive::Quota));
    assert_eq!(side.hear(&Message::Ack { version: 1 }), violation);
}

#[test]
fn e7_bye_once_answered_and_nack_before() {
    let mut side = Side::greeted();
    side.answer(Ok(()));
    side.hear(&Message::Ack { version: 1 });
    let bye = Message::Bye { motive: Motive::Quota };
    assert_eq!(side.hear(&bye), vec![Step::Emit(Wanted::Bye(Motive::Quota)), Step::Refused]);
    let duplicate = Message::Bye { motive: Motive::Duplicate };
    assert_eq!(
        side.hear(&duplicate),
        vec![Step::Emit(Wanted::Bye(Motive::Duplicate))],
        "the node's to close"
    );
    assert_eq!(side.close(Motive::Quota), vec![send(&bye)]);
    assert_eq!(Side::greeted().close(Motive::ShuttingDown), vec![send(&nack(Motive::ShuttingDown))]);
}
