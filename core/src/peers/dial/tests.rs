use alloc::vec;
use alloc::vec::Vec;

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use super::*;
use crate::machine::{At, Driver};
use crate::peers::tests::place;
use crate::time::{Instant, WallTime};

fn planned(places: &[&str]) -> Vec<(u64, alloc::string::String)> {
    let places: Vec<Place> = places.iter().map(|text| place(text)).collect();
    let schedule = plan(&Delays::default(), &Surroundings::default(), &places);
    let text = |place: &Place| alloc::string::String::from_utf8(place.address.to_vec()).unwrap();
    schedule.iter().map(|(at, place)| (u64::try_from(at.as_millis()).unwrap(), text(place))).collect()
}

fn is_plan(places: &[&str], expected: &[(u64, &str)]) {
    let planned = planned(places);
    let planned: Vec<(u64, &str)> = planned.iter().map(|(at, text)| (*at, text.as_str())).collect();
    assert_eq!(planned, expected);
}

#[test]
fn connectivity_5_1_example() {
    is_plan(
        &["8.8.8.8:1", "relay/r", "[2001:db8::a]:1", "8.8.4.4:2"],
        &[(0, "[2001:db8::a]:1"), (250, "8.8.8.8:1"), (500, "8.8.4.4:2"), (500, "relay/r")],
    );
}

#[test]
fn connectivity_5_1_order_within_a_group() {
    is_plan(
        &["[2001:db8::b]:9", "[2001:db8::a]:1", "8.8.8.8:5", "8.8.4.4:2"],
        &[(0, "[2001:db8::a]:1"), (250, "8.8.4.4:2"), (500, "[2001:db8::b]:9"), (500, "8.8.8.8:5")],
    );
    is_plan(
        &["8.8.8.8:1", "8.8.4.4:1", "9.9.9.9:1"],
        &[(0, "8.8.8.8:1"), (250, "8.8.4.4:1"), (250, "9.9.9.9:1")],
    );
    is_plan(
        &["[2001:db8::a]:1", "[2001:db8::b]:1", "[2001:db8::c]:1"],
        &[(0, "[2001:db8::a]:1"), (250, "[2001:db8::b]:1"), (250, "[2001:db8::c]:1")],
    );
}

#[test]
fn connectivity_5_1_private_addresses_have_short_steps_of_their_own() {
    is_plan(
        &["10.0.0.1:1", "[fc00::1]:1", "127.0.0.1:1", "8.8.8.8:1"],
        &[(0, "[fc00::1]:1"), (0, "8.8.8.8:1"), (30, "10.0.0.1:1"), (60, "127.0.0.1:1")],
    );
}

#[test]
fn connectivity_5_1_relayed_ones_wait_for_global_ones_only() {
    is_plan(&["relay/a", "10.0.0.1:1"], &[(0, "10.0.0.1:1"), (0, "relay/a")]);
    is_plan(&["relay/a", "example.org/1"], &[(0, "example.org/1"), (500, "relay/a")]);
}

#[test]
fn connectivity_5_1_duplicates_own_addresses_and_unusable_ones_are_left_out() {
    is_plan(&["8.8.8.8:1", "8.8.8.8:1", "224.0.0.1:1", "0.0.0.0:1", "8.8.8.8:0"], &[(0, "8.8.8.8:1")]);
    let surroundings =
        Surroundings { own: vec!["8.8.8.8:1".parse().unwrap()], ipv6: false, ..Surroundings::default() };
    let places = ["8.8.8.8:1", "[2001:db8::1]:1"].map(place);
    assert_eq!(plan(&Delays::default(), &surroundings, &places), []);
}

struct Bench {
    driver: Driver<Dialler<u32>, ChaCha8Rng>,
    millis: u64,
}

impl Bench {
    fn new(config: Config) -> Self {
        Self { driver: Driver::new(Dialler::new(config), ChaCha8Rng::seed_from_u64(1)), millis: 0 }
    }

    fn at(&self) -> At {
        At { now: Instant::from_micros(self.millis * 1000), wall: WallTime::default() }
    }

