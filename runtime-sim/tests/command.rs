//! The `pleach-sim` command, run as people and programs run it.

// clippy.toml relieves test functions, not their helpers.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

/// A network of four, of which nothing is expected.
const TINY: &str = "nodes = 4\nmessages = 1\nwarm_up_ms = 1000\n";

/// How it ended, and what it wrote.
struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Ran {
    /// What it wrote to stdout, which must be JSON, a line each.
    fn lines(&self) -> Vec<Value> {
        let read = |line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line:?} is no JSON"));
        self.stdout.lines().map(read).collect()
    }
}

fn sim(arguments: &[&str]) -> Ran {
    let ran = Command::new(env!("CARGO_BIN_EXE_pleach-sim")).args(arguments).output().expect("it starts");
    let text = |bytes| String::from_utf8(bytes).expect("it writes text");
    Ran { code: ran.status.code().unwrap(), stdout: text(ran.stdout), stderr: text(ran.stderr) }
}

/// A scenario in a file that is gone afterwards.
struct File(PathBuf);

impl File {
    fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("pleach-sim-{}-{name}.toml", std::process::id()));
        std::fs::write(&path, text).unwrap();
        Self(path)
    }

    fn name(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn a_band_that_fails_says_why_for_each_run_and_at_the_end() {
    let file = File::new("odd", &format!("{TINY}expect.components = {{ min = 2 }}"));
    let ran = sim(&["band", file.name(), "--seeds", "0..2", "--keep-going", "--json"]);
    let lines = ran.lines();
    assert_eq!((ran.code, lines.len()), (11, 4), "{lines:?}");
    for (seed, line) in lines[1..3].iter().enumerate() {
        let replay = format!("pleach-sim run {} --seed {seed}", file.name());
        let message = "components is 1, expected at least 2";
        assert_eq!(line["error"], json!({ "code": "expectation", "message": message, "hint": replay }));
    }
    assert_eq!(lines[3]["error"], lines[1]["error"], "the end tells of the first that failed");
    assert_eq!(lines[3]["summary"], json!({ "runs": 2 }));
}

#[test]
fn every_answer_in_json_has_one_start_and_one_end() {
    let wrong = File::new("wrong", "nodes = true");
    for (arguments, command, exit, error) in [
        (vec!["list"], json!("list"), 0, None),
        (vec!["run", "no-such-scenario"], json!("run"), 2, Some("unknown-scenario")),
        (vec!["band", "no-such-scenario"], json!("band"), 2, Some("unknown-scenario")),
        (vec!["run", wrong.name()], json!("run"), 3, Some("invalid-scenario")),
        (vec!["run", "stable", "--set", "nodse=5"], json!("run"), 2, Some("bad-setting")),
        (vec!["run", "stable", "--seed", "x"], json!("run"), 2, Some("usage")),
        (vec!["band", "stable", "--seeds", "5..5"], json!("band"), 2, Some("usage")),
        (vec!["run"], json!("run"), 2, Some("usage")),
        (vec!["go"], Value::Null, 2, Some("usage")),
    ] {
        let ran = sim(&[arguments.as_slice(), &["--json"]].concat());
        let lines = ran.lines();
        let of = |kind: &str| lines.iter().filter(|line| line["type"] == kind).count();
        assert_eq!((of("start"), of("end")), (1, 1), "{arguments:?}: {lines:?}");
        let (start, end) = (&lines[0], &lines[lines.len() - 1]);
        assert_eq!((&start["type"], &start["v"], &start["command"]), (&json!("start"), &json!(1), &command));
        assert_eq!((&end["type"], &end["v"], &end["exit"]), (&json!("end"), &json!(1), &json!(exit)));
        assert_eq!((ran.code, &end["ok"]), (exit, &json!(exit == 0)), "{arguments:?}");
        assert_eq!(end["error"]["code"].as_str(), error, "{arguments:?}");
        assert_eq!(end["error"]["message"].is_string(), error.is_some(), "{arguments:?}");
    }
}

#[test]
fn a_run_of_which_nothing_was_expected_says_so() {
    let (free, bound) =
        (File::new("free", TINY), File::new("bound", &format!("{TINY}expect.components.max = 1")));
    for (file, verdict, expectations) in [(&free, "nothing was expected", 0), (&bound, "as expected", 1)] {
        let text = sim(&["run", file.name()]);
        assert_eq!((text.code, text.stdout.lines().last()), (0, Some(verdict)));
        let json = sim(&["run", file.name(), "--json"]).lines();
        assert_eq!(json.last().unwrap()["expectations"], json!(expectations));
        let band = sim(&["band", file.name(), "--seeds", "0..2"]);
        assert_eq!(band.code, 0);
        assert_eq!(band.stderr.contains("nothing was expected"), expectations == 0, "{}", band.stderr);
        assert_eq!(band.stdout.contains(" ok "), expectations > 0, "{}", band.stdout);
    }
}

#[test]
fn progress_that_is_always_shown_is_shown_where_there_is_no_terminal() {
    let file = File::new("slow", TINY);
    let shown = |progress| sim(&["run", file.name(), "--progress", progress]).stderr.contains("100% drain");
    assert_eq!(["auto", "always", "never", "lines"].map(shown), [false, true, false, true]);
}
