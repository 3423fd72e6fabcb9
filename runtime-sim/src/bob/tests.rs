use super::*;

fn scenario(settings: &[&str]) -> BobRelay {
    let settings: Vec<_> = settings.iter().map(|setting| (*setting).to_owned()).collect();
    BobRelay::parse("bob-relay.toml", include_str!("../../scenarios/bob-relay.toml"), &settings).unwrap()
}

fn outcome(settings: &[&str], seed: u64) -> Outcome<Summary> {
    run(&scenario(settings), seed, &mut |_| {})
}

fn good(settings: &[&str], seed: u64) -> Summary {
    let outcome = outcome(settings, seed);
    assert!(outcome.is_good(), "seed {seed}: {:?} {:?}", outcome.broken, outcome.missed);
    outcome.summary
}

#[test]
fn the_same_seed_gives_the_same_digest_and_figures() {
    let settings = ["pairs=6", "faults=50%"];
    let one = good(&settings, 4);
    assert_eq!(one, good(&settings, 4));
    assert_ne!(one.digest, good(&settings, 5).digest);
}

#[test]
fn calm_pairs_all_complete_and_everything_was_checked() {
    let calm = ["hostile=0", "faults=0", "pairs=12"];
    let summary = good(&calm, 1);
    assert_eq!((summary.transfers_complete, summary.undisturbed, summary.squatted), (12, 12, 0));
    assert_eq!((summary.rooms, summary.refused), (12, 1));
    // Each pair has two keys, found out by running its handshake again.
    assert_eq!(summary.checked.keys, 24);
    assert_eq!(summary.checked.people, 24 + 1 + 1 + 2);
    assert_eq!(summary.checked.tables, 5);
    assert!(summary.checked.waits > 100 && summary.checked.uids == 28, "{:?}", summary.checked);
    // The content and what goes with it, both ways counted.
    let content: usize = summary.transfers.iter().map(|transfer| transfer.bytes).sum();
    assert!(summary.checked.searched_bytes > content as u64 / 2, "{:?}", summary.checked);
    assert!(summary.transfers.iter().all(|transfer| transfer.took_ms.is_some()));
}

/// A rival comes late, mostly when the file is over: the time of a transfer is that of the two who exchanged it.
#[test]
fn a_late_rival_shortens_no_transfer() {
    let summary =
        good(&["hostile=0", "faults=0", "pairs=8", "rivals=100%", "wrong_first=0", "refuse_first=0"], 3);
    assert_eq!(summary.transfers_complete, 8);
    // A receiver thinks for 200 ms at least before it accepts.
    assert!(
        summary.transfers.iter().all(|transfer| transfer.took_ms >= Some(200)),
        "{:?}",
        summary.transfers
    );
}

/// What the relay sheds has a counter each: no program is in vain.
#[test]
fn every_hostile_program_leaves_its_mark_and_hurts_nobody() {
    let summary = good(&["faults=0", "own_address_rooms=true"], 2);
    assert_eq!((summary.transfers_complete, summary.hostile_heard), (24, 13));
    for mark in [
        "malformed",
        "hellos_excessive",
        "hellos_ignored",
        "dropped_direction",
        "dropped_unknown",
        "dropped_role",
        "dropped_identity",
        "dropped_unagreed",
        "guesses_failed",
        "guesses_delayed",
        "lines_unknown",
        "lines_too_long",
        "refused",
        "reported",
    ] {
        assert!(summary.relay.get(mark).is_some_and(|count| *count > 0), "{mark}: {:?}", summary.relay);
    }
}

#[test]
fn a_lying_relay_delivers_nothing_and_both_sides_fail() {
    let summary = good(&["relay=lying", "faults=0", "hostile=0", "pairs=12"], 3);
    assert_eq!((summary.transfers_complete, summary.transfers_failed), (0, 12));
    assert_eq!((summary.rooms, summary.unconfirmed), (12, 0));
}

#[test]
fn a_relay_that_stops_leaves_nobody_waiting_for_ever() {
    for seed in 0..4 {
        let summary = good(&["relay_crash=true", "hostile=0"], seed);
        assert!(summary.transfers_failed > 0 && summary.crashed + summary.frozen > 0);
        assert_eq!(summary.checked.tables, 0, "there is no relay to look at");
    }
}

#[test]
fn silent_hosts_and_slow_readers_are_survived() {
    let summary = good(&["dead_dials=silent", "slow=100%", "pairs=8", "faults=25%"], 6);
    assert!(summary.transfers_complete >= 4 && summary.complete_ms.max > 1000, "{:?}", summary.complete_ms);
}

/// The relay freezes while a sender has handshakes under way, which then never end.
#[test]
fn a_relay_that_freezes_is_not_taken_for_one_that_makes_people_wait() {
    let settings = ["relay_crash=true"];
    let plan = Plan::new(&scenario(&settings), 0);
    assert!(plan.steps.iter().any(|(_, step)| *step == Step::StopRelay(Stop::Freeze)), "{:?}", plan.steps);
    assert!(good(&settings, 0).checked.waits > 0);
}

/// People behind one address whose handshakes last until a sender gives them up: they froze, or have met somebody else
/// and the relay does not say so. Those who wait behind them wait for long, and for no guesses.
#[test]
fn silent_neighbours_are_not_taken_for_guesses_of_others() {
    let crowd =
        ["hostile=0", "pairs=10", "shared_address=100%", "wrong_first=100%", "refuse_first=0", "rivals=0"];
    for (faults, seed) in [("faults=0", 24), ("faults=100%", 22)] {
        let settings: Vec<_> = crowd.into_iter().chain([faults]).collect();
        assert!(good(&settings, seed).checked.waits > 0);
    }
}

/// Planted: a relay that lets clients use the names of others. Hostile ones then make honest ones wait at the senders,
/// who count failures by name, and the check notices.
#[test]
fn a_relay_without_its_protection_against_forged_names_is_caught() {
    let scenario = scenario(&["faults=0"]);
    let plan = Plan::new(&scenario, 0);
    let mut config = relay_config(&scenario);
    config.own_identity_only = false;
    let broken = drive(&scenario, 0, &plan, config, &mut |_| {}).1;
    assert!(broken.iter().any(|what| what.contains("a handshake at a sender")), "{broken:?}");
}
