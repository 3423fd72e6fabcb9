use super::*;
use crate::net::DeadDials;

fn parse(text: &str, settings: &[&str]) -> Result<Broadcast, ScenarioError> {
    let settings: Vec<_> = settings.iter().map(|setting| (*setting).to_owned()).collect();
    let Scenario::Broadcast(scenario) = Scenario::parse("mine.toml", text, &settings)? else {
        panic!("it is of another kind")
    };
    Ok(*scenario)
}

/// A built-in scenario of broadcasts.
fn load(name: &str, settings: &[&str]) -> Broadcast {
    let (_, text) = BUILT_IN.iter().find(|(known, _)| *known == name).unwrap();
    parse(text, settings).unwrap()
}

fn refused(text: &str, settings: &[&str]) -> String {
    parse(text, settings).expect_err("it is wrong").to_string()
}

const SMALL: &str = "nodes = 10\nmessages = 2\n";

#[test]
fn built_in_scenarios_are_valid_and_say_what_they_are() {
    for (name, _) in BUILT_IN {
        let scenario = Scenario::load(name, &[]).unwrap();
        assert!(!scenario.about().is_empty(), "{name}");
        let expects = match scenario {
            Scenario::Broadcast(scenario) => {
                scenario.expect != broadcast::Bounds::default() || !scenario.expect_when.is_empty()
            }
            Scenario::BobRelay(scenario) => scenario.expect != bob_relay::Bounds::default(),
        };
        assert!(expects, "{name}");
    }
    assert_eq!(load("stable", &[]).nodes, 10_000);
    assert_eq!(load("many-sources", &[]).nodes, 10_000);
    assert_eq!(load("mass-kill", &[]).nodes, 1000);
}

#[test]
fn defaults_are_those_of_the_reference_results() {
    let scenario = parse(SMALL, &[]).unwrap();
    assert_eq!((scenario.payload_bytes, scenario.pace_ms, scenario.contacts), (64, 1000, 10));
    assert_eq!((scenario.join_ms, scenario.warm_up_ms), (1, 60_000));
    assert_eq!((scenario.latency_min_ms, scenario.latency_max_ms), (10, 50));
    assert_eq!((scenario.fidelity, scenario.dead_dials), (Fidelity::Model, DeadDials::Refused));
    assert_eq!((scenario.sources, scenario.kill), (Sources::Some(1), Share::default()));
}

#[test]
fn settings_change_keys() {
    let settings = [
        "nodes=500",
        "messages=60",
        "sources=many",
        "kill=30%",
        "dead_dials=silent",
        "fidelity=wire",
        "churn.every_ms=250",
    ];
    let scenario = parse(SMALL, &settings).unwrap();
    assert_eq!((scenario.nodes, scenario.messages, scenario.sources), (500, 60, Sources::Many));
    assert_eq!((scenario.victims(), scenario.dead_dials), (150, DeadDials::Silent));
    assert_eq!(scenario.fidelity, Fidelity::Wire);
    assert_eq!(scenario.churn, Some(broadcast::Churn { every_ms: 250, polite_percent: 50 }));
    for (setting, victims) in
        [("kill=0.3", 3), ("kill=\"30%\"", 3), ("kill=1", 8), ("kill=0.04", 0), ("kill=0.05", 1)]
    {
        assert_eq!(parse(SMALL, &[setting]).unwrap().victims(), victims, "{setting}");
    }
    assert_eq!(parse(SMALL, &["sources=3"]).unwrap().sources, Sources::Some(3));
}

#[test]
fn mistakes_in_a_file_are_named_with_line_and_accepted_values() {
    let unknown = refused("nodes = 10\nmessages = 2\nsorces = \"one\"\n", &[]);
    for part in ["mine.toml", "line 3", "sorces", "sources", "dead_dials"] {
        assert!(unknown.contains(part), "{part} is not in {unknown}");
    }
    let wrong = refused("nodes = 10\nmessages = 2\nfidelity = \"real\"\n", &[]);
    for part in ["line 3", "real", "model", "wire"] {
        assert!(wrong.contains(part), "{part} is not in {wrong}");
    }
    assert!(refused("nodes = 10", &[]).contains("messages"));
    assert!(refused("nodes = ", &[]).contains("line 1"));
    assert!(refused("nodes = 1\nmessages = 2\n", &[]).contains("nodes = 1 is not between 2 and 1000000"));
    let figure = refused("nodes = 10\nmessages = 2\n[expect]\nspeed = { min = 1 }\n", &[]);
    assert!(figure.contains("line 4") && figure.contains("reliability"), "{figure}");
}

