use alloc::vec;
use alloc::vec::Vec;
use core::net::SocketAddr;

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use super::ban::Bans;
use super::record::{BanRecord, End, PeerRecord};
use super::*;
use crate::ip::Class;
use crate::machine::{At, Driver};
use crate::time::{Instant, WallTime};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

pub(super) fn place(text: &str) -> Place {
    let route = match text.split_once('/') {
        Some(("relay", _)) => Route::Relayed,
        Some((_, port)) => Route::Named { port: port.parse().unwrap() },
        None => Route::Direct(text.parse().unwrap()),
    };
    Place { address: Bytes::copy_from_slice(text.as_bytes()), route }
}

/// A place of its own for each number.
fn numbered(number: u32) -> Place {
    let address = SocketAddr::new(core::net::Ipv4Addr::from_bits((8 << 24) + number).into(), 4001);
    Place { address: number.to_be_bytes().to_vec().into(), route: Route::Direct(address) }
}

struct Bench {
    driver: Driver<Book<u32>, ChaCha8Rng>,
    at: At,
}

impl Bench {
    fn new(config: Config) -> Self {
        Self::with(Book::new(config))
    }

    fn with(book: Book<u32>) -> Self {
        let at = At { now: Instant::from_micros(1), wall: WallTime::from_unix_ms(1_800_000_000_000) };
        Self { driver: Driver::new(book, ChaCha8Rng::seed_from_u64(1)), at }
    }

    fn book(&self) -> &Book<u32> {
        self.driver.machine()
    }

    fn drain(&mut self) -> Vec<Output<u32>> {
        core::iter::from_fn(|| self.driver.poll_output()).collect()
    }

    fn feed(&mut self, input: Input<u32>) -> Vec<Output<u32>> {
        self.driver.handle(self.at, input);
        self.drain()
    }

    fn wait(&mut self, time: Duration) -> Vec<Output<u32>> {
        self.at = At { now: self.at.now + time, wall: self.at.wall + time };
        self.driver.handle_timeout(self.at);
        assert!(self.driver.poll_timeout().is_none_or(|at| at > self.at.now), "L3");
        self.drain()
    }

    fn learn(&mut self, peer: u32, places: &[Place], teller: u32) {
        let source = Source::Peer { peer: teller, over: Some(Class::Global) };
        self.feed(Input::Learned { peer, places: places.to_vec(), source });
    }

    fn offend(&mut self, peer: u32, points: u32) -> Vec<Output<u32>> {
        self.feed(Input::Offence { peer, offence: Offence::Points(points) })
    }

    fn connect(&mut self, peer: u32, place: Option<Place>) -> Vec<Output<u32>> {
        self.feed(Input::Connected { peer, place })
    }

    fn candidates(&self, peer: u32) -> Vec<Place> {
        self.book().candidates(peer, self.at.now)
    }

    fn is_banned(&self, peer: u32) -> bool {
        self.book().is_banned(peer, self.at.now)
    }
}

/// The lifetime of the ban that was pronounced, if one was.
fn banned(outputs: &[Output<u32>]) -> Option<Option<Duration>> {
    outputs
        .iter()
        .find_map(|output| if let Output::Banned { lifetime, .. } = output { Some(*lifetime) } else { None })
}

fn stored(outputs: &[Output<u32>]) -> Vec<(u32, Kind, Option<Bytes>)> {
    let store = |output: &Output<u32>| match output {
        Output::Store { peer, kind, value } => Some((*peer, *kind, value.clone())),
        Output::Banned { .. } | Output::Unbanned { .. } => None,
    };
    outputs.iter().filter_map(store).collect()
}

#[test]
fn mesh_4_points_decay_by_one_a_minute() {
    let mut bench = Bench::new(Config::default());
    bench.offend(1, 10);
    assert_eq!(bench.book().points(1, bench.at.now), 10);
    bench.wait(MINUTE - Duration::from_micros(1));
    assert_eq!(bench.book().points(1, bench.at.now), 10);
    bench.wait(Duration::from_micros(1));
    assert_eq!(bench.book().points(1, bench.at.now), 9);
    bench.wait(MINUTE * 9);
    assert_eq!((bench.book().points(1, bench.at.now), bench.book().offenders()), (0, 0));
}

