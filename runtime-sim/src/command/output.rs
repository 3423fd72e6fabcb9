//! The two streams: the result on stdout, as text or as JSON lines; everything else on stderr.

use std::io::Write;

use serde_json::{Value, json};

use super::exit::Exit;

/// The result, on stdout.
#[derive(Debug)]
pub(super) struct Output {
    json: bool,
}

impl Output {
    pub(super) const fn new(json: bool) -> Self {
        Self { json }
    }

    /// A line, if the result is wanted as JSON.
    pub(super) fn json(&mut self, line: &Value) {
        if self.json {
            put(&format!("{line}\n"));
        }
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

/// Says what failed and what may help; with JSON also in the last line. Returns the exit code.
pub(super) fn error(json: bool, exit: Exit, code: &str, message: &str, hint: &str) -> Exit {
    say(&format!("error: {message} [{code}]\n  hint: {hint}\n"));
    Output::new(json).json(&json!({
        "v": 1, "type": "end", "ok": false, "exit": exit.code(),
        "error": { "code": code, "message": message, "hint": hint },
    }));
    exit
}

/// Writes to stdout at once. A reader that has gone away wants no more: that is no failure.
fn put(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}
