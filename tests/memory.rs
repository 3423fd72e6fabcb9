//! What machines cost while nothing happens: a node has many of them.
#![allow(clippy::expect_used, clippy::panic)] // Helpers of tests: a panic is how they report.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use pleach_core::bob::packet::{Body, PUBLIC_LEN, Packet};
use pleach_core::bob::relay;
use pleach_core::broadcast::{Announcement, Broadcast, Config, Id, Input, Message, Output, Verdict};
use pleach_core::link::{Address, LinkId, ListenerId, Via};
use pleach_core::{At, Context, Instant, Machine, WallTime};
use pleach_tests::allocations::{self, Counting};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The target of `broadcast` 10.
const TARGET: i64 = 4096;
/// Neighbours of a node among ten thousand.
const VIEW: u32 = 14;

/// A topic of the simulator: ids of 4 bytes, as its targets are given for.
struct Topic {
    machine: Broadcast<u32>,
    outputs: Vec<Output<u32>>,
    rng: rand_chacha::ChaCha8Rng,
}

impl Topic {
    /// With two eager neighbours, the others lazy.
    fn new(config: Config) -> Self {
        let machine = Broadcast::new(Arc::new(config));
        let rng = rand_core::SeedableRng::seed_from_u64(0);
        let mut topic = Self { machine, outputs: Vec::with_capacity(100), rng };
        for peer in 0..VIEW {
            topic.feed(1, Input::NeighborUp { peer, extended: true });
            if peer > 1 {
                topic.hear(1, peer, Message::Prune);
            }
        }
        topic
    }