#[test]
fn bounds_that_never_fail_or_never_hold_are_refused() {
    let refused =
        |range: &str| refused(&format!("nodes = 10\nmessages = 2\n[expect]\ncomponents = {range}\n"), &[]);
    for (range, part) in [
        ("{}", "neither min nor max"),
        ("{ min = 0.7, max = 0.5 }", "min = 0.7 is above max = 0.5"),
        ("{ min = nan }", "not a number"),
        ("{ least = 1 }", "least"),
    ] {
        let error = refused(range);
        assert!(error.contains("line 4") && error.contains(part), "{range}: {error}");
    }
    assert!(parse(SMALL, &["expect.components={ min = 1, max = 1 }"]).is_ok());
}

#[test]
fn mistakes_in_settings_name_the_setting() {
    for (setting, part) in [
        ("nodes", "key=value"),
        ("nodes=many", "u32"),
        ("nodse=5", "nodes"),
        ("kill=130%", "a share from 0 to 1"),
        ("kill=-1", "a share from 0 to 1"),
        ("sources=0", "\"one\", \"many\""),
        ("sources=few", "\"one\", \"many\""),
        ("dead_dials=quiet", "refused"),
        ("fidelity=wire nodes", "wire"),
        ("messages=0", "between 1 and 100000"),
        ("latency_min_ms=60", "between 0 and 50"),
        ("nodes.more=1", "no such key"),
        ("churn.polite_percent=50", "every_ms"),
    ] {
        let error = refused(SMALL, &[setting]);
        assert!(error.contains(&format!("--set {setting}")) && error.contains(part), "{setting}: {error}");
    }
}

#[test]
fn settings_are_judged_together_in_any_order() {
    for settings in [
        ["latency_min_ms=60", "latency_max_ms=80"],
        ["latency_max_ms=80", "latency_min_ms=60"],
        ["churn.polite_percent=100", "churn.every_ms=500"],
    ] {
        parse(SMALL, &settings).unwrap_or_else(|error| panic!("{settings:?}: {error}"));
    }
}

#[test]
fn the_last_of_two_settings_of_one_key_counts() {
    for (settings, nodes) in
        [(["nodes=20", "nodes=30"], 30), (["nodes=30", "nodes=20"], 20), (["nodes=many", "nodes=20"], 20)]
    {
        assert_eq!(parse(SMALL, &settings).unwrap().nodes, nodes, "{settings:?}");
    }
    assert!(refused(SMALL, &["nodes=20", "nodes=many"]).contains("--set nodes=many:"));
}

#[test]
fn of_several_settings_one_that_fits_with_no_others_is_named() {
    for (settings, named, part) in [
        (vec!["latency_min_ms=60", "latency_max_ms=55"], "latency_min_ms=60", "between 0 and 55"),
        (vec!["latency_min_ms=60", "latency_max_ms=80", "nodes=many"], "nodes=many", "u32"),
        (vec!["nodse=5", "latency_max_ms=80", "latency_min_ms=60", "messages=0"], "nodse=5", "nodes"),
        (vec!["latency_min_ms=60", "nodes"], "latency_min_ms=60", "between 0 and 50"),
    ] {
        let error = refused(SMALL, &settings);
        assert!(error.contains(&format!("--set {named}:")) && error.contains(part), "{settings:?}: {error}");
    }
}

#[test]
fn an_unknown_name_and_an_unreadable_file() {
    assert!(matches!(Scenario::load("no-such-scenario", &[]), Err(ScenarioError::Unknown { .. })));
    assert!(matches!(Scenario::load("/", &[]), Err(ScenarioError::Unreadable { .. })));
}