#[test]
fn mesh_4_a_hundred_points_are_a_ban_of_an_hour() {
    let mut bench = Bench::new(Config::default());
    assert_eq!(banned(&bench.offend(1, 99)), None);
    assert_eq!(banned(&bench.offend(1, 1)), Some(Some(HOUR)));
    assert!(bench.is_banned(1) && !bench.is_banned(2));
    assert_eq!(bench.offend(1, 1000), [], "a banned peer collects no points");
    assert_eq!(bench.wait(HOUR - Duration::from_micros(1)), []);
    assert!(bench.is_banned(1));
    assert_eq!(bench.wait(Duration::from_micros(1)), [Output::Unbanned { peer: 1 }]);
    assert!(!bench.is_banned(1));
    assert_eq!(bench.book().points(1, bench.at.now), 0, "it starts anew");
}

#[test]
fn mesh_4_the_third_ban_in_a_day_is_for_good() {
    let mut bench = Bench::new(Config::default());
    for expected in [Some(HOUR), Some(HOUR), None] {
        assert_eq!(banned(&bench.offend(1, 100)), Some(expected));
        bench.wait(HOUR * 2);
    }
    bench.wait(DAY * 100);
    assert!(bench.is_banned(1));
    assert_eq!((bench.book().stats().bans_temporary, bench.book().stats().bans_permanent), (2, 1));
}

#[test]
fn mesh_4_bans_count_for_a_day_only() {
    let mut bench = Bench::new(Config::default());
    bench.offend(1, 100);
    bench.wait(HOUR * 12);
    bench.offend(1, 100);
    bench.wait(HOUR * 12);
    assert_eq!(banned(&bench.offend(1, 100)), Some(Some(HOUR)), "the first was exactly a day ago");
    bench.wait(HOUR);
    let outputs = bench.wait(DAY);
    assert_eq!(stored(&outputs), [(1, Kind::Ban, None)], "and then nothing is known of it");
    assert_eq!(bench.book().offenders(), 0);
}

#[test]
fn mesh_4_an_exceeded_rate_costs_a_point_for_each_second() {
    let mut bench = Bench::new(Config::default());
    for _ in 0..50 {
        bench.feed(Input::Offence { peer: 1, offence: Offence::Rate });
    }
    assert_eq!(bench.book().points(1, bench.at.now), 1);
    bench.wait(Duration::from_secs(1));
    bench.feed(Input::Offence { peer: 1, offence: Offence::Rate });
    assert_eq!(bench.book().points(1, bench.at.now), 2);
}

#[test]
fn identity_5_1_proven_offences_ban_for_good_and_forget_the_peer() {
    let mut bench = Bench::new(Config::default());
    bench.connect(1, Some(numbered(1)));
    let outputs = bench.feed(Input::Offence { peer: 1, offence: Offence::Ban });
    assert_eq!(banned(&outputs), Some(None));
    assert_eq!(
        stored(&outputs).iter().map(|(_, kind, value)| (*kind, value.is_some())).collect::<Vec<_>>(),
        [(Kind::Ban, true), (Kind::Peer, false)]
    );
    assert!(bench.candidates(1).is_empty() && bench.book().is_empty());
    bench.learn(1, &[numbered(1)], 2);
    bench.connect(1, None);
    assert!(bench.book().is_empty(), "nothing is learned about a banned peer");
    assert_eq!(bench.feed(Input::Offence { peer: 1, offence: Offence::Ban }), [], "once");
}

#[test]
fn overlay_7_4_the_application_bans_and_lifts_bans() {
    let mut bench = Bench::new(Config::default());
    let ban = |lifetime| Input::Ban { peer: 1, lifetime };
    assert_eq!(banned(&bench.feed(ban(Some(HOUR)))), Some(Some(HOUR)));
    assert_eq!(bench.feed(ban(Some(MINUTE))), [], "no ban is shortened");
    assert_eq!(banned(&bench.feed(ban(None))), Some(None));
    assert_eq!(bench.feed(ban(Some(HOUR))), []);
    assert_eq!(bench.book().bans(bench.at.now).collect::<Vec<_>>(), [(1, None)]);
    let outputs = bench.feed(Input::Unban { peer: 1 });
    assert_eq!(
        outputs,
        [Output::Unbanned { peer: 1 }, Output::Store { peer: 1, kind: Kind::Ban, value: None }]
    );
    assert!(!bench.is_banned(1));
    assert_eq!(bench.feed(Input::Unban { peer: 1 }), []);
    assert_eq!(bench.feed(ban(Some(Duration::ZERO))), []);
}

