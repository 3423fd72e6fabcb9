//! What no file of the workspace does.

use crate::source::{self, rust_files};

/// The most lines of a file: beyond, it holds more than one concept.
const LINES_MAX: usize = 600;

/// Split, so that this list does not find itself.
const WORDS: &[[&str; 2]] = &[
    ["todo", "!("],
    ["unimplemented", "!("],
    ["TO", "DO"],
    ["FIX", "ME"],
    ["#[ig", "nore"],
    ["allow(dead", "_code"],
];

/// Collections whose order differs from run to run, and what machines are lent instead of taking it.
const NOT_IN_CORE: &[&str] =
    &["HashMap", "HashSet", "SystemTime::now", "Instant::now", "thread_rng", "f32", "f64"];

#[test]
fn no_file_is_unfinished_or_outgrown() {
    let root = source::root();
    let folders = ["core", "runtime-smol", "runtime-sim", "fuzz", "tests"];
    let files: Vec<_> = folders.iter().flat_map(|folder| rust_files(&root.join(folder))).collect();
    let mut found = Vec::new();
    for path in &files {
        let text = source::read(path);
        let lines = text.lines().count();
        if lines > LINES_MAX {
            found.push(format!("{}: {lines} lines", path.display()));
        }
        let words = WORDS.iter().map(|parts| parts.concat()).filter(|word| text.contains(word));
        found.extend(words.map(|word| format!("{}: {word}", path.display())));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn core_is_deterministic_by_its_words() {
    let mut found = Vec::new();
    for source in source::core().iter().filter(|source| !source.is_test()) {
        for (number, line) in source.text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            let words = code.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
            let bad = words.filter(|word| NOT_IN_CORE.contains(word));
            found.extend(bad.map(|word| format!("{}:{}: {word}", source.path.display(), number + 1)));
        }
    }
    // The one place that reads clocks, for drivers, under the feature `std`.
    found.retain(|line| !line.contains("core/src/time.rs"));
    assert!(found.is_empty(), "{}", found.join("\n"));
}
