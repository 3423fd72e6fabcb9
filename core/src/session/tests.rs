use alloc::vec;
use alloc::vec::Vec;

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use super::*;
use crate::machine::{At, Driver};
use crate::time::{Instant, WallTime};

/// A handshake that reports whatever it is fed, and says `answer`, `close` and `start` in so many words.
#[derive(Debug)]
struct Puppet;

/// Whoever is refused for this may stay as a stranger.
const STRANGER: u8 = 200;

type TestStep = Step<u8, &'static str>;

impl Handshake for Puppet {
    type Peer = u8;
    type Input = TestStep;
    type Output = &'static str;
    type Motive = u8;

    fn start(&mut self, cx: &mut Context<'_, TestStep>) {
        cx.emit(Step::Emit("hello"));
    }

    fn handle(&mut self, input: TestStep, cx: &mut Context<'_, TestStep>) {
        cx.emit(input);
    }

    fn answer(&mut self, verdict: Result<(), u8>, cx: &mut Context<'_, TestStep>) {
        cx.emit(Step::Emit(if verdict.is_ok() { "ack" } else { "nack" }));
        if verdict == Err(STRANGER) {
            cx.emit(Step::Stranger);
        }
    }

    fn close(&mut self, _: u8, cx: &mut Context<'_, TestStep>) {
        cx.emit(Step::Emit("bye"));
    }

    fn idle() -> Option<u8> {
        Some(0)
    }

    fn size(input: &TestStep) -> usize {
        if let Step::Emit(text) = input { text.len() } else { 1 }
    }
}

type Out = Output<u32, &'static str, u8>;

struct Bench {
    driver: Driver<Session<Puppet, u32>, ChaCha8Rng>,
    micros: u64,
}

const SECOND: u64 = 1_000_000;

impl Bench {
    fn new(config: Config) -> Self {
        let session = Session::new(config, Puppet, Instant::ORIGIN);
        Self { driver: Driver::new(session, ChaCha8Rng::seed_from_u64(1)), micros: 0 }
    }

    fn established() -> Self {
        let mut bench = Self::new(Config::default());
        bench.step(Step::Identified(7));
        bench.answer(7, Ok(()));
        assert_eq!(bench.step(Step::Established), [Output::Established { peer: 7 }]);
        bench
    }

    fn drain(&mut self) -> Vec<Out> {
        core::iter::from_fn(|| self.driver.poll_output()).collect()
    }

    fn feed(&mut self, input: Input<u32, TestStep, u8, u8>) -> Vec<Out> {
        let at = At { now: Instant::from_micros(self.micros), wall: WallTime::default() };
        self.driver.handle(at, input);
        self.drain()
    }

    fn step(&mut self, step: TestStep) -> Vec<Out> {
        self.feed(Input::Handshake(step))
    }

    fn answer(&mut self, peer: u8, verdict: Result<(), u8>) -> Vec<Out> {
        self.feed(Input::Answer { peer, verdict })
    }

    fn item(&mut self, item: u32, size: usize) -> Vec<Out> {
        self.feed(Input::Item { item, size })
    }

    fn close(&mut self, motive: Option<u8>, how: Closing) -> Vec<Out> {
        self.feed(Input::Close { motive, how })
    }

    fn at(&mut self, micros: u64) -> Vec<Out> {
        self.micros = micros;
        let now = Instant::from_micros(micros);
        self.driver.handle_timeout(At { now, wall: WallTime::default() });
        assert!(self.driver.poll_timeout().is_none_or(|at| at > now), "L3");
        self.drain()
    }

    fn stats(&self) -> &Stats {
        self.driver.machine().stats()
    }
}

#[test]
fn t19_the_deadline_runs_from_accept_and_drip_does_not_renew_it() {
    let mut bench = Bench::new(Config::default());
    assert_eq!(bench.feed(Input::Opened), [Output::Emit("hello")]);
    for second in 1..25 {
        assert_eq!(bench.at(second * SECOND), []);
        assert_eq!(bench.step(Step::Emit("drip")), [Output::Emit("drip")]);
    }
    assert_eq!(bench.at(25 * SECOND - 1), []);
    assert_eq!(bench.at(25 * SECOND), [Output::Abort(Ended::TimedOut)]);
    assert_eq!(bench.stats().timed_out, 1);
}