/// A book that is made from what another has stored, `later`.
fn restart(bench: &mut Bench, records: &[Output<u32>], later: Duration) -> Bench {
    let mut kept = alloc::collections::BTreeMap::new();
    for (peer, kind, value) in stored(records) {
        kept.insert((kind, peer), value);
    }
    let at = At { now: Instant::from_micros(5), wall: bench.at.wall + later };
    let mut book = Book::new(Config::default());
    for ((kind, peer), value) in kept {
        if let Some(value) = value {
            book.restore(at, peer, kind, &value).unwrap();
        }
    }
    Bench { at, ..Bench::with(book) }
}

#[test]
fn overlay_7_4_bans_survive_a_restart_by_wall_time() {
    let mut bench = Bench::new(Config::default());
    let mut records = bench.offend(1, 100);
    records.extend(bench.feed(Input::Ban { peer: 2, lifetime: None }));
    let mut again = restart(&mut bench, &records, HOUR / 2);
    assert!(again.is_banned(1) && again.is_banned(2));
    assert_eq!(again.wait(HOUR / 2 - Duration::from_micros(1)), []);
    assert_eq!(again.wait(Duration::from_micros(1)), [Output::Unbanned { peer: 1 }]);
    assert!(again.is_banned(2));
    assert_eq!(banned(&again.offend(1, 100)), Some(Some(HOUR)));
    again.wait(HOUR);
    assert_eq!(banned(&again.offend(1, 100)), Some(None), "the bans from before the restart count");
    assert!(!restart(&mut bench, &records, HOUR).is_banned(1));
}

#[test]
fn a_wrong_clock_cannot_make_a_ban_longer_than_it_was_pronounced() {
    let mut bench = Bench::new(Config::default());
    let records = bench.offend(1, 100);
    bench.at.wall = WallTime::from_unix_ms(0);
    let mut again = restart(&mut bench, &records, Duration::ZERO);
    assert!(again.is_banned(1));
    again.wait(HOUR);
    assert!(!again.is_banned(1));
}

#[test]
fn t51_good_peers_survive_a_restart_of_48_hours_and_not_of_8_days() {
    let mut bench = Bench::new(Config::default());
    bench.learn(1, &[numbered(1), numbered(2)], 1);
    let records = bench.connect(1, Some(numbered(2)));
    assert_eq!(stored(&records).len(), 1);
    let again = restart(&mut bench, &records, DAY * 2);
    assert_eq!(again.book().verified().collect::<Vec<_>>(), [1]);
    assert_eq!(again.candidates(1), [numbered(2)], "only where it was reached");
    assert!(restart(&mut bench, &records, DAY * 8).book().is_empty());
}

#[test]
fn t51_the_last_good_peers_are_kept_up_to_a_limit() {
    let mut bench = Bench::new(Config { stored_max: 2, ..Config::default() });
    bench.connect(1, Some(numbered(1)));
    bench.connect(2, Some(numbered(2)));
    bench.connect(1, Some(numbered(1)));
    let outputs = bench.connect(3, Some(numbered(3)));
    assert!(stored(&outputs).contains(&(2, Kind::Peer, None)), "the one seen longest ago goes");
    assert_eq!(bench.book().stats().shed_stored, 1);
}