#[test]
fn expectations_follow_the_kind_of_run() {
    let count = |settings: &[&str]| {
        let bounds = load("mass-kill", settings).expectations();
        let early = bounds.iter().find_map(|bounds| bounds.reliability_11_20);
        let late = bounds.iter().find_map(|bounds| bounds.reliability_51_60);
        (early, late)
    };
    let at_least = |min| Range::new(Some(min), None).ok();
    assert_eq!(count(&["kill=30%"]), (at_least(1.0), None));
    assert_eq!(count(&["kill=80%"]), (at_least(1.0), None));
    assert_eq!(count(&["kill=90%"]), (None, at_least(0.95)));
    assert_eq!(count(&["kill=0.95"]), (None, at_least(0.8)));
    assert_eq!(count(&["kill=0.99"]), (None, None));
    let stable = load("stable", &[]);
    let many = load("stable", &["sources=many"]);
    assert!(stable.expectations().iter().any(|bounds| bounds.last10_per_flood.is_some()));
    assert!(many.expectations().iter().all(|bounds| bounds.last10_per_flood.is_none()));
}

#[test]
fn each_workload_has_keys_of_its_own_and_the_shared_ones() {
    let kind = |text: &str| Scenario::parse("mine.toml", text, &[]);
    assert!(matches!(kind("workload = \"broadcast\"\nnodes = 10\nmessages = 2"), Ok(Scenario::Broadcast(_))));
    let Ok(Scenario::BobRelay(bob)) = kind("workload = \"bob-relay\"\ndead_dials = \"silent\"") else {
        panic!("it is of another kind")
    };
    assert_eq!((bob.pairs, bob.hostile, bob.dead_dials), (24, 13, DeadDials::Silent));
    assert_eq!((bob.latency_min_ms, bob.latency_max_ms), (10, 50));
    let refused = |text: &str| kind(text).expect_err("it is wrong").to_string();
    for (text, parts) in [
        ("workload = \"bob-relay\"\nnodes = 10", ["line 2", "nodes", "pairs", "dead_dials"]),
        ("nodes = 10\nmessages = 2\npairs = 3", ["line 3", "pairs", "payload_bytes", "dead_dials"]),
        ("nodes = 10\nworkload = \"bob\"", ["line 2", "bob", "broadcast", "bob-relay"]),
        (
            "workload = \"bob-relay\"\n[expect]\nrmr_last10 = {}",
            ["line 3", "rmr_last10", "undisturbed_failed", "rooms"],
        ),
    ] {
        for part in parts {
            assert!(refused(text).contains(part), "{part} is not in {}", refused(text));
        }
    }
}

#[test]
fn the_workload_of_a_scenario_cannot_be_set() {
    let error = refused(SMALL, &["workload=bob-relay"]);
    assert!(error.contains("--set workload=bob-relay") && error.contains("cannot be set"), "{error}");
}

#[test]
fn values_of_a_relay_out_of_range_are_named() {
    let refused = |setting: &str| {
        let text = "workload = \"bob-relay\"";
        BobRelay::parse("mine.toml", text, &[setting.to_owned()]).expect_err("it is wrong").to_string()
    };
    for (setting, part) in [
        ("pairs=0", "between 1 and 500"),
        ("hostile=201", "between 0 and 200"),
        ("faults=110%", "a share from 0 to 1"),
        ("relay=crooked", "`honest` or `lying`"),
        ("relay_crash=perhaps", "a boolean"),
        ("wait_ms=1", "between 1000 and 3600000"),
    ] {
        assert!(refused(setting).contains(part), "{setting}: {}", refused(setting));
    }
}

#[test]
fn what_is_expected_of_a_relay_follows_its_conduct() {
    let bounds = |settings: &[&str]| {
        let settings: Vec<_> = settings.iter().map(|setting| (*setting).to_owned()).collect();
        let Ok(Scenario::BobRelay(scenario)) = Scenario::load("bob-relay", &settings) else {
            panic!("it is of another kind")
        };
        let all = scenario.expectations();
        let failed = all.iter().find_map(|bounds| bounds.undisturbed_failed);
        let complete = all.iter().find_map(|bounds| bounds.transfers_complete);
        (failed, complete)
    };
    let none = Range::new(None, Some(0.0)).ok();
    assert_eq!(bounds(&[]), (none, None));
    assert_eq!(bounds(&["relay=lying"]), (None, none));
    assert_eq!(bounds(&["relay_crash=true"]), (None, None));
}