#[test]
fn e1_a_stage_has_its_own_deadline_but_never_beyond_the_whole() {
    let mut bench = Bench::new(Config::default());
    bench.step(Step::Stage(Duration::from_secs(5)));
    bench.micros = 4 * SECOND;
    bench.step(Step::Stage(Duration::from_secs(60)));
    assert_eq!(bench.at(24 * SECOND), []);
    assert_eq!(bench.at(25 * SECOND), [Output::Abort(Ended::TimedOut)]);

    let mut bench = Bench::new(Config::default());
    bench.step(Step::Stage(Duration::from_secs(5)));
    assert_eq!(bench.at(5 * SECOND - 1), []);
    assert_eq!(bench.at(5 * SECOND), [Output::Abort(Ended::TimedOut)]);
}

#[test]
fn e1_an_answer_is_due_in_ten_seconds() {
    let mut bench = Bench::new(Config::default());
    assert_eq!(bench.step(Step::Identified(7)), [Output::Identified { peer: 7 }]);
    assert_eq!(bench.at(10 * SECOND - 1), []);
    assert_eq!(bench.at(10 * SECOND), [Output::Abort(Ended::TimedOut)]);
}

#[test]
fn input_waits_in_order_while_a_question_is_open() {
    let mut bench = Bench::new(Config::default());
    bench.step(Step::Identified(7));
    assert_eq!(bench.step(Step::Emit("a")), []);
    assert_eq!(bench.step(Step::Identified(8)), []);
    assert_eq!(bench.step(Step::Established), []);
    let outputs = bench.answer(7, Ok(()));
    assert_eq!(outputs, [Output::Emit("ack"), Output::Emit("a"), Output::Identified { peer: 8 }]);
    assert_eq!(bench.answer(7, Ok(())), [], "an answer about another is none");
    assert_eq!(bench.answer(8, Ok(())), [Output::Emit("ack"), Output::Established { peer: 8 }]);
    assert_eq!(bench.stats().waited, 3);
}

#[test]
fn input_that_waits_is_bounded_in_pieces_and_bytes() {
    let config = Config { waiting_max: 2, waiting_bytes_max: 6, ..Config::default() };
    let fill = |texts: &[&'static str]| {
        let mut bench = Bench::new(config);
        bench.step(Step::Identified(7));
        let outputs: Vec<Out> = texts.iter().flat_map(|text| bench.step(Step::Emit(text))).collect();
        (outputs, bench.stats().overflows)
    };
    assert_eq!(fill(&["abc", "def"]), (vec![], 0));
    assert_eq!(fill(&["abc", "defg"]), (vec![Output::Abort(Ended::Overflow)], 1));
    assert_eq!(fill(&["a", "b", "c"]), (vec![Output::Abort(Ended::Overflow)], 1));
}

#[test]
fn e4_items_before_establishment_are_held_up_to_4_and_64_kib() {
    let mut bench = Bench::new(Config::default());
    assert_eq!((0..4).flat_map(|item| bench.item(item, 16 << 10)).count(), 0);
    assert_eq!(bench.item(4, 0), [Output::Shed(4)]);
    bench.step(Step::Identified(7));
    bench.answer(7, Ok(()));
    let mut expected = vec![Output::Established { peer: 7 }];
    expected.extend((0..4).map(Output::Item));
    assert_eq!(bench.step(Step::Established), expected);
    assert_eq!(bench.item(5, 1 << 20), [Output::Item(5)]);
    assert_eq!((bench.stats().held, bench.stats().shed), (4, 1));

    let mut bench = Bench::new(Config::default());
    assert_eq!(bench.item(0, (64 << 10) - 1), []);
    assert_eq!(bench.item(1, 1), []);
    assert_eq!(bench.item(2, 1), [Output::Shed(2)]);
}

#[test]
fn a_readable_link_passes_items_before_it_is_established() {
    let mut bench = Bench::new(Config::default());
    bench.item(1, 1);
    assert_eq!(bench.step(Step::Readable), [Output::Item(1)]);
    assert_eq!(bench.item(2, 1), [Output::Item(2)]);
    assert!(!bench.driver.machine().is_established());
    assert_eq!(bench.at(25 * SECOND), [Output::Abort(Ended::TimedOut)], "the deadline stays");
}

#[test]
fn e5_a_refusal_is_said_flushed_and_ends_the_link() {
    let mut bench = Bench::new(Config::default());
    bench.step(Step::Identified(7));
    assert_eq!(bench.answer(7, Err(3)), [Output::Emit("nack"), Output::Close(Ended::RefusedByUs)]);
    assert_eq!(bench.step(Step::Established), [], "nothing is heard any more");
    assert_eq!(bench.at(5 * SECOND - 1), []);
    assert_eq!(bench.at(5 * SECOND), [Output::Abort(Ended::RefusedByUs)]);
    assert_eq!(bench.stats().flush_timed_out, 1);
}

