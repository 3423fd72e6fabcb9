use alloc::sync::Arc;
use alloc::vec;

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use super::*;
use crate::identity::Keypair;
use crate::identity::stamp::Search;
use crate::machine::{At, Context, Machine};
use crate::time::{Instant, WallTime};
use crate::wire::cbor::encode;
use crate::wire::frame::{Deframer, Prefix};

fn peer(seed: u8) -> PeerId {
    Keypair::from_seed(&[seed; 32]).peer_id()
}

/// One side, its clock, and the rest of its outputs.
struct Side {
    machine: Establishment,
    now_ms: u64,
}

impl Side {
    fn new(config: Config) -> Self {
        Self { machine: Establishment::new(Arc::new(config), peer(2), false), now_ms: 0 }
    }

    /// Greeted by a peer of the same network that speaks versions 1 to 1.
    fn greeted() -> Self {
        let mut side = Self::new(Config::new("pleach"));
        side.feed(Input::Opened);
        side.hear(Message::Hello(hello()));
        side
    }

    fn feed(&mut self, input: Input) -> Vec<Output> {
        self.call(|machine, cx| machine.handle(input, cx))
    }

    fn hear(&mut self, message: Message) -> Vec<Output> {
        self.feed(Input::Frame(bare(&message)))
    }

    fn wait_until(&mut self, ms: u64) -> Vec<Output> {
        self.now_ms = ms;
        self.call(|machine, cx| machine.handle_timeout(cx))
    }