#[test]
fn records_round_trip_and_are_read_strictly() {
    let places = ["1.2.3.4:5", "[2001:db8::1]:65535", "example.org/4001", "relay/x"].map(place).to_vec();
    let peer = PeerRecord { seen: WallTime::from_unix_ms(7), places };
    assert_eq!(PeerRecord::decode(&peer.encode()), Ok(peer.clone()));
    let ends = [End::Past, End::Never, End::At(WallTime::from_unix_ms(u64::MAX), 3)];
    for end in ends {
        let ban = BanRecord { end, counts_until: vec![WallTime::from_unix_ms(1), WallTime::from_unix_ms(2)] };
        assert_eq!(BanRecord::decode(&ban.encode()), Ok(ban.clone()));
        strict(&ban.encode(), |bytes| BanRecord::decode(bytes).map(|_| ()));
    }
    strict(&peer.encode(), |bytes| PeerRecord::decode(bytes).map(|_| ()));
    assert_eq!(BanRecord::decode(&[1, 3, 0]), Err(RecordError::Range));
    assert_eq!(PeerRecord::decode(&[1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0, 0]), Err(RecordError::Range));
}

fn strict(good: &[u8], decode: impl Fn(&[u8]) -> Result<(), RecordError>) {
    for cut in 0..good.len() {
        assert_eq!(decode(&good[..cut]), Err(RecordError::Short));
    }
    assert_eq!(decode(&[good, &[0]].concat()), Err(RecordError::Trailing));
    assert_eq!(decode(&[&[2], &good[1..]].concat()), Err(RecordError::Version));
}

#[test]
fn connectivity_5_2_back_off_grows_with_the_square_of_failures_up_to_5_min() {
    let mut bench = Bench::new(Config::default());
    bench.learn(1, &[numbered(1), numbered(2)], 1);
    for failures in 0..25_u64 {
        bench.feed(Input::DialFailed { peer: 1, address: numbered(1).address });
        assert_eq!(bench.candidates(1), [numbered(2)], "only the place that failed waits");
        let bound = Duration::from_secs((5 + failures * failures).min(300));
        bench.wait(Duration::from_secs(1) - Duration::from_micros(1));
        assert_eq!(bench.candidates(1).len(), 1, "not within a second");
        bench.wait(bound - Duration::from_secs(1) + Duration::from_micros(2));
        assert_eq!(bench.candidates(1).len(), 2, "{failures}");
    }
    bench.feed(Input::DialFailed { peer: 1, address: numbered(1).address });
    bench.connect(1, Some(numbered(1)));
    assert_eq!(bench.candidates(1), [numbered(1), numbered(2)], "cleared by success, and trusted most");
    bench.feed(Input::DialFailed { peer: 1, address: numbered(1).address });
    bench.wait(Duration::from_secs(5));
    assert_eq!(bench.candidates(1).len(), 2, "it begins anew");
}

#[test]
fn t27_back_off_is_drawn_from_the_whole_range() {
    let mut bench = Bench::new(Config::default());
    let waits = (0..200).map(|peer| {
        bench.learn(peer, &[numbered(peer)], peer);
        bench.feed(Input::DialFailed { peer, address: numbered(peer).address });
        bench.book().retry_at(peer, bench.at.now).unwrap().since(bench.at.now)
    });
    let waits: Vec<Duration> = waits.collect();
    let (shortest, longest) = (waits.iter().min().unwrap(), waits.iter().max().unwrap());
    assert!(*shortest >= Duration::from_secs(1) && *shortest < Duration::from_millis(1200), "{shortest:?}");
    assert!(*longest <= Duration::from_secs(5) && *longest > Duration::from_millis(4800), "{longest:?}");
}

#[test]
fn e5_a_peer_may_wish_not_to_be_dialled_for_at_most_an_hour() {
    let mut bench = Bench::new(Config::default());
    bench.learn(1, &[numbered(1)], 1);
    bench.feed(Input::Refrain { peer: 1, wait: Duration::from_secs(30) });
    assert!(bench.candidates(1).is_empty());
    bench.wait(Duration::from_secs(30));
    assert_eq!(bench.candidates(1).len(), 1);
    bench.feed(Input::Refrain { peer: 1, wait: Duration::MAX });
    bench.wait(HOUR - Duration::from_micros(1));
    assert!(bench.candidates(1).is_empty());
    bench.wait(Duration::from_micros(1));
    assert_eq!(bench.candidates(1).len(), 1, "t43: clamped");
}

