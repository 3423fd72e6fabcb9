use super::*;
use crate::record::payload;
use crate::scenario::broadcast::Bounds;
use crate::scenario::{Broadcast, Range};

fn at(ms: u64) -> Instant {
    Instant::from_micros(ms * 1000)
}

/// Four nodes, the last one dead at the end, a fifth that joins late; 20 messages, the first reaches all, others all
/// but node 2 if `hole`.
fn summary(hole: bool, killed: bool) -> Summary {
    let plan = Plan {
        counts_from: [0, 0, 0, 0, 65_000].map(at).to_vec(),
        alive: vec![true, true, true, false, true],
        killed_at: killed.then(|| at(59_000)),
        ..Plan::default()
    };
    let mut rng = stream(0, Domain::Workload, 0);
    let mut record = Record::default();
    plan.counts_from.iter().for_each(|from| record.joins(*from));
    for number in 0..20u32 {
        let published = 60_000 + u64::from(number) * 1000;
        record.published(at(published), 0);
        let bytes = payload(number, 64, &mut rng);
        for node in [1, 2, 4] {
            if !(hole && node == 2 && number > 0) {
                record.received(&bytes);
                record.delivered(at(published + 30 * u64::from(node)), node, node, &bytes);
            }
        }
        record.received(&bytes);
    }
    let graph = Graph::new(vec![vec![1, 2], vec![0], vec![0, 4], vec![], vec![2]], plan.alive.clone());
    let tally = Tally { capacity: (1, 3), ..Tally::default() };
    let control = Cost { messages: 100, bytes: 2000 };
    let seen = Seen { graph, healed_at: Some(at(59_300)), control, tally, ..Seen::default() };
    Summary::new(0, &plan, &record, &seen)
}

#[test]
fn reliability_counts_nodes_that_had_settled_and_live_to_the_end() {
    let whole = summary(false, false);
    // Node 4 has settled for messages 6 and later; the dead node never counts.
    assert_eq!((whole.expected, whole.delivered), (20 * 2 + 15, 55));
    assert!((whole.reliability - 1.0).abs() < 1e-9);
    let holed = summary(true, true);
    assert_eq!((holed.expected, holed.delivered), (55, 36));
    // Messages 11 to 20 reach the publisher and two of three others.
    assert!((holed.reliability_11_20.unwrap() - 0.75).abs() < 1e-9);
    assert_eq!(holed.reliability_51_60, None);
    assert_eq!(whole.reliability_11_20, None, "there was no kill");
}

#[test]
fn redundancy_is_absent_below_full_reliability() {
    let whole = summary(false, false);
    // Four copies for three holders other than the publisher.
    assert!((whole.rmr.unwrap() - 1.0 / 3.0).abs() < 1e-9);
    assert!((whole.rmr_last10.unwrap() - 1.0 / 3.0).abs() < 1e-9);
    assert_eq!(whole.duplicates, 20);
    assert_eq!((summary(true, false).rmr, summary(true, false).rmr_last10), (None, None));
}

#[test]
fn times_hops_views_and_costs() {
    let summary = summary(false, true);
    assert_eq!((summary.flood_ms, summary.last10_ms), (60, 120));
    assert_eq!(summary.per_flood(summary.last10_ms), Some(2.0));
    assert_eq!(summary.delivery_ms, Delays { p50: 60, p99: 120, max: 120 });
    assert_eq!((summary.components, summary.largest_component, summary.live), (1, 4, 4));
    assert_eq!((summary.active_min, summary.active_max), (1, 2));
    assert_eq!((summary.control_per_broadcast, summary.control_bytes_per_broadcast), (5, 100));
    assert_eq!(summary.healing_ms, Some(300));
    assert_eq!(summary.path_max, 3);
}

#[test]
fn bounds_are_checked_and_what_cannot_be_measured_misses() {
    let summary = summary(true, true);
    let range = |min, max| Some(Range::new(min, max).unwrap());
    let bounds = Bounds {
        reliability: range(Some(1.0), None),
        components: range(Some(1.0), Some(1.0)),
        active_min_margin: range(Some(0.0), None),
        rmr_last10: range(None, Some(0.01)),
        ..Bounds::default()
    };
    let missed: Vec<_> = bounds.check(&summary).iter().map(ToString::to_string).collect();
    assert_eq!(missed.len(), 2, "{missed:?}");
    assert!(missed[0].starts_with("reliability is 0."), "{missed:?}");
    assert_eq!(missed[1], "rmr_last10 could not be measured, expected at most 0.01");
}

/// Two nodes, of which one gets all of 60 messages but this one.
fn one_lost(lost: u32) -> Summary {
    let plan =
        Plan { counts_from: vec![at(0); 2], alive: vec![true; 2], killed_at: Some(at(0)), ..Plan::default() };
    let mut rng = stream(0, Domain::Workload, 0);
    let mut record = Record::default();
    for number in 1..=60 {
        record.published(at(1), 0);
        if number != lost {
            record.delivered(at(2), 1, 1, &payload(number - 1, 8, &mut rng));
        }
    }
    let graph = Graph::new(vec![vec![1], vec![0]], plan.alive.clone());
    Summary::new(0, &plan, &record, &Seen { graph, ..Seen::default() })
}

/// The target of the reference results: up to 80 % all of broadcasts 11 and later, then 95 % and 80 % of 51 to 60.
#[test]
fn after_a_mass_kill_no_late_message_may_be_lost() {
    let is_missed = |kill: &str, lost: u32| {
        let (_, text) = crate::scenario::BUILT_IN.into_iter().find(|(name, _)| *name == "mass-kill").unwrap();
        let scenario = Broadcast::parse("mass-kill.toml", text, &[format!("kill={kill}")]).unwrap();
        !scenario.misses(&one_lost(lost)).is_empty()
    };
    for (kill, lost, missed) in [
        ("30%", 10, false),
        ("30%", 11, true),
        ("80%", 21, true),
        ("80%", 60, true),
        ("90%", 11, false),
        ("95%", 60, false),
        ("97%", 60, false),
    ] {
        assert_eq!(is_missed(kill, lost), missed, "kill={kill}, message {lost}");
    }
}

#[test]
fn json_has_at_most_six_decimals_and_leaves_out_what_does_not_apply() {
    let json = serde_json::to_value(summary(false, false)).unwrap();
    assert_eq!(json["rmr"], serde_json::json!(0.333_333));
    for absent in ["reliability_11_20", "handshakes", "heads_converged", "healing_ms", "rounds"] {
        assert!(json.get(absent).is_none(), "{absent}");
    }
    for present in [
        "nodes",
        "live",
        "components",
        "asymmetric_links",
        "active_min",
        "active_max",
        "active_capacity",
        "reliability",
        "rmr",
        "rmr_last10",
        "ldh_mean",
        "delivery_ms",
        "flood_ms",
        "delivered",
        "expected",
        "duplicates",
        "control_per_broadcast",
        "events",
        "digest",
    ] {
        assert!(json.get(present).is_some(), "{present}");
    }
}