    fn drain(&mut self) -> Vec<Output<u32>> {
        core::iter::from_fn(|| self.driver.poll_output()).collect()
    }

    fn feed(&mut self, input: Input<u32>) -> Vec<Output<u32>> {
        self.driver.handle(self.at(), input);
        self.drain()
    }

    fn dial(&mut self, key: u32, places: &[&str]) -> Vec<Output<u32>> {
        let places = places.iter().map(|text| place(text)).collect();
        self.feed(Input::Dial { key, places })
    }

    fn failed(&mut self, attempt: u64) -> Vec<Output<u32>> {
        self.feed(Input::Failed { attempt: Attempt(attempt) })
    }

    fn opened(&mut self, attempt: u64) -> Vec<Output<u32>> {
        self.feed(Input::Opened { attempt: Attempt(attempt) })
    }

    fn until(&mut self, millis: u64) -> Vec<Output<u32>> {
        self.millis = millis;
        let at = self.at();
        self.driver.handle_timeout(at);
        assert!(self.driver.poll_timeout().is_none_or(|next| next > at.now), "L3");
        self.drain()
    }

    fn dialler(&self) -> &Dialler<u32> {
        self.driver.machine()
    }
}

fn start(attempt: u64, key: u32, text: &str) -> Output<u32> {
    Output::Start { attempt: Attempt(attempt), key, place: place(text) }
}

fn abort(attempt: u64) -> Output<u32> {
    Output::Abort { attempt: Attempt(attempt) }
}

fn lost(key: u32, text: &str) -> Output<u32> {
    Output::Lost { key, place: place(text) }
}

const THREE: [&str; 3] = ["8.8.8.1:1", "8.8.8.2:2", "8.8.8.3:3"];

#[test]
fn connectivity_5_1_attempts_follow_the_plan() {
    let mut bench = Bench::new(Config::default());
    assert_eq!(bench.dial(1, &THREE), [start(0, 1, THREE[0])]);
    assert_eq!(bench.until(249), []);
    assert_eq!(bench.until(250), [start(1, 1, THREE[1]), start(2, 1, THREE[2])]);
}

#[test]
fn connectivity_5_1_after_a_failure_the_next_begins_at_once() {
    let mut bench = Bench::new(Config::default());
    bench.dial(1, &THREE);
    assert_eq!(bench.failed(0), [lost(1, THREE[0]), start(1, 1, THREE[1])]);
    assert_eq!(bench.failed(1), [lost(1, THREE[1]), start(2, 1, THREE[2])]);
    assert_eq!(bench.failed(2), [lost(1, THREE[2]), Output::Exhausted { key: 1 }]);
    assert!(bench.dialler().is_empty());
    assert_eq!(bench.failed(2), [], "once");
    assert_eq!(bench.driver.poll_timeout(), None);
}

#[test]
fn connectivity_5_1_no_attempt_begins_while_an_upgrade_runs() {
    let mut bench = Bench::new(Config::default());
    bench.dial(1, &THREE);
    bench.millis = 200;
    assert_eq!(bench.opened(0), []);
    assert_eq!(bench.until(699), []);
    assert_eq!(bench.until(700), [start(1, 1, THREE[1]), start(2, 1, THREE[2])], "held for 2 × 250 ms");

    let mut bench = Bench::new(Config::default());
    bench.dial(1, &THREE);
    bench.opened(0);
    assert_eq!(bench.failed(0), [lost(1, THREE[0]), start(1, 1, THREE[1])], "a failed upgrade holds nobody");
}

#[test]
fn connectivity_5_1_the_first_that_completes_wins() {
    let mut bench = Bench::new(Config::default());
    bench.dial(1, &THREE);
    bench.until(250);
    bench.opened(1);
    let outputs = bench.feed(Input::Completed { attempt: Attempt(1) });
    let won = Output::Won { key: 1, attempt: Attempt(1), place: place(THREE[1]) };
    assert_eq!(outputs, [abort(0), abort(2), won]);
    assert_eq!((bench.dialler().attempts(), bench.dialler().len()), (0, 0));
    assert_eq!(bench.failed(0), []);
}

