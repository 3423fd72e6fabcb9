//! identify, push and ping between two channels, and against peers that lack them.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::super::*;
use super::pair::{DIALLER, LISTENER, Pair, keypair, names};
use crate::machine::Machine;

fn agents(pair: &mut Pair, side: usize) -> Vec<String> {
    let told = pair.take(side, |output| matches!(output, Output::Identified(_)));
    let agent = |output| if let Output::Identified(info) = output { info.agent_version } else { None };
    told.into_iter().map(|output| agent(output).unwrap_or_default()).collect()
}

#[test]
fn s4_it_is_asked_again_every_five_minutes_or_so() {
    let mut pair = Pair::ready(5);
    pair.pass(Duration::from_secs(3600));
    let count = agents(&mut pair, DIALLER).len();
    assert!((10..=13).contains(&count), "{count}");
}

#[test]
fn s4_a_change_is_pushed_at_once_and_then_every_ten_seconds() {
    let mut pair = Pair::new(5);
    pair.describe(LISTENER, "0");
    let mut pair = pair.start();
    for agent in ["1", "2", "3", "3"] {
        pair.describe(LISTENER, agent);
        pair.run();
    }
    assert_eq!(agents(&mut pair, DIALLER), ["1"]);
    pair.pass(Duration::from_micros(9_999_999));
    assert!(agents(&mut pair, DIALLER).is_empty());
    pair.pass(Duration::from_micros(1));
    assert_eq!(agents(&mut pair, DIALLER), ["3"], "only the newest");
    pair.describe(LISTENER, "3");
    pair.pass(Duration::from_secs(60));
    assert!(agents(&mut pair, DIALLER).is_empty(), "no change, no push");
}

#[test]
fn s4_a_message_with_another_key_is_ignored_and_counted() {
    let mut pair = Pair::new(5);
    let key = keypair(9).public().to_protobuf();
    let info = identify::Info { public_key: Some(key.to_vec().into()), ..identify::Info::default() };
    pair.input(LISTENER, Input::Describe(Box::new(info)));
    let mut pair = pair.start();
    assert!(agents(&mut pair, DIALLER).is_empty());
    assert_eq!(pair.sides[DIALLER].channel.stats().identify_refused, 1);
    assert_eq!(pair.closed(DIALLER), None);
}

#[test]
fn s4_messages_beyond_the_rate_are_shed() {
    let config = Config { push_interval: Duration::ZERO, ..Config::default() };
    let burst = usize::try_from(config.identify_burst).unwrap();
    let mut pair = Pair::with(5, config, None).start();
    for number in 0..20 {
        pair.describe(LISTENER, &alloc::format!("{number}"));
        pair.run();
    }
    // One of the burst was the answer to our own question.
    assert_eq!(agents(&mut pair, DIALLER).len(), burst - 1);
    assert_eq!(pair.sides[DIALLER].channel.stats().identify_shed, 21 - 8);
    assert_eq!(pair.closed(DIALLER), None);
    pair.pass(Duration::from_secs(5));
    pair.describe(LISTENER, "later");
    pair.run();
    assert_eq!(agents(&mut pair, DIALLER), ["later"]);
}

#[test]
fn s4_what_we_told_about_the_peers_address_arrives() {
    let mut pair = Pair::new(5);
    let observed = "/ip4/198.51.100.7/tcp/51000".parse::<crate::wire::multiaddr::Multiaddr>().unwrap();
    let info = identify::Info { observed_address: Some(observed.clone()), ..identify::Info::default() };
    pair.input(LISTENER, Input::Describe(Box::new(info)));
    for side in [DIALLER, LISTENER] {
        pair.input(side, Input::Start);
    }
    pair.run();
    let told = pair.take(DIALLER, |output| matches!(output, Output::Identified(_)));
    let [Output::Identified(info)] = &told[..] else { panic!("{told:?}") };
    assert_eq!(info.observed_address, Some(observed));
}

#[test]
fn a_ping_or_an_application_uses_the_link_and_identify_does_not() {
    let mut pair = Pair::ready(5);
    let in_use = |pair: &Pair| pair.sides[LISTENER].channel.is_in_use();
    assert!(!in_use(&pair), "both have asked what the other is");
    for protocol in [ping::PROTOCOL, "/echo/1"] {
        pair.input(DIALLER, Input::Open { token: 7, protocols: names(&[protocol]) });
        pair.run();
        let opened = pair.take(DIALLER, |output| matches!(output, Output::Opened { .. }));
        let [Output::Opened { stream, .. }] = opened[..] else { panic!("{opened:?}") };
        assert!(in_use(&pair), "{protocol}");
        pair.input(DIALLER, Input::Reset { stream });
        pair.run();
        assert!(!in_use(&pair), "{protocol}");
    }
}

#[test]
fn l3_no_time_of_zero_keeps_the_link_busy() {
    let config = Config {
        identify_interval: Duration::ZERO,
        stream_timeout: Duration::ZERO,
        push_interval: Duration::ZERO,
        ..Config::default()
    };
    // `Pair` checks after each deadline that the next is later.
    let mut pair = Pair::with(5, config, None).start();
    for _ in 0..10 {
        pair.now = pair.sides[DIALLER].channel.poll_timeout().unwrap().max(pair.now);
        pair.timeout(DIALLER);
    }
}

#[test]
fn s4_a_push_that_finds_no_room_for_its_stream_comes_later() {
    let streams_max = 4;
    let yamux = yamux::Config { streams_max, ..yamux::Config::default() };
    let mut pair = Pair::with(5, Config { yamux, ..Config::default() }, None).start();
    let streams: Vec<StreamId> = (0..streams_max).map(|_| pair.open(DIALLER)).collect();
    agents(&mut pair, DIALLER);
    pair.describe(LISTENER, "news");
    pair.pass(Duration::from_secs(30));
    assert!(agents(&mut pair, DIALLER).is_empty(), "there is no room");
    pair.input(DIALLER, Input::Reset { stream: streams[0] });
    pair.run();
    pair.pass(Duration::from_secs(10));
    assert_eq!(agents(&mut pair, DIALLER), ["news"]);
}
