//! Published vectors: where they lie, and how a test reads them without overlooking anything.
//!
//! The directory is `tests/vectors`, or the one in the environment variable `PLEACH_VECTORS`. A topic is a folder of
//! it; a topic or file that is absent is skipped with a line that says so. Of what is there, every member must be
//! taken: one that the test does not know fails it.

use std::io::Write;
use std::ops::Range;
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// The topics that tests here can read.
const KNOWN: &[&str] = &["bob-relay", "mesh", "overlay", "solcial-content"];

/// A topic that is there.
pub(crate) struct Topic {
    name: &'static str,
    directory: PathBuf,
    cases: usize,
}

/// Runs the cases of a topic, says how many there were, and fails if there were none.
pub(crate) fn topic(name: &'static str, run: impl FnOnce(&mut Topic)) {
    assert!(KNOWN.contains(&name), "{name} is missing in the list of known topics");
    topic_in(directory(), name, run);
}

fn topic_in(directory: PathBuf, name: &'static str, run: impl FnOnce(&mut Topic)) {
    let present: Vec<_> = KNOWN.iter().filter(|known| directory.join(known).is_dir()).collect();
    assert!(!present.is_empty(), "{} holds none of the topics {KNOWN:?}", directory.display());
    let directory = directory.join(name);
    if !directory.is_dir() {
        say(&format!("vectors {name}: absent, skipped"));
        return;
    }
    let mut topic = Topic { name, directory, cases: 0 };
    run(&mut topic);
    assert!(topic.cases > 0, "vectors {name}: no case ran");
    say(&format!("vectors {name}: {} cases ran", topic.cases));
}

fn directory() -> PathBuf {
    std::env::var_os("PLEACH_VECTORS")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors"), PathBuf::from)
}

/// Prints past the capture of the test harness: whoever runs the vectors should see what ran.
fn say(line: &str) {
    // A closed stdout is no reason to fail.
    let _ = writeln!(std::io::stdout(), "{line}");
}

impl Topic {
    /// Reads one file, if it is there. `run` is to take every member of it.
    pub(crate) fn file(&mut self, name: &str, run: impl FnOnce(&mut Self, Members)) {
        if let Some(value) = self.read(name) {
            let members = Members::new(format!("{}/{name}", self.name), value);
            run(self, members);
        }
    }

    /// The JSON files of a folder of the topic, in order, as [`Topic::file`] takes them.
    pub(crate) fn names(&self, folder: &str) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.directory.join(folder)) else {
            say(&format!("vectors {}/{folder}: absent, skipped", self.name));
            return Vec::new();
        };
        let names = entries.map_while(|entry| entry.ok()?.file_name().into_string().ok());
        let mut names: Vec<String> =
            names.filter(|name| name.ends_with(".json")).map(|name| format!("{folder}/{name}")).collect();
        names.sort();
        names
    }

    /// Runs `run` on each object of a list, and counts those that it calls cases.
    pub(crate) fn list(&mut self, place: &str, list: Vec<Value>, mut run: impl FnMut(Members) -> bool) {
        for (index, value) in list.into_iter().enumerate() {
            self.cases += usize::from(run(Members::new(format!("{place}[{index}]"), value)));
        }
    }

    /// Reads one file, if it is there, into a type that knows its members and denies others.
    pub(crate) fn read<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let path = self.directory.join(name);
        if !path.is_file() {
            say(&format!("vectors {}/{name}: absent, skipped", self.name));
            return None;
        }
        let text =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Some(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
    }

    /// Counts cases that ran outside [`Topic::cases`]; a file that is there has some.
    pub(crate) fn count(&mut self, cases: usize) {
        assert!(cases > 0, "vectors {}: a file without cases", self.name);
        self.cases += cases;
    }

    /// Runs `run` on each element of a list of the file, and counts them as cases.
    pub(crate) fn cases(&mut self, file: &mut Members, list: &str, mut run: impl FnMut(Members)) {
        for case in file.list(list) {
            self.cases += 1;
            run(case);
        }
    }
}

/// The members of a JSON object. Each is to be taken; dropping it with members left fails the test.
#[derive(Debug)]
pub(crate) struct Members {
    place: String,
    rest: Map<String, Value>,
}

impl Members {
    pub(crate) fn new(place: String, value: Value) -> Self {
        let Value::Object(rest) = value else { panic!("{place}: not an object: {value}") };
        Self { place, rest }
    }

    /// Where it stands, for messages.
    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    /// The names that have not been taken.
    pub(crate) fn names(&self) -> Vec<String> {
        self.rest.keys().cloned().collect()
    }

    /// Takes a member that says nothing to a test: a description, a remark.
    pub(crate) fn remark(&mut self, name: &str) {
        self.rest.remove(name);
    }

    pub(crate) fn value(&mut self, name: &str) -> Value {
        let taken = self.rest.remove(name);
        taken.unwrap_or_else(|| panic!("{}: the member `{name}` is missing", self.place))
    }

    pub(crate) fn text(&mut self, name: &str) -> String {
        let Value::String(text) = self.value(name) else { self.wrong(name, "a text") };
        text
    }

    /// Bytes, written in hex.
    pub(crate) fn bytes(&mut self, name: &str) -> Vec<u8> {
        let text = self.text(name);
        unhex(&text).unwrap_or_else(|| panic!("{}: `{name}` is not hex: {text}", self.place))
    }

    /// A number, written as one or as decimal text.
    pub(crate) fn number(&mut self, name: &str) -> u64 {
        let value = self.value(name);
        let number = value.as_u64().or_else(|| value.as_str().and_then(|text| text.parse().ok()));
        number.unwrap_or_else(|| self.wrong(name, "a number"))
    }

    /// A list of objects.
    pub(crate) fn list(&mut self, name: &str) -> Vec<Self> {
        let place = format!("{}.{name}", self.place);
        let values = self.values(name).into_iter().enumerate();
        values.map(|(index, value)| Self::new(format!("{place}[{index}]"), value)).collect()
    }

    pub(crate) fn values(&mut self, name: &str) -> Vec<Value> {
        let Value::Array(values) = self.value(name) else { self.wrong(name, "a list") };
        values
    }

    fn wrong(&self, name: &str, expected: &str) -> ! {
        panic!("{}: `{name}` is not {expected}", self.place)
    }
}

impl Drop for Members {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert!(self.rest.is_empty(), "{}: members that no test reads: {:?}", self.place, self.names());
        }
    }
}

/// Bytes of lower or upper case hex.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    let pair = |at: Range<usize>| text.get(at).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let whole = text.len().is_multiple_of(2) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    whole.then(|| (0..text.len()).step_by(2).map_while(|at| pair(at..at + 2)).collect())
}

#[test]
#[should_panic(expected = "holds none of the topics")]
fn a_directory_without_a_known_topic_fails() {
    topic_in(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("support"), "overlay", |_| {});
}

#[test]
#[should_panic(expected = "members that no test reads: [\"novelty\"]")]
fn a_member_that_is_not_read_fails() {
    let mut members = Members::new("here".into(), serde_json::json!({ "known": 1, "novelty": 2 }));
    assert_eq!(members.number("known"), 1);
}

#[test]
#[should_panic(expected = "no case ran")]
fn a_topic_without_cases_fails() {
    topic("overlay", |_| {});
}