#[test]
fn connectivity_5_2_tcp_has_5_s_and_the_whole_attempt_15() {
    let mut bench = Bench::new(Config::default());
    bench.dial(1, &THREE[..1]);
    assert_eq!(bench.until(4999), []);
    assert_eq!(bench.until(5000), [abort(0), lost(1, THREE[0]), Output::Exhausted { key: 1 }]);

    bench.dial(1, &THREE[..1]);
    bench.opened(1);
    assert_eq!(bench.until(19_999), []);
    assert_eq!(bench.until(20_000), [abort(1), lost(1, THREE[0]), Output::Exhausted { key: 1 }]);
    assert_eq!(bench.dialler().stats().timed_out, 2);
}

#[test]
fn connectivity_5_2_at_most_8_attempts_for_one_peer() {
    let texts: Vec<_> = (1..=16).map(|host| alloc::format!("8.8.8.{host}:1")).collect();
    let texts: Vec<&str> = texts.iter().map(|text| text.as_str()).collect();
    let mut bench = Bench::new(Config::default());
    bench.dial(1, &texts);
    bench.until(3000);
    assert_eq!(bench.dialler().attempts(), 8);
    assert_eq!(bench.failed(3), [lost(1, texts[3]), start(8, 1, texts[8])]);
    bench.until(5100);
    assert_eq!(bench.dialler().attempts(), 8, "those that took too long made room");
}

#[test]
fn connectivity_5_2_at_most_64_attempts_in_all_and_then_in_order() {
    let mut bench = Bench::new(Config::default());
    for key in 0..64 {
        let host = alloc::format!("8.1.{key}.1:1");
        assert_eq!(bench.dial(key, &[host.as_str()]).len(), 1);
    }
    assert_eq!(bench.dial(100, &["9.9.9.9:1"]), []);
    assert_eq!(bench.dial(101, &["9.9.9.8:1"]), []);
    assert_eq!(bench.failed(7)[2..], [start(64, 100, "9.9.9.9:1")]);
    assert_eq!(bench.feed(Input::Cancel { key: 8 }), [abort(8), start(65, 101, "9.9.9.8:1")]);
    assert_eq!(bench.dialler().attempts(), 64);
}

#[test]
fn connectivity_5_2_one_dial_for_a_peer_at_a_time() {
    let mut bench = Bench::new(Config::default());
    bench.dial(1, &THREE[..1]);
    assert_eq!(bench.dial(1, &THREE), []);
    assert!(bench.dialler().is_dialling(1));
    assert_eq!(bench.feed(Input::Cancel { key: 1 }), [abort(0)]);
    assert!(!bench.dialler().is_dialling(1));
    assert_eq!(bench.dialler().stats().aborted, 1);
}

#[test]
fn t27_one_target_is_dialled_ten_times_a_minute() {
    let mut bench = Bench::new(Config::default());
    let dial = |bench: &mut Bench, key: u32, port: u16| {
        let outputs = bench.dial(key, &[alloc::format!("8.8.8.8:{port}").as_str()]);
        bench.feed(Input::Cancel { key });
        matches!(outputs[..], [Output::Start { .. }])
    };
    assert!((0..10).all(|key| dial(&mut bench, key, 1 + u16::try_from(key).unwrap())));
    assert!(!dial(&mut bench, 10, 99), "whatever the port");
    assert!(matches!(bench.dial(11, &["8.8.8.9:1"])[..], [Output::Start { .. }]), "another target");
    bench.millis = 6000;
    assert!(dial(&mut bench, 12, 1));
    assert!(!dial(&mut bench, 13, 1));
    assert_eq!(bench.dialler().stats().shed_targets, 2);
    assert!((20..60).all(|key| matches!(bench.dial(key, &["127.0.0.1:1"])[..], [Output::Start { .. }])));
}

#[test]
fn t27_a_target_that_is_shed_does_not_delay_the_next() {
    let mut bench = Bench::new(Config { target_burst: 1, ..Config::default() });
    bench.dial(1, &["8.8.8.1:9"]);
    assert_eq!(bench.dial(2, &THREE), [start(1, 2, THREE[1])]);
}

