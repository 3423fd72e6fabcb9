//! The driver is tested with a machine that writes down what it hears and does what it is told.

mod digest;
mod ends;
mod wake;

use super::*;
use pleach_core::Context;
use pleach_core::link::{From, How, Question, Role, Via};
use std::convert::Infallible;

/// What the machine is told to do: outputs, taken as they are.
type Order = Output<Heard, u8>;
/// What it hears, handed on as an event.
type Heard = Box<Input<(), u8>>;

/// Hands on all that it hears, obeys orders, echoes what strangers send.
#[derive(Debug, Default)]
struct Puppet {
    echo: bool,
    deadline: Option<Instant>,
}

impl Machine for Puppet {
    type Input = Input<Vec<Order>, u8>;
    type Output = Order;

    fn handle(&mut self, input: Self::Input, cx: &mut Context<'_, Order>) {
        if let (true, Input::Received { link, bytes }) = (self.echo, &input) {
            cx.emit(Output::Send { link: *link, bytes: bytes.clone() });
        }
        let mut orders = Vec::new();
        let heard = adapt::lower(input, |wanted| {
            orders = wanted;
            None
        });
        orders.into_iter().for_each(|order| cx.emit(order));
        if let Some(heard) = heard {
            cx.emit(Output::Event(Box::new(heard)));
        }
    }

    fn handle_timeout(&mut self, cx: &mut Context<'_, Order>) {
        if self.deadline.is_some_and(|due| due <= cx.now()) {
            self.deadline = None;
            cx.emit(Output::Event(Box::new(Input::AddressesChanged)));
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.deadline
    }
}

/// Keeps what every node heard, and what passed between machines and links.
#[derive(Debug, Default)]
struct Ears(Vec<(u64, u32, Input<(), u8>)>, Vec<(u32, String)>);

impl Observer<Heard, u8, u8> for Ears {
    fn event(&mut self, at: Instant, node: u32, event: Heard) {
        self.0.push((at.as_micros(), node, *event));
    }

    fn asked(&mut self, _at: Instant, _node: u32, question: u8) -> Option<u8> {
        (question != 0).then_some(question + 1)
    }

    fn traffic(&mut self, _at: Instant, node: u32, traffic: &Traffic<'_>) {
        self.1.push((
            node,
            match traffic {
                Traffic::Opened { via, remote, peer, .. } => format!("{via:?} {remote} {peer}"),
                Traffic::Received { bytes, .. } => format!("received {}", bytes.len()),
                Traffic::Sent { bytes, .. } => format!("sent {}", bytes.len()),
                Traffic::Closed { .. } => "closed".to_owned(),
            },
        ));
    }
}

impl Ears {
    fn received(&self, node: u32) -> Vec<u8> {
        let pieces = self.0.iter().filter(|(_, at, _)| *at == node).filter_map(|(_, _, input)| {
            if let Input::Received { bytes, .. } = input { Some(bytes.to_vec()) } else { None }
        });
        pieces.flatten().collect()
    }

    /// When, and why, `node` was told that a link closed.
    fn closed(&self, node: u32) -> Vec<(u64, Cause)> {
        let of_node = self.0.iter().filter(|(_, at, _)| *at == node);
        of_node
            .filter_map(
                |(at, _, input)| {
                    if let Input::Closed { cause, .. } = input { Some((*at, *cause)) } else { None }
                },
            )
            .collect()
    }

    fn count(&self, node: u32, wanted: impl Fn(&Input<(), u8>) -> bool) -> usize {
        self.0.iter().filter(|(_, at, input)| *at == node && wanted(input)).count()
    }
}

const LINK: LinkId = LinkId(1);

struct World {
    net: Net<Puppet>,
    ears: Ears,
}

/// Two hosts, 10 ms apart each way, both listening; the second echoes if asked to.
fn world(dead_dials: DeadDials, echo: bool) -> World {
    let delay = Duration::from_millis(10);
    let mut net = Net::new(5, Latency::new(5, delay, delay), dead_dials);
    for node in 0..2 {
        net.add(Puppet { echo: echo && node == 1, deadline: None }, 0);
        net.command(node, vec![Output::Listen { listener: ListenerId(0), address: any_port() }]);
    }
    let mut world = World { net, ears: Ears::default() };
    world.run(1);
    world
}

impl World {
    /// Runs for so many milliseconds.
    fn run(&mut self, ms: u64) {
        let until = self.net.now() + Duration::from_millis(ms);
        self.net.run_until(until, &mut self.ears);
    }