#[test]
fn e6_a_violation_costs_points_if_the_peer_is_known_and_the_link() {
    let mut bench = Bench::new(Config::default());
    assert_eq!(bench.step(Step::Violation(10)), [Output::Abort(Ended::Violation)]);
    let mut bench = Bench::established();
    let offence = Output::Offence { peer: 7, points: 10 };
    assert_eq!(bench.step(Step::Violation(10)), [offence, Output::Abort(Ended::Violation)]);
    assert_eq!(bench.stats().violations, 1);
}

#[test]
fn established_without_a_peer_is_a_violation_of_the_handshake() {
    let mut bench = Bench::new(Config::default());
    assert_eq!(bench.step(Step::Established), [Output::Abort(Ended::Violation)]);
}

#[test]
fn e7_a_goodbye_of_the_peer_ends_the_link() {
    let mut bench = Bench::established();
    assert_eq!(bench.step(Step::Refused), [Output::Close(Ended::RefusedByPeer)]);
    assert_eq!(bench.feed(Input::Closed), []);
    assert!(bench.driver.machine().is_ended());
}

#[test]
fn e6_a_violation_behind_the_refusal_still_costs_points() {
    let offence = Output::Offence { peer: 7, points: 10 };
    let mut bench = Bench::established();
    bench.step(Step::Refused);
    assert_eq!(bench.step(Step::Violation(10)), [offence]);
    assert_eq!(bench.step(Step::Emit("more")), [], "nothing else is heard");
    assert_eq!(bench.stats().violations, 1);

    // What waited for an answer counts as well.
    let mut bench = Bench::new(Config::default());
    bench.step(Step::Identified(7));
    bench.step(Step::Refused);
    bench.step(Step::Violation(10));
    let outputs = [Output::Emit("ack"), Output::Close(Ended::RefusedByPeer), offence];
    assert_eq!(bench.answer(7, Ok(())), outputs);
}

#[test]
fn e8_a_stranger_is_kept_without_deadline_while_it_is_in_use() {
    let mut bench = Bench::new(Config::default());
    bench.item(1, 1);
    bench.step(Step::Identified(7));
    bench.answer(7, Ok(()));
    assert_eq!(bench.step(Step::Stranger), [Output::Stranger { peer: Some(7) }, Output::Shed(1)]);
    assert_eq!(bench.item(2, 1), [Output::Shed(2)]);
    assert_eq!(bench.step(Step::Established), [], "it never takes part");
    bench.feed(Input::Busy(true));
    assert_eq!(bench.at(3600 * SECOND), []);
    bench.feed(Input::Busy(false));
    assert_eq!(bench.at(3660 * SECOND - 1), []);
    assert_eq!(bench.at(3660 * SECOND), [Output::Emit("bye"), Output::Close(Ended::Idle)]);
    assert_eq!(bench.stats().idle, 1);
}

#[test]
fn a_peer_that_may_not_take_part_may_stay_as_a_stranger() {
    let mut bench = Bench::new(Config::default());
    bench.step(Step::Identified(9));
    let outputs = bench.answer(9, Err(STRANGER));
    assert_eq!(outputs, [Output::Emit("nack"), Output::Stranger { peer: Some(9) }]);
    assert_eq!(bench.at(60 * SECOND), [Output::Emit("bye"), Output::Close(Ended::Idle)]);
}

#[test]
fn connectivity_10_an_established_link_that_nobody_uses_closes_after_60_s_with_a_word() {
    let mut bench = Bench::established();
    assert_eq!(bench.at(60 * SECOND - 1), []);
    assert_eq!(bench.at(60 * SECOND), [Output::Emit("bye"), Output::Close(Ended::Idle)]);
}

#[test]
fn mesh_4_the_third_malformed_frame_in_ten_minutes_closes_the_link() {
    let offence = Output::Offence { peer: 7, points: 10 };
    let mut bench = Bench::established();
    bench.feed(Input::Busy(true));
    assert_eq!(bench.feed(Input::Malformed), [offence]);
    bench.micros = SECOND;
    assert_eq!(bench.feed(Input::Malformed), [offence]);
    bench.micros = 600 * SECOND;
    assert_eq!(bench.feed(Input::Malformed), [offence], "the first is forgotten");
    bench.micros = 601 * SECOND - 1;
    assert_eq!(bench.feed(Input::Malformed), [offence, Output::Abort(Ended::Malformed)]);
    assert_eq!(bench.stats().malformed, 4);
    assert_eq!(bench.feed(Input::Malformed), []);
}