#[test]
fn e5_a_peer_that_is_not_known_may_wish_not_to_be_dialled_too() {
    let mut bench = Bench::new(Config { refrains_max: 2, ..Config::default() });
    let refrain = |bench: &mut Bench, peer, seconds| {
        bench.feed(Input::Refrain { peer, wait: Duration::from_secs(seconds) });
        bench.learn(peer, &[numbered(peer)], peer);
    };
    refrain(&mut bench, 1, 600);
    assert!(bench.candidates(1).is_empty());
    let due = bench.at.now + Duration::from_secs(600);
    assert_eq!(bench.book().retry_at(1, bench.at.now), Some(due));
    refrain(&mut bench, 2, 30);
    assert_eq!(bench.book().stats().shed_refrains, 0);
    refrain(&mut bench, 3, 60);
    assert_eq!(bench.book().stats().shed_refrains, 1);
    let waiting = |bench: &Bench| [1, 2, 3].map(|peer| bench.candidates(peer).is_empty());
    assert_eq!(waiting(&bench), [true, false, true], "the wish that ends first is forgotten");
    bench.wait(Duration::from_secs(60));
    assert_eq!(waiting(&bench), [true, false, false]);
    // A link says more than a wish.
    bench.connect(1, None);
    assert_eq!(waiting(&bench), [false, false, false]);
    refrain(&mut bench, 1, 0);
    assert_eq!(waiting(&bench), [false, false, false]);
}

#[test]
fn t27_peers_cannot_make_us_dial_what_we_are_not() {
    let places =
        ["127.0.0.1:1", "10.0.0.1:1", "169.254.0.1:1", "224.0.0.1:1", "8.8.8.8:1", "relay/x"].map(place);
    let learned = |own: &[&str], source: Source<u32>| {
        let mut bench = Bench::new(Config::default());
        let own = own.iter().map(|text| text.parse().unwrap()).collect();
        bench.feed(Input::Surroundings(Surroundings { own, ..Surroundings::default() }));
        bench.feed(Input::Learned { peer: 1, places: places.to_vec(), source });
        let known: Vec<Place> = bench.book().places(1).cloned().collect();
        let numbers = known.iter().map(|known| places.iter().position(|place| place == known).unwrap());
        (numbers.collect::<Vec<_>>(), bench.book().stats().refused_places)
    };
    let over = |over| Source::Peer { peer: 2, over };
    assert_eq!(learned(&[], over(None)), (vec![4, 5], 4));
    assert_eq!(learned(&["127.0.0.1:9"], over(Some(Class::Global))), (vec![0, 4, 5], 3));
    assert_eq!(learned(&["192.168.1.1:9"], over(None)), (vec![1, 4, 5], 3));
    assert_eq!(learned(&[], over(Some(Class::LinkLocal))), (vec![2, 4, 5], 3));
    assert_eq!(learned(&[], Source::Local), (vec![0, 1, 2, 3, 4, 5], 0), "the application may");
}

#[test]
fn connectivity_5_1_what_cannot_be_dialled_is_no_candidate() {
    let mut bench = Bench::new(Config::default());
    let own = vec!["8.8.8.8:1".parse().unwrap()];
    bench.feed(Input::Surroundings(Surroundings { own, ipv6: false, ..Surroundings::default() }));
    let places = ["8.8.8.8:1", "8.8.8.8:2", "[2001:db8::1]:3", "[::ffff:8.8.8.8]:1", "9.9.9.9:0"].map(place);
    bench.feed(Input::Learned { peer: 1, places: places.to_vec(), source: Source::Local });
    assert_eq!(bench.candidates(1), [place("8.8.8.8:2")]);
}

#[test]
fn connectivity_10_places_of_a_peer_are_bounded_and_trust_is_not_displaced() {
    let mut bench = Bench::new(Config { places_max: 3, ..Config::default() });
    bench.connect(1, Some(numbered(1)));
    bench.learn(1, &[numbered(2)], 1);
    bench.learn(1, &[numbered(3), numbered(4), numbered(5)], 9);
    assert_eq!(bench.candidates(1), [numbered(1), numbered(2), numbered(5)]);
    assert_eq!(bench.book().stats().shed_places, 2);
    bench.learn(1, &[numbered(6), numbered(7), numbered(8)], 1);
    bench.learn(1, &[numbered(9)], 9);
    let known = bench.candidates(1);
    assert!(known.contains(&numbered(1)) && !known.contains(&numbered(9)), "{known:?}");
}