    fn order(&mut self, node: u32, order: Order) {
        self.net.command(node, vec![order]);
    }

    fn dial(&mut self) {
        let address = Address::Socket(address(1));
        self.order(0, Output::Dial { link: LINK, address, from: From::Anywhere, role: Role::Dialler });
    }

    fn accepted(&self) -> LinkId {
        self.ears
            .0
            .iter()
            .find_map(|(_, node, input)| {
                if let (1, Input::Opened { link, via: Via::Accepted { .. }, .. }) = (*node, input) {
                    Some(*link)
                } else {
                    None
                }
            })
            .expect("a link was accepted")
    }
}

fn any_port() -> Address {
    Address::Socket("0.0.0.0:0".parse().unwrap())
}

fn send(link: LinkId, bytes: impl Into<Bytes>) -> Order {
    Output::Send { link, bytes: bytes.into() }
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|index| u8::try_from(index % 251).unwrap()).collect()
}

#[test]
fn a_dial_stands_after_one_round_trip() {
    let mut world = world(DeadDials::Refused, false);
    world.dial();
    world.run(19);
    assert_eq!(world.ears.count(0, |input| matches!(input, Input::Opened { .. })), 0);
    world.run(2);
    let opened = Input::Opened {
        link: LINK,
        via: Via::Dialled,
        local: Address::Socket(host::ephemeral(host::ip(0), 0)),
        remote: Address::Socket(address(1)),
    };
    assert_eq!(world.ears.count(0, |input| *input == opened), 1);
    assert!(world.accepted().0 >= LinkId::ACCEPTED);
}

#[test]
fn bytes_arrive_in_order_and_cut_at_odd_places() {
    let mut world = world(DeadDials::Refused, true);
    world.dial();
    world.run(30);
    let sent = pattern(300_000);
    for piece in sent.chunks(3_000) {
        world.order(0, send(LINK, piece.to_vec()));
    }
    world.run(3_000);
    assert_eq!(world.ears.received(1), sent, "what arrived");
    assert_eq!(world.ears.received(0), sent, "what was echoed");
    assert!(world.net.totals().pieces > 220, "no cuts: {} pieces", world.net.totals().pieces);
    let written: usize = world
        .ears
        .0
        .iter()
        .map(
            |(_, node, input)| {
                if let (0, Input::Written { count, .. }) = (*node, input) { *count } else { 0 }
            },
        )
        .sum();
    assert_eq!(written, sent.len(), "every byte that left is reported once");
}

#[test]
fn a_paused_reader_stalls_the_writer_and_loses_nothing() {
    let mut world = world(DeadDials::Refused, false);
    world.dial();
    world.run(30);
    let link = world.accepted();
    world.order(1, Output::Pause { link });
    let sent = pattern(200_000);
    world.order(0, send(LINK, sent.clone()));
    world.order(0, Output::Finish { link: LINK });
    world.run(1_000);
    assert!(world.ears.received(1).is_empty());
    let written = |world: &World| world.ears.count(0, |input| matches!(input, Input::Written { .. }));
    assert_eq!(written(&world), 1, "one window left, no more");
    world.order(1, Output::Resume { link });
    world.run(1_000);
    assert_eq!(world.ears.received(1), sent);
    assert_eq!(world.ears.count(1, |input| matches!(input, Input::Finished { .. })), 1);
}

