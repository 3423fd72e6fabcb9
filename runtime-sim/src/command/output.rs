//! The two streams: the result on stdout, as text or as JSON lines; everything else on stderr.

use std::io::Write;

use serde_json::{Map, Value};

use super::exit::Exit;

/// The members of a JSON object, by their names.
pub(super) type Members = Map<String, Value>;

/// Members, written as in `json!`.
macro_rules! members {
    ($($name:literal: $value:expr),* $(,)?) => {
        $crate::command::output::Members::from_iter([$(($name.to_owned(), serde_json::json!($value))),*])
    };
}

pub(super) use members;

/// The result, on stdout.
#[derive(Debug)]
pub(super) struct Output {
    json: bool,
}

impl Output {
    pub(super) const fn new(json: bool) -> Self {
        Self { json }
    }

    /// A line of this type, if the result is wanted as JSON. The first one is `start`, the last one `end`.
    pub(super) fn json(&mut self, kind: &str, members: Members) {
        if !self.json {
            return;
        }
        let mut line = members! { "v": 1, "type": kind };
        line.extend(members);
        put(&format!("{}\n", Value::Object(line)));
    }

    /// Some text, if the result is wanted as text.
    pub(super) fn text(&mut self, text: &str) {
        if !self.json {
            put(text);
        }
    }
}

/// Says something on stderr. Nobody may be listening.
pub(super) fn say(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Why it failed, and what may help.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) exit: Exit,
    /// A stable word to search for.
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) hint: String,
}

impl Failure {
    /// Says so to people.
    pub(super) fn say(&self) {
        say(&format!("error: {} [{}]\n  hint: {}\n", self.message, self.code, self.hint));
    }

    /// The member `error` of a line.
    pub(super) fn error(&self) -> Members {
        members! { "code": self.code, "message": self.message, "hint": self.hint }
    }

    /// The members of the last line.
    pub(super) fn end(&self) -> Members {
        members! { "ok": false, "exit": self.exit.code(), "error": self.error() }
    }
}

/// Writes to stdout at once. A reader that has gone away wants no more: that is no failure.
fn put(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}