#[test]
fn addresses_of_no_or_too_many_bytes_are_dropped() {
    let mut bench = Bench::new(Config { address_bytes_max: 4, ..Config::default() });
    let with = |length| Place { address: vec![1; length].into(), ..numbered(1) };
    bench.learn(1, &[with(0), with(4), with(5)], 1);
    assert_eq!(bench.candidates(1), [with(4)]);
    assert_eq!(bench.book().stats().bad_places, 2);
}

#[test]
fn connectivity_10_places_are_forgotten_after_a_day_and_verified_ones_after_a_week() {
    let mut bench = Bench::new(Config::default());
    bench.learn(1, &[numbered(1)], 1);
    bench.connect(2, Some(numbered(2)));
    bench.feed(Input::Disconnected { peer: 2 });
    bench.wait(DAY - Duration::from_micros(1));
    assert_eq!(bench.book().len(), 2);
    bench.wait(Duration::from_micros(1));
    assert_eq!(bench.book().len(), 1);
    assert_eq!(stored(&bench.wait(DAY * 6)), [(2, Kind::Peer, None)]);
    assert!(bench.book().is_empty());
}

#[test]
fn t37_strangers_displace_strangers_only() {
    let mut bench = Bench::new(Config { peers_max: 10, peers_per_source_max: 1000, ..Config::default() });
    bench.connect(1, Some(numbered(1)));
    bench.feed(Input::Disconnected { peer: 1 });
    bench.connect(2, None);
    bench.learn(3, &[numbered(3)], 3);
    for peer in 100..1100 {
        bench.learn(peer, &[numbered(peer)], 9);
        bench.wait(Duration::from_micros(1));
    }
    let book = bench.book();
    assert_eq!(book.len(), 10);
    assert_eq!(book.verified().collect::<Vec<_>>(), [1]);
    assert_eq!(book.connected().collect::<Vec<_>>(), [2]);
    assert_eq!(book.strangers().count(), 8);
    assert_eq!(book.stats().shed_peers, 1003 - 10);
}

#[test]
fn t37_whoever_comes_in_by_himself_displaces_nobody_that_was_verified() {
    let mut bench = Bench::new(Config { peers_max: 2, ..Config::default() });
    for peer in [1, 2] {
        bench.connect(peer, Some(numbered(peer)));
        bench.feed(Input::Disconnected { peer });
    }
    for peer in 10..20 {
        bench.connect(peer, None);
        bench.feed(Input::Disconnected { peer });
    }
    assert_eq!(bench.book().verified().collect::<Vec<_>>(), [2, 1]);
    assert_eq!(bench.book().stats().refused_peers, 10);
    bench.wait(Duration::from_micros(1));
    bench.connect(3, Some(numbered(3)));
    assert_eq!(bench.book().verified().collect::<Vec<_>>(), [2], "one that we reached may");
}

#[test]
fn t11_what_one_source_tells_displaces_its_own() {
    let mut bench = Bench::new(Config { peers_per_source_max: 5, ..Config::default() });
    bench.learn(1, &[numbered(1)], 8);
    for peer in 10..1000 {
        bench.learn(peer, &[numbered(peer)], 9);
        bench.wait(Duration::from_micros(1));
    }
    assert_eq!(bench.book().strangers().collect::<Vec<_>>(), [999, 998, 997, 996, 995, 1]);
}

#[test]
fn t14_peers_that_came_and_went_leave_nothing() {
    let mut bench = Bench::new(Config::default());
    for peer in 0..1000 {
        bench.connect(peer, None);
        bench.feed(Input::Disconnected { peer });
    }
    assert!(bench.book().is_empty());
    assert_eq!(bench.driver.poll_timeout(), None);
}

