use super::*;
use crate::broadcast::run;
use crate::network::Network;
use crate::record::payload;
use crate::scenario;
use crate::wire::Wire;

fn scenario(text: &str) -> scenario::Broadcast {
    scenario::Broadcast::parse("mesh.toml", &format!("fidelity = \"wire\"\n{text}"), &[]).unwrap()
}

fn at(ms: u64) -> Instant {
    Instant::from_micros(ms * 1000)
}

/// A node that stops forgets its topics before it is gone, but not what it has counted.
#[test]
fn what_a_node_received_still_counts_while_it_leaves_and_after() {
    let scenario = scenario("nodes = 6\nmessages = 1");
    let mut network = Wire::new(Mesh::new(6), &scenario, 0, scenario.latency(0));
    for node in 0..6u32 {
        network.record_mut().joins(at(0));
        network.join(&[0][..usize::from(node > 0)]);
    }
    let received_until = |network: &mut Wire<Mesh>, ms: u64| {
        network.run_until(at(ms));
        network.record().messages().iter().map(|message| message.received).sum::<u64>()
    };
    network.run_until(at(10_000));
    network.record_mut().published(at(10_000), 0);
    network.publish(0, payload(0, 64, &mut stream(0, Domain::Workload, 0)));
    let received = received_until(&mut network, 12_000);
    assert!(received >= 5, "{received}");
    network.leave(3);
    assert_eq!(received_until(&mut network, 13_000), received, "while it leaves");
    assert_eq!(received_until(&mut network, 20_000), received, "once it is gone");
}

#[test]
fn whole_nodes_may_come_and_go() {
    let churn = "churn = { every_ms = 700, polite_percent = 100 }";
    let sizes = "nodes = 10\nmessages = 5\nwarm_up_ms = 10_000\ndrain_ms = 3_000";
    let outcome = run(&scenario(&format!("{sizes}\n{churn}")), 0, &mut |_| {});
    assert_eq!(outcome.broken, Vec::<String>::new());
    assert!(outcome.summary.nodes > 10, "{:?}", outcome.summary);
    assert!(outcome.summary.rmr.is_none_or(|rmr| rmr >= 0.0), "{:?}", outcome.summary.rmr);
}

#[test]
fn a_node_is_current_when_it_holds_no_older_head_than_its_node_has() {
    let version = |height, second: u64| Version { height, issued: WallTime::from_unix_ms(second * 1000) };
    let heads = |second: Option<Version>| {
        let heads = [Some(version(7, 100)), second];
        heads.into_iter().enumerate().filter_map(|(node, head)| Some((node, head?))).collect()
    };
    let own = heads(Some(version(7, 100)));
    let late = WallTime::from_unix_ms(200_000);
    let early = WallTime::from_unix_ms(105_000);
    for (held, then, expected) in [
        (Some(version(7, 100)), late, true),
        (Some(version(7, 90)), late, false),
        (Some(version(6, 100)), late, false),
        (None, late, false),
        // The newest is still under way; something had come before.
        (Some(version(7, 90)), early, true),
        (None, early, false),
    ] {
        assert_eq!(is_current(&heads(held), &own, then), expected, "{held:?} at {then:?}");
    }
}