#[test]
fn a_half_closed_link_still_carries_the_other_half() {
    let mut world = world(DeadDials::Refused, false);
    world.dial();
    world.run(30);
    let link = world.accepted();
    world.order(0, Output::Finish { link: LINK });
    world.run(15);
    world.order(1, send(link, pattern(10)));
    world.order(1, Output::Finish { link });
    world.run(50);
    assert_eq!(world.ears.received(0), pattern(10));
    assert_eq!(world.ears.closed(0).len(), 1);
    assert_eq!(world.ears.closed(0)[0].1, Cause::Finished);
    assert_eq!(world.ears.closed(1)[0].1, Cause::Finished);
    assert!(world.net.connections.is_empty());
}

#[test]
fn a_flushed_close_loses_nothing_and_an_abort_resets() {
    for (how, arrives) in [(How::Flush, 200_000), (How::Abort, 0)] {
        let mut world = world(DeadDials::Refused, false);
        world.dial();
        world.run(30);
        world.net.command(0, vec![send(LINK, pattern(200_000)), Output::Close { link: LINK, how }]);
        world.run(1_000);
        assert_eq!(world.ears.received(1).len(), arrives, "{how:?}");
        assert_eq!(world.ears.closed(0).len(), 1, "{how:?}");
        if how == How::Abort {
            assert_eq!(world.ears.closed(1)[0].1, Cause::Reset);
            assert!(world.net.connections.is_empty());
        }
        // Closed is the last word: orders about the link are stale from now on.
        world.order(0, send(LINK, pattern(1)));
        world.run(1);
        assert_eq!(world.net.totals().stale, 1);
    }
}

#[test]
fn a_dial_that_is_given_up_is_closed_once_and_reset_at_the_other_end() {
    let mut world = world(DeadDials::Refused, false);
    world.dial();
    world.run(1);
    world.order(0, Output::Close { link: LINK, how: How::Flush });
    world.run(100);
    assert_eq!(world.ears.closed(0).len(), 1);
    assert_eq!(world.ears.count(0, |input| matches!(input, Input::Opened { .. })), 0);
    assert_eq!(world.ears.closed(1).iter().map(|(_, cause)| *cause).collect::<Vec<_>>(), [Cause::Reset]);
}

#[test]
fn dead_hosts_refuse_or_are_silent() {
    for dead_dials in [DeadDials::Refused, DeadDials::Silent] {
        let mut world = world(dead_dials, false);
        world.net.stop(1, Stop::Crash);
        world.dial();
        world.run(19);
        assert_eq!(world.ears.closed(0), []);
        world.run(10_000);
        let refused: Vec<_> = world.ears.closed(0).iter().map(|(_, cause)| *cause).collect();
        match dead_dials {
            DeadDials::Refused => assert_eq!(refused, [Cause::Refused]),
            DeadDials::Silent => assert_eq!(refused, []),
        }
    }
}

#[test]
fn a_crash_resets_after_one_delay_and_a_freeze_does_not() {
    for (stop, told) in [(Stop::Crash, vec![(41_000, Cause::Reset)]), (Stop::Freeze, vec![])] {
        let mut world = world(DeadDials::Silent, false);
        world.dial();
        world.run(30);
        world.net.stop(1, stop);
        world.run(1_000);
        assert_eq!(world.ears.closed(0), told, "{stop:?}");
        world.order(0, send(LINK, pattern(500_000)));
        world.run(10_000);
        assert_eq!(world.ears.closed(0), told);
    }
}

#[test]
fn an_address_that_nobody_has_and_one_of_another_kind() {
    let mut world = world(DeadDials::Refused, false);
    for (link, address) in [
        (LinkId(1), Address::Socket(address(99))),
        (LinkId(2), Address::Name { host: "nowhere.example".into(), port: 1 }),
        (LinkId(3), Address::Onion { host: "x.onion".into(), port: 1 }),
    ] {
        world.order(0, Output::Dial { link, address, from: From::Anywhere, role: Role::Dialler });
    }
    world.run(200);
    let mut causes: Vec<_> = world.ears.closed(0).iter().map(|(_, cause)| *cause).collect();
    causes.sort();
    assert_eq!(causes, [Cause::Refused, Cause::Unreachable, Cause::Unsupported]);
}