#[test]
fn t11_offenders_and_bans_are_bounded() {
    let mut bench = Bench::new(Config { offenders_max: 2, banned_max: 2, ..Config::default() });
    for (peer, points) in [(1, 50), (2, 10), (3, 20)] {
        bench.offend(peer, points);
    }
    let points = [1, 2, 3].map(|peer| bench.book().points(peer, bench.at.now));
    assert_eq!(points, [50, 0, 20], "the one closest to being clean goes");
    assert_eq!(bench.book().stats().shed_offenders, 1);

    bench.feed(Input::Ban { peer: 4, lifetime: None });
    bench.feed(Input::Ban { peer: 5, lifetime: Some(HOUR) });
    let outputs = bench.feed(Input::Ban { peer: 6, lifetime: None });
    assert!(outputs.contains(&Output::Unbanned { peer: 5 }), "a ban for a while goes before one for good");
    assert!(bench.is_banned(4) && bench.is_banned(6) && !bench.is_banned(5));
    assert_eq!(bench.book().stats().shed_bans, 1);
}

#[test]
fn l4_an_early_timeout_does_nothing() {
    let mut bench = Bench::new(Config::default());
    bench.offend(1, 100);
    bench.offend(2, 5);
    bench.learn(3, &[numbered(3)], 3);
    let before = alloc::format!("{:?}", bench.driver);
    bench.driver.handle_timeout(bench.at);
    assert_eq!(alloc::format!("{:?}", bench.driver), before);
}

#[test]
fn arithmetic_saturates() {
    let config =
        Config { decay: Duration::MAX, ban: Duration::MAX, ban_window: Duration::MAX, ..Config::default() };
    let mut bench = Bench::new(config);
    bench.offend(1, 99);
    assert_eq!(banned(&bench.offend(1, u32::MAX)), Some(Some(Duration::MAX)));
    let still = Bench::new(Config { decay: Duration::ZERO, ..Config::default() });
    let mut still = Bench { at: bench.at, ..still };
    assert_eq!(still.offend(1, 99), []);
    assert_eq!(still.book().points(1, still.at.now), 0);
    assert_eq!(Bans::<u32>::new().len(), 0);
}

#[test]
fn laws_hold_for_random_inputs() {
    use rand_core::Rng;
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let config = Config {
        peers_max: 8,
        peers_per_source_max: 3,
        places_max: 3,
        stored_max: 3,
        offenders_max: 3,
        banned_max: 4,
        ..Config::default()
    };
    let mut bench = Bench::new(config);
    let mut records = alloc::collections::BTreeSet::new();
    for _ in 0..10_000 {
        let [kind, peer, number, points] = random.next_u32().to_le_bytes();
        let (peer, number) = (u32::from(peer % 16), u32::from(number));
        let outputs = match kind % 12 {
            0 | 1 => {
                bench.learn(peer, &[numbered(number), numbered(number + 1)], number % 16);
                Vec::new()
            }
            2 => bench.connect(peer, (number % 2 == 0).then(|| numbered(number))),
            3 => bench.feed(Input::Disconnected { peer }),
            4 => bench.feed(Input::DialFailed { peer, address: numbered(number).address }),
            5 => bench.feed(Input::Refrain { peer, wait: Duration::from_secs(number.into()) }),
            6 => bench.offend(peer, points.into()),
            7 => bench.feed(Input::Offence { peer, offence: Offence::Rate }),
            8 => {
                bench.feed(Input::Ban { peer, lifetime: (number % 8 > 0).then_some(Duration::from_secs(9)) })
            }
            9 => bench.feed(Input::Unban { peer }),
            _ => bench.wait(Duration::from_secs(u64::from(number) * u64::from(number))),
        };
        for (peer, kind, value) in stored(&outputs) {
            if value.is_some() {
                records.insert((kind, peer))
            } else {
                records.remove(&(kind, peer))
            };
        }
        assert!(bench.book().len() <= 8 && bench.book().offenders() <= 7);
        assert!(records.iter().filter(|(kind, _)| *kind == Kind::Peer).count() <= 3);
        assert!(records.iter().filter(|(kind, _)| *kind == Kind::Ban).count() <= 4);
        for (peer, _) in bench.book().bans(bench.at.now) {
            assert!(records.contains(&(Kind::Ban, peer)), "every ban in force is in the store");
            assert!(bench.book().places(peer).next().is_none());
        }
        if bench.driver.poll_timeout().is_none_or(|at| at > bench.at.now) {
            let before = alloc::format!("{:?}", bench.book());
            bench.driver.handle_timeout(bench.at);
            assert_eq!(alloc::format!("{:?}", bench.book()), before, "L4");
        }
    }
}