#[test]
fn e4_a_duplicate_lingers_until_its_streams_have_ended_or_five_seconds() {
    let mut bench = Bench::established();
    bench.feed(Input::Busy(true));
    assert_eq!(bench.close(Some(6), Closing::Linger), [Output::Emit("bye")]);
    assert_eq!(bench.item(1, 1), [Output::Item(1)], "what runs may end");
    assert_eq!(bench.feed(Input::Busy(false)), [Output::Close(Ended::Asked)]);

    let mut bench = Bench::established();
    bench.feed(Input::Busy(true));
    bench.close(None, Closing::Linger);
    assert_eq!(bench.at(5 * SECOND - 1), []);
    assert_eq!(bench.at(5 * SECOND), [Output::Close(Ended::Asked)]);
    assert_eq!(bench.at(10 * SECOND), [Output::Abort(Ended::Asked)]);

    let mut bench = Bench::established();
    assert_eq!(bench.close(Some(6), Closing::Linger), [Output::Emit("bye"), Output::Close(Ended::Asked)]);
}

#[test]
fn l7_after_the_end_nothing_is_said() {
    for end in [0, 1] {
        let mut bench = Bench::established();
        if end == 0 {
            assert_eq!(
                bench.close(Some(8), Closing::Abort),
                [Output::Emit("bye"), Output::Abort(Ended::Asked)]
            );
        } else {
            assert_eq!(bench.feed(Input::Closed), []);
        }
        assert!(bench.driver.machine().is_ended());
        assert_eq!(bench.driver.poll_timeout(), None);
        let mut said = bench.step(Step::Emit("x"));
        said.extend(bench.item(1, 1));
        said.extend(bench.feed(Input::Opened));
        said.extend(bench.feed(Input::Malformed));
        said.extend(bench.feed(Input::Busy(false)));
        said.extend(bench.answer(7, Ok(())));
        said.extend(bench.close(Some(1), Closing::Linger));
        said.extend(bench.at(u64::MAX / 2));
        assert_eq!(said, []);
    }
}

/// Two independent halves, as Duniter has them: established when both are done, in whatever order; the key may be claimed
/// again until then.
#[test]
fn halves_identify_repeatedly_and_complete_in_any_order() {
    let mut bench = Bench::new(Config::default());
    assert_eq!(bench.step(Step::Identified(7)), [Output::Identified { peer: 7 }]);
    bench.answer(7, Ok(()));
    assert_eq!(bench.step(Step::Identified(7)), [Output::Identified { peer: 7 }], "asked again at the ACK");
    bench.answer(7, Ok(()));
    assert_eq!(bench.step(Step::Established), [Output::Established { peer: 7 }]);
    assert_eq!(bench.driver.machine().peer(), Some(7));
}

#[test]
fn laws_hold_for_random_inputs() {
    use rand_core::Rng;
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let mut endings = alloc::collections::BTreeSet::new();
    for _ in 0..2_000 {
        let mut bench = Bench::new(Config { waiting_max: 4, ..Config::default() });
        let mut over = false;
        for _ in 0..40 {
            let [kind, step, flag, skip] = random.next_u32().to_le_bytes();
            let steps = [
                Step::Emit("x"),
                Step::Identified(flag % 2),
                Step::Stage(Duration::from_secs(skip.into())),
                Step::Readable,
                Step::Established,
                Step::Stranger,
                Step::Refused,
                Step::Violation(flag.into()),
            ];
            let how = [Closing::Linger, Closing::Flush, Closing::Abort][usize::from(flag % 3)];
            let outputs = match kind % 16 {
                0..=5 => bench.step(steps[usize::from(step % 8)]),
                6 | 7 => bench.answer(flag % 2, if skip % 8 == 0 { Err(1) } else { Ok(()) }),
                8 => bench.item(1, usize::from(skip) << 8),
                9 => bench.feed(Input::Malformed),
                10 => bench.feed(Input::Busy(flag % 2 == 0)),
                11 => bench.close((step % 2 == 0).then_some(1), how),
                12 if flag == 0 => bench.feed(Input::Closed),
                _ => bench.at(bench.micros + u64::from(skip) * SECOND / 16),
            };
            assert!(!over || outputs.is_empty(), "L7: {outputs:?}");
            over = bench.driver.machine().is_ended();
            assert!(!over || bench.driver.poll_timeout().is_none());
            for output in outputs {
                if let Output::Abort(ended) | Output::Close(ended) = output {
                    endings.insert(ended);
                }
            }
        }
    }
    assert_eq!(endings.len(), 8, "{endings:?}");
}