#[test]
fn keys_and_places_are_bounded() {
    let mut bench = Bench::new(Config { keys_max: 2, places_max: 2, ..Config::default() });
    bench.dial(1, &THREE);
    bench.until(1000);
    assert_eq!(bench.dialler().attempts(), 2);
    bench.dial(2, &THREE[..1]);
    assert_eq!(bench.dial(3, &THREE), [Output::Exhausted { key: 3 }]);
    let stats = bench.dialler().stats();
    assert_eq!((stats.shed_places, stats.shed_keys), (1, 1));
}

#[test]
fn a_dial_without_places_is_over_at_once() {
    let mut bench = Bench::new(Config::default());
    assert_eq!(bench.dial(1, &[]), [Output::Exhausted { key: 1 }]);
    assert_eq!(bench.dial(1, &["224.0.0.1:1"]), [Output::Exhausted { key: 1 }]);
    assert_eq!(bench.dialler().stats().exhausted, 2);
}

#[test]
fn t14_after_all_dials_nothing_is_left() {
    let mut bench = Bench::new(Config { attempts_max: 3, ..Config::default() });
    for key in 0..40 {
        bench.dial(key, &THREE);
    }
    let mut outputs = Vec::new();
    for second in 0..2000 {
        outputs.extend(bench.until(second * 1000));
    }
    assert_eq!(outputs.iter().filter(|output| matches!(output, Output::Exhausted { .. })).count(), 40);
    assert!(bench.dialler().is_empty() && bench.dialler().attempts() == 0);
    assert_eq!(bench.driver.poll_timeout(), None);
}

#[test]
fn laws_hold_for_random_inputs() {
    use rand_core::Rng;
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let config =
        Config { attempts_max: 4, attempts_per_key: 2, keys_max: 6, target_burst: 3, ..Config::default() };
    let texts = ["8.8.8.1:1", "8.8.8.2:1", "[2001:db8::1]:1", "10.0.0.1:1", "relay/a", "127.0.0.1:1"];
    let mut bench = Bench::new(config);
    let mut running = alloc::collections::BTreeSet::new();
    for _ in 0..10_000 {
        let [kind, key, number, skip] = random.next_u32().to_le_bytes();
        let attempt = Attempt((bench.dialler().stats().started).saturating_sub(u64::from(number % 8)));
        let key = u32::from(key % 9);
        let outputs = match kind % 8 {
            0 | 1 => bench.dial(key, &texts[usize::from(number % 6)..]),
            2 => bench.feed(Input::Cancel { key }),
            3 => bench.feed(Input::Opened { attempt }),
            4 => bench.feed(Input::Completed { attempt }),
            5 => bench.feed(Input::Failed { attempt }),
            _ => bench.until(bench.millis + u64::from(skip) * 20),
        };
        for output in outputs {
            match output {
                Output::Start { attempt, .. } => assert!(running.insert(attempt)),
                Output::Abort { attempt } | Output::Won { attempt, .. } => assert!(running.remove(&attempt)),
                Output::Lost { .. } | Output::Exhausted { .. } => {}
            }
        }
        if matches!(kind % 8, 5) {
            running.remove(&attempt);
        }
        assert_eq!(running.len(), bench.dialler().attempts());
        assert!(bench.dialler().attempts() <= 4 && bench.dialler().len() <= 6);
        assert!(bench.dialler().is_empty() || bench.driver.poll_timeout().is_some(), "nothing is forgotten");
        let before = alloc::format!("{:?}", bench.dialler());
        if bench.driver.poll_timeout().is_none_or(|at| at > bench.at().now) {
            let at = bench.at();
            bench.driver.handle_timeout(at);
            assert_eq!(alloc::format!("{:?}", bench.dialler()), before, "L4");
        }
    }
    let stats = bench.dialler().stats();
    assert!(
        stats.iter().filter(|(name, _)| *name != "shed_places" && *name != "shed_rates").all(|(_, n)| n > 0)
    );
}
