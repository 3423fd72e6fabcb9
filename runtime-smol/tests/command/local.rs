//! `pleach local`: a network of real nodes, in short.

use serde_json::Value;

use crate::process::{Scratch, run, text};

#[test]
fn a_small_network_forms_loses_a_node_heals_and_delivers_everything() {
    let scratch = Scratch::new("local");
    let output = run(&scratch.path(""), &["local", "--nodes", "6", "--kill", "30%", "--json", "--seed", "3"]);
    let lines: Vec<Value> =
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (start, end) = (lines.first().unwrap(), lines.last().unwrap());
    assert_eq!(output.status.code(), Some(0), "{end} {}", text(&output.stderr));
    assert_eq!((&start["type"], &start["kill"], &start["seed"]), (&"start".into(), &2.into(), &3.into()));
    let phases: Vec<_> = lines
        .iter()
        .filter(|line| line["type"] == "phase")
        .map(|line| line["phase"].as_str().unwrap())
        .collect();
    assert_eq!(phases, ["form", "publish", "heal", "publish-again"]);
    assert_eq!((&end["type"], &end["ok"], &end["exit"]), (&"end".into(), &true.into(), &0.into()));
    assert_eq!(lines.iter().filter(|line| line["type"] == "end").count(), 1);

    let summary = &end["summary"];
    // 12 messages before: four nodes live, of which each misses its own; 8 after.
    let expected = 4 * 2 * 3 + 2 * 2 * 4 + 4 * 2 * 3;
    for (key, value) in [
        ("nodes", 6),
        ("live", 4),
        ("killed", 2),
        ("components", 1),
        ("asymmetric_links", 0),
        ("duplicates", 0),
        ("expected", expected),
        ("delivered", expected),
        ("missing", 0),
    ] {
        assert_eq!(summary[key], value, "{key}: {summary}");
    }
    assert_eq!((&summary["heads_converged"], &summary["reliability"]), (&true.into(), &1.0.into()));
    assert!(summary["handshakes"].as_u64().unwrap() > 0);
    assert!(summary["delivery_ms"]["p50"].as_u64() <= summary["delivery_ms"]["max"].as_u64());
}

#[test]
fn the_report_for_people_ends_with_the_verdict() {
    let scratch = Scratch::new("report");
    let output = run(&scratch.path(""), &["local", "--nodes", "3", "--kill", "0"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let report = text(&output.stdout);
    assert!(report.contains("reliability 1.000000"), "{report}");
    assert!(report.trim_end().ends_with("every live node has everything it is owed"), "{report}");
    assert!(text(&output.stderr).contains("publish-again is done"));
}