    fn run(&mut self, ms: u64, run: impl FnOnce(&mut Broadcast<u32>, &mut Context<'_, Output<u32>>)) {
        let at = At { now: Instant::from_micros(ms * 1000), wall: WallTime::default() };
        run(&mut self.machine, &mut Context::new(at, &mut self.rng, &mut self.outputs));
        self.outputs.clear();
    }

    fn feed(&mut self, ms: u64, input: Input<u32>) {
        self.run(ms, |machine, cx| machine.handle(input, cx));
    }

    fn hear(&mut self, ms: u64, from: u32, message: Message) {
        self.feed(ms, Input::Message { from, message });
    }

    /// Wakes it whenever it wants, up to this time.
    fn pass(&mut self, to_ms: u64) {
        let to = Instant::from_micros(to_ms * 1000);
        while let Some(due) = self.machine.poll_timeout().filter(|due| *due <= to) {
            self.run(due.as_micros() / 1000 + 1, |machine, cx| machine.handle_timeout(cx));
        }
    }
}

/// Different payloads. Each is shared by all who hold it; the counter of that is made when it is first shared, which is
/// here.
fn payloads(count: u8) -> (Vec<Bytes>, Vec<Bytes>) {
    let payloads: Vec<Bytes> = (0..count).map(|byte| Bytes::from(vec![byte; 64])).collect();
    (payloads.clone(), payloads)
}

fn bytes_of<T>() -> i64 {
    i64::try_from(size_of::<T>()).expect("a machine is small")
}

#[test]
fn b10_an_idle_topic_takes_less_than_4_kib_with_its_views() {
    assert!(allocations::counted());
    let before = allocations::live();
    let machine = Broadcast::<u32>::new(Arc::new(Config::default()));
    let config = bytes_of::<Config>() + 2 * bytes_of::<usize>();
    assert_eq!(allocations::live() - before, config, "a new machine owns nothing but what all share");
    drop(machine);
    let topic = Topic::new(Config::default());
    let outputs = i64::try_from(topic.outputs.capacity()).expect("few") * bytes_of::<Output<u32>>();
    let heap = allocations::live() - before - config - outputs;
    let inline = bytes_of::<Broadcast<u32>>();
    assert!(inline + heap < TARGET, "{inline} and {heap} bytes");
}

#[test]
fn b10_a_topic_with_thirty_payloads_takes_less_than_4_kib_beside_its_views() {
    assert!(allocations::counted());
    let (payloads, _shared) = payloads(30);
    let mut topic = Topic::new(Config::default());
    let views = allocations::live();
    for (payload, second) in payloads.iter().zip(1..) {
        let message = Message::Payload { id: Id::of(payload), hop: 1, payload: payload.clone() };
        topic.hear(second * 1000, 0, message);
        topic.pass(second * 1000 + 600);
    }
    let heap = allocations::live() - views;
    assert_eq!(topic.machine.cached(), 30);
    assert!(heap < TARGET, "{heap} bytes");
}

/// Whatever a payload can leave behind: it is announced by four, had by GRAFT, grafted by others, validated, and then
/// its second announcer leaves while it is asked for something that nobody has.
#[test]
fn b10_what_thirty_payloads_took_is_given_back_when_they_expire() {
    assert!(allocations::counted());
    let (payloads, _shared) = payloads(30);
    let mut topic = Topic::new(Config { validate: true, ..Config::default() });
    let views = allocations::live();
    for (payload, second) in payloads.iter().zip(1..) {
        let (start, id) = (second * 3000, Id::of(payload));
        let (message, lost) = (Message::Payload { id, hop: 2, payload: payload.clone() }, Id::of(&id.0));
        for peer in 2..6 {
            let announcements = [id, lost].map(|id| Announcement { id, hop: 2 });
            topic.hear(start, peer, Message::IHave(announcements.to_vec()));
        }
        topic.pass(start + 1200);
        topic.hear(start + 1200, 2, message.clone());
        topic.hear(start + 1210, 1, message);
        topic.feed(start + 1220, Input::Verdict { id, verdict: Verdict::Accept });
        topic.hear(start + 1300, 7, Message::Graft(vec![id, lost]));
        topic.hear(start + 1300, 3, Message::NotHave(vec![lost]));
        topic.feed(start + 1900, Input::NeighborDown { peer: 3 });
        topic.feed(start + 1900, Input::NeighborUp { peer: 3, extended: true });
        topic.hear(start + 1900, 3, Message::Prune);
        topic.pass(start + 2999);
    }
    assert!(topic.machine.cached() > 5 && topic.machine.missing() > 5);
    let stats = topic.machine.stats();
    assert!(stats.delivered == 30 && stats.grafts_sent > 30 && stats.grafts_answered == 30);
    assert!(stats.not_haves_received == 30 && stats.broken_promises > 0 && stats.lost > 0);

    topic.pass(93_000 + 60_000);
    let heap = allocations::live() - views;
    assert_eq!((topic.machine.cached(), topic.machine.missing()), (0, 0));
    let with_ids = 30 * 64;
    assert!(heap <= with_ids, "{heap} bytes for ids, which are remembered for longer");

    topic.pass(93_000 + 1_300_000);
    assert_eq!(allocations::live() - views, 0, "nothing is left of what has expired");
    assert_eq!(topic.machine.poll_timeout(), None);
}

/// Idle peers of a relay, half of them servers and half clients.
const PEERS: u64 = 5000;

#[test]
fn bob_6_9_a_registered_peer_takes_less_than_2_kib_even_if_all_pairs_were_announced() {
    assert!(allocations::counted());
    let address = |last: u64| Address::Socket(([10, 0, 0, 1], u16::try_from(last).expect("a port")).into());
    let mut config = relay::Config::new(address(9000), address(9001));
    (config.per_address_max, config.admission.incoming_burst) = (usize::MAX, u32::MAX);
    let mut relay = relay::Relay::new(config);
    let mut rng: rand_chacha::ChaCha8Rng = rand_core::SeedableRng::seed_from_u64(0);
    let before = allocations::live();
    for number in 0..PEERS {
        let link = LinkId(LinkId::ACCEPTED + number);
        let via = Via::Accepted { listener: ListenerId(0) };
        let is_server = number < PEERS / 2;
        let hello =
            if is_server { Body::HelloAsServer { public: [1; PUBLIC_LEN] } } else { Body::HelloAsClient };
        let mut bytes = BytesMut::new();
        Packet::of_relay(hello).encode(&mut bytes).expect("it has no identity");
        let mut inputs = vec![
            relay::Input::Received { link, bytes: bytes.freeze() },
            relay::Input::Opened { link, via, local: address(9000), remote: address(10_000 + number) },
        ];
        while let Some(input) = inputs.pop() {
            let mut outputs = Vec::new();
            let at = At { now: Instant::from_micros(number), wall: WallTime::default() };
            relay.handle(input, &mut Context::new(at, &mut rng, &mut outputs));
            for output in outputs {
                if let relay::Output::Send { link, bytes } = output {
                    inputs.insert(0, relay::Input::Written { link, count: bytes.len() });
                }
            }
        }
    }
    let each = (allocations::live() - before) / i64::try_from(PEERS).expect("not that many");
    assert_eq!(relay.stats().announced, (PEERS / 2) * (PEERS / 2));
    assert!(each < 2048, "{each} bytes each");
}