#[test]
fn questions_are_answered_from_the_hosts_own_store() {
    let mut world = world(DeadDials::Refused, false);
    let record = Bytes::from_static(b"record");
    let ask = |query, question| Output::Query { query: QueryId(query), question };
    let store = |value| Question::Store { key: "key".into(), value };
    for question in [
        ask(0, Question::Resolve { host: "a".into() }),
        ask(1, store(Some(record.clone()))),
        ask(2, Question::Load { key: "key".into() }),
        ask(3, store(None)),
        ask(4, Question::Load { key: "key".into() }),
        ask(5, Question::Other(0)),
        ask(6, Question::Other(6)),
    ] {
        world.order(0, question);
    }
    world.run(10);
    let answers: Vec<_> = world
        .ears
        .0
        .iter()
        .filter_map(|(_, _, input)| {
            if let Input::Answer { query, answer } = input { Some((query.0, answer.clone())) } else { None }
        })
        .collect();
    let expected: Vec<(u64, Answer<u8>)> = vec![
        (0, Answer::Resolved(vec![])),
        (1, Answer::Stored(true)),
        (2, Answer::Loaded(Some(record))),
        (3, Answer::Stored(true)),
        (4, Answer::Loaded(None)),
        (6, Answer::Other(7)),
    ];
    assert_eq!(answers, expected);
    assert_eq!(world.net.stored(0).map(BTreeMap::len), Some(0));
}

#[test]
fn every_host_listens_in_a_network_of_its_own() {
    assert_eq!(address(0).to_string(), "10.0.0.1:7411");
    assert_eq!(address(258).to_string(), "10.1.2.1:7411");
    assert_eq!(address(65_536).to_string(), "11.0.0.1:7411");
    let mut world = world(DeadDials::Refused, false);
    assert_eq!(world.net.owner(address(1)), Some(1));
    world.order(0, Output::Listen { listener: ListenerId(0), address: any_port() });
    world.run(1);
    let taken =
        |input: &Input<(), u8>| matches!(input, Input::ListenFailed { cause: Cause::AddressInUse, .. });
    assert_eq!(world.ears.count(0, taken), 1);
    world.order(1, Output::Unlisten { listener: ListenerId(0) });
    world.run(1);
    world.dial();
    world.run(100);
    assert_eq!(world.ears.closed(0).len(), 1, "a host without a listener refuses");
}

#[test]
fn hosts_may_share_an_address_and_are_told_apart_by_their_ports() {
    let mut world = world(DeadDials::Refused, false);
    let third = world.net.add_behind(0, Puppet::default(), 0);
    world.dial();
    let address = Address::Socket(address(1));
    let dial = |address| Output::Dial { link: LINK, address, from: From::Anywhere, role: Role::Dialler };
    world.order(third, dial(address));
    world.run(30);
    let remotes = world.ears.0.iter().filter_map(|(_, node, input)| {
        if let (1, Input::Opened { remote: Address::Socket(remote), .. }) = (*node, input) {
            Some(*remote)
        } else {
            None
        }
    });
    let remotes: Vec<_> = remotes.collect();
    assert_eq!(remotes, [host::ephemeral(host::ip(0), 0), host::ephemeral(host::ip(0), 1)]);
    assert_eq!(remotes[0].ip(), remotes[1].ip());
    // What is sent to one of them does not reach the other.
    world.order(third, send(LINK, pattern(10)));
    world.run(30);
    assert_eq!(world.ears.received(1).len(), 10);
    world.order(third, Output::Listen { listener: ListenerId(0), address: any_port() });
    world.run(1);
    let taken =
        |input: &Input<(), u8>| matches!(input, Input::ListenFailed { cause: Cause::AddressInUse, .. });
    assert_eq!(world.ears.count(third, taken), 1, "one port, one listener");
    let elsewhere = world.net.add_behind(99, Puppet::default(), 0);
    assert_eq!(world.net.hosts[elsewhere as usize].ip, host::ip(elsewhere));
}

