//! What machines cost while nothing happens: a node has many of them.
#![allow(clippy::expect_used, clippy::panic)] // Helpers of tests: a panic is how they report.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use pleach_core::bob::packet::{Body, PUBLIC_LEN, Packet};
use pleach_core::bob::relay;
use pleach_core::broadcast::{Broadcast, Config, Id, Input, Message, Output};
use pleach_core::link::{Address, LinkId, ListenerId, Via};
use pleach_core::{At, Context, Instant, Machine, WallTime};
use pleach_tests::allocations::{self, Counting};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A topic of the simulator: ids of 4 bytes, as its targets are given for.
struct Topic {
    machine: Broadcast<u32>,
    outputs: Vec<Output<u32>>,
    rng: rand_chacha::ChaCha8Rng,
}

impl Topic {
    fn run(&mut self, ms: u64, run: impl FnOnce(&mut Broadcast<u32>, &mut Context<'_, Output<u32>>)) {
        let at = At { now: Instant::from_micros(ms * 1000), wall: WallTime::default() };
        run(&mut self.machine, &mut Context::new(at, &mut self.rng, &mut self.outputs));
        self.outputs.clear();
    }

    fn feed(&mut self, ms: u64, input: Input<u32>) {
        self.run(ms, |machine, cx| machine.handle(input, cx));
    }
}

#[test]
fn b10_a_topic_with_thirty_payloads_takes_less_than_4_kib_beside_its_views() {
    assert!(allocations::counted());
    let payloads: Vec<Bytes> = (0..30u8).map(|byte| Bytes::from(vec![byte; 64])).collect();
    // A payload is shared by all who hold it; its counter is made when it is first shared.
    let shared: Vec<Bytes> = payloads.clone();
    let machine = Broadcast::new(Arc::new(Config::default()));
    let rng = rand_core::SeedableRng::seed_from_u64(0);
    let mut topic = Topic { machine, outputs: Vec::with_capacity(100), rng };
    for peer in 0..14 {
        topic.feed(1, Input::NeighborUp { peer, extended: true });
        if peer > 1 {
            topic.feed(1, Input::Message { from: peer, message: Message::Prune });
        }
    }
    let views = allocations::live();
    for (payload, second) in payloads.iter().zip(1..) {
        let message = Message::Payload { id: Id::of(payload), hop: 1, payload: payload.clone() };
        topic.feed(second * 1000, Input::Message { from: 0, message });
        topic.run(second * 1000 + 600, |machine, cx| machine.handle_timeout(cx));
    }
    let heap = allocations::live() - views;
    assert_eq!(topic.machine.cached(), 30);
    assert!(heap < 4096, "{heap} bytes");
    drop(shared);
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