    fn call(&mut self, run: impl FnOnce(&mut Establishment, &mut Context<'_, Output>)) -> Vec<Output> {
        let at = At { now: Instant::from_micros(self.now_ms * 1000), wall: WallTime::default() };
        let mut outputs = Vec::new();
        run(&mut self.machine, &mut Context::new(at, &mut ChaCha8Rng::seed_from_u64(1), &mut outputs));
        outputs
    }
}

fn hello() -> Hello {
    Hello { network: "pleach".into(), lowest: 1, highest: 1, stamp: None, metadata: Bytes::new() }
}

/// A frame as the other side cuts it.
fn bare(message: &Message) -> Bytes {
    let mut deframer = Deframer::new(Prefix::Varint, FRAME_MAX);
    deframer.push(message.to_frame());
    deframer.next_frame().unwrap().unwrap()
}

fn send(message: &Message) -> Output {
    Output::Send(message.to_frame())
}

fn nack(motive: Motive) -> Vec<Output> {
    let how = How::Flush;
    vec![
        send(&Message::Nack { motive, alternatives: Vec::new() }),
        Output::Close { how, reason: Reason::Refused(motive) },
    ]
}

fn violation(violation: Violation) -> Vec<Output> {
    vec![Output::Violation(violation), Output::Close { how: How::Abort, reason: Reason::Violation }]
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
fn e1_hello_within_5_seconds_of_the_stream() {
    let mut side = Side::new(Config::new("pleach"));
    assert_eq!(side.machine.poll_timeout(), None);
    assert_eq!(side.feed(Input::Opened), vec![send(&Message::Hello(hello()))]);
    assert_eq!(side.wait_until(4999), vec![]);
    assert_eq!(side.wait_until(5000), vec![Output::Close { how: How::Flush, reason: Reason::TimedOut }]);
    assert_eq!(side.machine.poll_timeout(), None);
    assert_eq!(side.hear(Message::Hello(hello())), vec![], "silent for ever");
}

#[test]
fn e1_answers_within_10_seconds_of_both_hellos() {
    for decided in [false, true] {
        let mut side = Side::new(Config::new("pleach"));
        side.feed(Input::Opened);
        side.now_ms = 4000;
        side.hear(Message::Hello(hello()));
        if decided {
            side.feed(Input::Decision(Decision::Admit));
        }
        assert_eq!(side.wait_until(13_999), vec![]);
        let close = Output::Close { how: How::Flush, reason: Reason::TimedOut };
        assert_eq!(side.wait_until(14_000), vec![close]);
    }
}

#[test]
fn e2_the_version_is_the_smaller_highest_or_none() {
    let greet = |lowest, highest| {
        let mut side = Side::new(Config::new("pleach"));
        side.feed(Input::Opened);
        side.hear(Message::Hello(Hello { lowest, highest, ..hello() }))
    };
    assert!(matches!(greet(1, 1)[..], [Output::Decide { version: 1, .. }]));
    assert!(matches!(greet(0, 9)[..], [Output::Decide { version: 1, .. }]));
    assert_eq!(greet(2, 9), nack(Motive::Version));
    assert_eq!(greet(0, 0), nack(Motive::Version));
}

#[test]
fn e3_checks_come_in_order() {
    let config = Config { difficulty: 4, ..Config::new("pleach") };
    let greet = |shunned, hello: Hello| {
        let mut side = Side::new(config.clone());
        side.machine = Establishment::new(Arc::new(config.clone()), peer(2), shunned);
        side.feed(Input::Opened);
        let outputs = side.hear(Message::Hello(hello));
        (outputs, side.machine.stats().stamps_checked)
    };
    let elsewhere = Hello { network: "pleacH".into(), lowest: 7, highest: 8, ..hello() };
    assert_eq!(greet(true, elsewhere), (nack(Motive::Network), 0));
    let silent = vec![Output::Close { how: How::Abort, reason: Reason::Shunned }];
    assert_eq!(greet(true, Hello { lowest: 7, highest: 8, ..hello() }), (silent, 0));
    assert_eq!(greet(false, hello()), (nack(Motive::Stamp), 1));
    let mut search = Search::new(peer(2).public_key().0, 4, &mut ChaCha8Rng::seed_from_u64(1));
    let stamp = search.step(10_000);
    assert!(matches!(greet(false, Hello { stamp, ..hello() }).0[..], [Output::Decide { .. }]));
}

#[test]
fn e3_what_the_node_refuses_is_said_with_its_motive() {
    let mut side = Side::greeted();
    let alternatives = vec![Alternative { addresses: vec![Bytes::new(); 12], ..alternative(5) }; 120];
    let outputs = side.feed(Input::Decision(Decision::Refuse { motive: Motive::Quota, alternatives }));
    let Output::Send(frame) = &outputs[0] else { panic!("no NACK") };
    let mut deframer = Deframer::new(Prefix::Varint, FRAME_MAX);
    deframer.push(frame.clone());
    let frame = deframer.next_frame().unwrap().unwrap();
    let Ok(Some(Message::Nack { motive, alternatives })) = Message::from_frame(&frame) else {
        panic!("no NACK")
    };
    assert_eq!((motive, alternatives.len(), alternatives[0].addresses.len()), (Motive::Quota, 99, 8));
    assert_eq!(outputs[1], Output::Close { how: How::Flush, reason: Reason::Refused(Motive::Quota) });
}

#[test]
fn e4_established_when_both_have_said_yes_in_either_order() {
    let ack = Message::Ack { version: 1 };
    let established = Output::Established { version: 1 };
    let mut side = Side::greeted();
    assert_eq!(side.feed(Input::Decision(Decision::Admit)), vec![send(&ack)]);
    assert!(!side.machine.is_established());
    assert_eq!(side.hear(ack.clone()), vec![established.clone()]);
    assert!(side.machine.is_established());
    assert_eq!(side.machine.poll_timeout(), None);
    let mut side = Side::greeted();
    assert_eq!(side.hear(ack.clone()), vec![]);
    assert_eq!(side.feed(Input::Decision(Decision::Admit)), vec![send(&ack), established]);
    assert_eq!(side.hear(ack), vec![]);
    assert_eq!(side.machine.stats().repeated, 1);
}

#[test]
fn e4_early_streams_are_held_4_and_64_kib() {
    let mut held = Held::new();
    assert!((1..=4).all(|stream| held.open(stream)));
    assert!(!held.open(5));
    assert!(held.push(1, &[1; 40_000]));
    assert!(held.push(2, &[2; 25_536]));
    assert!(!held.push(3, &[3; 1]), "one byte beyond 64 KiB");
    assert!(!held.push(3, &[3; 0]), "it was forgotten");
    held.close(1);
    assert!(held.open(5) && held.push(5, &[5; 40_000]));
    assert_eq!((held.stats().streams_shed, held.stats().bytes_shed), (1, 1));
    let sizes: Vec<_> = held.release().map(|(stream, bytes)| (stream, bytes.len())).collect();
    assert_eq!(sizes, [(2, 25_536), (4, 0), (5, 40_000)]);
    assert!(held.open(1) && held.push(1, &[0; 65_536]));
}

#[test]
fn e4_both_ends_keep_the_same_of_two_links() {
    let (one, other) = (peer(1), peer(2));
    for (older_by_one, newer_by_one) in [(true, true), (true, false), (false, true), (false, false)] {
        let here = which_stays(&one, &other, older_by_one, newer_by_one);
        let there = which_stays(&other, &one, !older_by_one, !newer_by_one);
        assert_eq!(here, there);
        let stays_by_one = if here == Stays::Older { older_by_one } else { newer_by_one };
        if older_by_one == newer_by_one {
            assert_eq!(here, Stays::Newer);
        } else {
            assert_eq!(stays_by_one, one < other, "the smaller id initiated it");
        }
    }
}

#[test]
fn e5_a_nack_hands_over_ten_alternatives_and_a_back_off() {
    let mut side = Side::greeted();
    let alternatives: Vec<_> = (10..30).map(alternative).collect();
    let nack = Message::Nack { motive: Motive::Quota, alternatives: alternatives.clone() };
    assert_eq!(
        side.hear(nack),
        vec![Output::Refused {
            motive: Motive::Quota,
            alternatives: alternatives[..10].to_vec(),
            back_off: Duration::from_secs(30),
        }]
    );
    let close = Output::Close { how: How::Flush, reason: Reason::RefusedByPeer(Motive::Quota) };
    assert_eq!(side.feed(Input::Decision(Decision::Admit)), vec![], "nothing more is said");
    assert_eq!(side.feed(Input::Finished), vec![close.clone()]);
    let mut side = Side::greeted();
    side.hear(Message::Nack { motive: Motive::Quota, alternatives: Vec::new() });
    assert_eq!(side.wait_until(5000), vec![close], "it need not close for us to go");
    let seconds = |number| Motive::of(number).back_off().as_secs();
    assert_eq!((0..10).map(seconds).collect::<Vec<_>>(), [600, 600, 600, 600, 600, 600, 0, 30, 0, 600]);
}

#[test]
fn e6_more_than_99_alternatives_a_second_hello_and_ack_after_nack_are_violations() {
    let many = |count| Message::Nack { motive: Motive::Quota, alternatives: vec![alternative(5); count] };
    assert!(matches!(Side::greeted().hear(many(99))[..], [Output::Refused { .. }]));
    assert_eq!(Side::greeted().hear(many(100)), violation(Violation::TooManyAlternatives));
    assert_eq!(Side::greeted().hear(Message::Hello(hello())), violation(Violation::SecondHello));
    let mut side = Side::greeted();
    side.hear(many(0));
    assert_eq!(side.hear(Message::Ack { version: 1 }), violation(Violation::AckAfterNack));
    assert_eq!(side.machine.poll_timeout(), None);
}

#[test]
fn e6_disorder_and_malformed_frames_are_violations_and_unknown_numbers_are_not() {
    let mut side = Side::new(Config::new("pleach"));
    side.feed(Input::Opened);
    assert_eq!(side.hear(Message::Ack { version: 1 }), violation(Violation::OutOfOrder));
    assert_eq!(Side::greeted().hear(Message::Ack { version: 2 }), violation(Violation::OutOfOrder));
    let mut side = Side::greeted();
    assert_eq!(side.feed(Input::Frame(Bytes::from_static(&[0x81, 0x18, 0x20]))), vec![]);
    assert_eq!(side.machine.stats().unknown, 1);
    let outputs = side.feed(Input::Frame(Bytes::from_static(&[0x81, 0x18, 0x01])));
    assert!(matches!(outputs[0], Output::Violation(Violation::Malformed(_))));
    assert_eq!(Side::greeted().feed(Input::Malformed), violation(Violation::Malformed(Malformed::Length)));
}

#[test]
fn e7_bye_is_the_last_word_of_either_side() {
    let established = || {
        let mut side = Side::greeted();
        side.feed(Input::Decision(Decision::Admit));
        side.hear(Message::Ack { version: 1 });
        side
    };
    let bye = Message::Bye { motive: Motive::Quota };
    let close = |reason| Output::Close { how: How::Flush, reason };
    let mut side = established();
    assert_eq!(
        side.feed(Input::Bye { motive: Motive::Quota }),
        vec![send(&bye), close(Reason::Bye(Motive::Quota))]
    );
    assert_eq!(side.feed(Input::Bye { motive: Motive::ShuttingDown }), vec![]);
    assert_eq!(established().hear(bye), vec![close(Reason::ByeByPeer(Motive::Quota))]);
    assert_eq!(established().feed(Input::Finished), vec![close(Reason::Finished)]);
    assert_eq!(Side::greeted().feed(Input::Bye { motive: Motive::ShuttingDown }), nack(Motive::ShuttingDown));
    let refused = established().hear(Message::Nack { motive: Motive::Quota, alternatives: Vec::new() });
    assert_eq!(refused, violation(Violation::OutOfOrder));
}
