use super::*;

fn model(settings: &[&str]) -> Model {
    let settings: Vec<_> = settings.iter().map(|setting| (*setting).to_owned()).collect();
    let scenario = Broadcast::parse("model.toml", "nodes = 1000\nmessages = 1", &settings).unwrap();
    let delay = Duration::from_millis(10);
    Model::new(&scenario, 0, Latency::new(0, delay, delay))
}

/// So many nodes that know nobody.
fn strangers(count: u32, settings: &[&str]) -> Model {
    let mut model = model(settings);
    (0..count).for_each(|_| model.join(&[]));
    model
}

fn run(model: &mut Model, ms: u64) {
    model.run_until(model.now + Duration::from_millis(ms));
}

fn phase(model: &Model, node: usize, peer: u32) -> Option<Phase> {
    model.nodes[node].as_ref().unwrap().links.get(peer).map(|link| link.phase)
}

fn hold_and_dial(model: &mut Model, node: u32, peer: u32) {
    model.hold(node, peer, true);
    model.dial(node, peer);
}

#[test]
fn a_link_stands_after_one_round_trip_and_closes_when_neither_end_needs_it() {
    let mut model = strangers(2, &[]);
    hold_and_dial(&mut model, 0, 1);
    run(&mut model, 19);
    assert_eq!(phase(&model, 0, 1), Some(Phase::Dialling));
    assert_eq!(phase(&model, 1, 0), Some(Phase::Up));
    run(&mut model, 2);
    assert_eq!(phase(&model, 0, 1), Some(Phase::Up));
    model.hold(1, 0, true);
    model.hold(1, 0, false);
    model.hold(0, 1, false);
    run(&mut model, 9_900);
    assert_eq!(phase(&model, 0, 1), Some(Phase::Up));
    run(&mut model, 200);
    assert_eq!((phase(&model, 0, 1), phase(&model, 1, 0)), (None, None));
}

#[test]
fn crossed_dials_become_one_link() {
    let mut model = strangers(2, &[]);
    hold_and_dial(&mut model, 1, 0);
    hold_and_dial(&mut model, 0, 1);
    run(&mut model, 50);
    let serial = |node: usize, peer| model.nodes[node].as_ref().unwrap().links.get(peer).unwrap().serial;
    assert_eq!(serial(0, 1), serial(1, 0));
    assert_eq!((phase(&model, 0, 1), phase(&model, 1, 0)), (Some(Phase::Up), Some(Phase::Up)));
}

#[test]
fn a_dial_that_is_given_up_leaves_no_link_at_either_end() {
    let mut model = strangers(2, &[]);
    hold_and_dial(&mut model, 0, 1);
    run(&mut model, 5);
    model.hold(0, 1, false);
    run(&mut model, 50);
    assert_eq!((phase(&model, 0, 1), phase(&model, 1, 0)), (None, None));
}

#[test]
fn dials_to_the_dead_are_refused_or_silent() {
    for (setting, after) in [("dead_dials=refused", Phase::Down), ("dead_dials=silent", Phase::Dialling)] {
        let mut model = strangers(2, &[setting]);
        model.crash(&[1]);
        hold_and_dial(&mut model, 0, 1);
        run(&mut model, 19);
        assert_eq!(phase(&model, 0, 1), Some(Phase::Dialling));
        run(&mut model, 10_000);
        assert_eq!(phase(&model, 0, 1), Some(after), "{setting}");
    }
}

#[test]
fn peers_learn_of_a_death_after_one_delay_whatever_dials_do() {
    for setting in ["dead_dials=refused", "dead_dials=silent"] {
        let mut model = strangers(2, &[setting]);
        hold_and_dial(&mut model, 0, 1);
        run(&mut model, 50);
        model.crash(&[1]);
        run(&mut model, 9);
        assert_eq!(phase(&model, 0, 1), Some(Phase::Up));
        run(&mut model, 1);
        assert_ne!(phase(&model, 0, 1), Some(Phase::Up));
    }
}

#[test]
fn what_is_sent_without_a_link_is_counted() {
    let mut model = strangers(2, &[]);
    model.send(0, 1, Parcel::Broadcast(broadcast::Message::Prune));
    assert_eq!(model.tally().stale, Some(1));
}

#[test]
fn those_who_leave_say_so_and_are_forgotten() {
    let mut model = model(&[]);
    for node in 0..20u32 {
        model.join(&(0..node.min(3)).collect::<Vec<_>>());
        run(&mut model, 1);
    }
    run(&mut model, 20_000);
    assert_eq!(model.graph().components(), [20]);
    model.leave(7);
    run(&mut model, 5_000);
    assert_eq!(model.graph().components(), [19]);
    assert_eq!(model.graph().asymmetric(), 0);
    let knows = |node: &Node| node.overlay.active().chain(node.overlay.passive()).any(|peer| peer == 7);
    let neighbours_that_know = model.nodes.iter().flatten().filter(|node| knows(node)).count();
    assert!(neighbours_that_know < 19, "all still know it");
}

/// A deadline that comes forward and goes back leaves a wake-up behind, which must not beget others for ever.
#[test]
fn no_more_wake_ups_wait_after_hours_than_after_a_minute() {
    let mut model = model(&[]);
    for node in 0..20u32 {
        model.join(&(0..node.min(3)).collect::<Vec<_>>());
    }
    let [early, late] = [60, 6 * 3600].map(|seconds| {
        run(&mut model, seconds * 1000);
        model.queue.len()
    });
    assert!(late <= 2 * early, "{early} wait, then {late}");
}

#[test]
fn the_digest_holds_deliveries_inputs_and_time_outs() {
    let digest = |act: &dyn Fn(&mut Model)| {
        let mut model = strangers(1, &[]);
        act(&mut model);
        model.digest.to_string()
    };
    let deliver = |model: &mut Model, hop| {
        let payload =
            crate::record::payload(0, 8, &mut crate::rng::stream(0, crate::rng::Domain::Workload, 0));
        model.outputs.push(Out::Delivered { hop, payload });
        model.carry_out(0, 1);
    };
    let publish = |model: &mut Model, byte| model.publish(0, Bytes::from(vec![byte; 64]));
    let digests = [
        digest(&|_| {}),
        digest(&|model| deliver(model, 1)),
        digest(&|model| deliver(model, 2)),
        digest(&|model| publish(model, 1)),
        digest(&|model| publish(model, 2)),
        digest(&|model| model.leave(0)),
        // It looks for others each now and then, and there are none.
        digest(&|model| run(model, 120_000)),
    ];
    let distinct: std::collections::BTreeSet<_> = digests.iter().collect();
    assert_eq!(distinct.len(), digests.len());
}