#[test]
fn an_observer_sees_all_that_passes_in_order() {
    let mut world = world(DeadDials::Refused, true);
    world.dial();
    world.run(30);
    world.net.command(0, vec![send(LINK, pattern(1)), Output::Close { link: LINK, how: How::Flush }]);
    world.run(100);
    world.order(0, send(LINK, pattern(1)));
    world.run(1);
    let of = |node| world.ears.1.iter().filter(move |(at, _)| *at == node).map(|(_, what)| what.as_str());
    let of = |node| of(node).collect::<Vec<_>>();
    assert_eq!(of(0), ["Dialled 10.0.1.1:7411 1", "sent 1", "closed"]);
    let opened = format!("Accepted {{ listener: ListenerId(0) }} {} 0", host::ephemeral(host::ip(0), 0));
    assert_eq!(of(1)[..3], [opened.as_str(), "received 1", "sent 1"]);
}

#[test]
fn a_machine_wakes_exactly_at_its_deadline() {
    let mut world = world(DeadDials::Refused, false);
    let deadline = Some(Instant::from_micros(123_456));
    world.net.add(Puppet { echo: false, deadline }, 0);
    world.run(1_000);
    let woken = world.ears.0.iter().filter(|(_, _, input)| *input == Input::AddressesChanged);
    assert_eq!(woken.map(|(at, node, _)| (*at, *node)).collect::<Vec<_>>(), [(123_456, 2)]);
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = |seed| {
        let latency = Latency::new(seed, Duration::from_millis(10), Duration::from_millis(50));
        let mut world = World { net: Net::new(seed, latency, DeadDials::Refused), ears: Ears::default() };
        for echo in [false, true] {
            let node = world.net.add(Puppet { echo, deadline: None }, 0);
            world.order(node, Output::Listen { listener: ListenerId(0), address: any_port() });
        }
        world.run(1);
        world.dial();
        world.run(200);
        for piece in pattern(9_000).chunks(100) {
            world.order(0, send(LINK, piece.to_vec()));
            world.run(1);
        }
        world.run(1_000);
        (world.net.digest().to_string(), world.ears.0)
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1).0, run(2).0);
}

#[test]
fn events_are_calls_into_machines() {
    let mut world = world(DeadDials::Refused, false);
    world.dial();
    world.run(30);
    world.order(0, send(LINK, pattern(300_000)));
    world.run(1_000);
    // Each machine reports what it hears, orders left out.
    let orders = 2 + 2;
    assert_eq!(world.net.totals().events, world.ears.0.len() as u64 + orders);
}

/// The vocabulary's defaults leave nothing to ask: such a machine is driven as well.
#[test]
fn a_machine_without_questions_of_its_own_can_be_driven() {
    struct Mute;
    impl Machine for Mute {
        type Input = Input<()>;
        type Output = Output<()>;
        fn handle(&mut self, _input: Self::Input, _cx: &mut Context<'_, Self::Output>) {}
        fn handle_timeout(&mut self, _cx: &mut Context<'_, Self::Output>) {}
        fn poll_timeout(&self) -> Option<Instant> {
            None
        }
    }
    struct Deaf;
    impl Observer<(), Infallible, Infallible> for Deaf {
        fn event(&mut self, _at: Instant, _node: u32, _event: ()) {}
        fn asked(&mut self, _at: Instant, _node: u32, question: Infallible) -> Option<Infallible> {
            match question {}
        }
    }
    let latency = Latency::new(0, Duration::ZERO, Duration::ZERO);
    let mut net = Net::new(0, latency, DeadDials::Silent);
    let node = net.add(Mute, 0);
    net.command(node, ());
    net.run_until(Instant::from_micros(5), &mut Deaf);
    assert!(net.machine(node).is_some());
    assert_eq!(net.now(), Instant::from_micros(5));
}
