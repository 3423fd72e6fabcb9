//! What the command writes: results to stdout, everything else to stderr.

use std::fmt::Write as _;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::path::Path;
use std::time::SystemTime;

use serde_json::{Map, Value, json};

use super::error::{Exit, Failure};

/// The version of the JSON lines.
const VERSION: u64 = 1;

/// Where results go, and in which form.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    /// JSON lines on stdout, nothing else there.
    pub(crate) json: bool,
    /// Only errors and results.
    pub(crate) quiet: bool,
    /// Whether stderr may be coloured and redrawn.
    pub(crate) color: bool,
    /// The command goes on with its work when nobody reads stdout any more.
    outlives_stdout: bool,
    started: std::time::Instant,
}

impl Output {
    /// Where the work of the command is more than what it writes, it `outlives_stdout`.
    pub(crate) fn new(json: bool, quiet: bool, color: Color, outlives_stdout: bool) -> Self {
        let started = std::time::Instant::now();
        Self { json, quiet, color: color.is_wanted(), outlives_stdout, started }
    }

    /// One line of the result.
    pub(crate) fn result(&self, line: &str) -> Result<(), Failure> {
        self.write(line.as_bytes())
    }

    /// A path as the result: for programs as it is, for people so that it cannot deceive them.
    pub(crate) fn path(&self, path: &Path) -> Result<(), Failure> {
        let bytes = path.as_os_str().as_encoded_bytes();
        if io::stdout().is_terminal() { self.result(&escape(bytes)) } else { self.write(bytes) }
    }

    /// One JSON line of this type, under `--json`.
    pub(crate) fn json(&self, kind: &str, fields: Value) -> Result<(), Failure> {
        if !self.json {
            return Ok(());
        }
        let mut object = Map::new();
        if matches!(kind, "start" | "end") {
            object.insert("v".into(), VERSION.into());
        }
        object.insert("type".into(), kind.into());
        if let Value::Object(fields) = fields {
            object.extend(fields);
        }
        object.insert("time".into(), rfc3339(SystemTime::now()).into());
        let micros = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        object.insert("mono_us".into(), micros.into());
        self.write(Value::Object(object).to_string().as_bytes())
    }

    /// The last JSON line.
    pub(crate) fn end(&self, exit: Exit, failure: Option<&Failure>, summary: Value) -> Result<(), Failure> {
        let mut fields = Map::new();
        fields.insert("ok".into(), (exit == Exit::Done).into());
        fields.insert("exit".into(), exit.code().into());
        if let Some(failure) = failure {
            let error = json!({"code": failure.code, "message": failure.what, "hint": failure.hint});
            fields.insert("error".into(), error);
        }
        if !summary.is_null() {
            fields.insert("summary".into(), summary);
        }
        self.json("end", Value::Object(fields))
    }

    /// A word to the person at the terminal.
    pub(crate) fn note(&self, line: &str) {
        if !self.quiet {
            to_stderr(&format!("{line}\n"));
        }
    }

    /// An error, with its next step.
    pub(crate) fn error(&self, failure: &Failure) {
        let (start, end) = if self.color { ("\x1b[1;31m", "\x1b[0m") } else { ("", "") };
        let mut text = format!("{start}error:{end} {failure}\n");
        if let Some(hint) = &failure.hint {
            let _ = writeln!(text, "  hint: {hint}");
        }
        to_stderr(&text);
    }

    /// Writes a line to stdout and flushes it. A closed pipe is the reader's way to say that it has enough.
    fn write(&self, line: &[u8]) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        let written = stdout.write_all(&[line, b"\n"].concat()).and_then(|()| stdout.flush());
        let Err(error) = written else { return Ok(()) };
        match (error.kind(), self.outlives_stdout) {
            (ErrorKind::BrokenPipe, true) => Ok(()),
            (ErrorKind::BrokenPipe, false) => Err(Failure::new(Exit::Done, PIPE_CLOSED, "")),
            _ => Err(Failure::new(Exit::Local, "stdout-failed", format!("cannot write the result: {error}"))),
        }
    }
}

/// The code of the failure that ends the command quietly.
pub(crate) const PIPE_CLOSED: &str = "pipe-closed";

/// Writes to stderr; there is nobody to tell if that fails.
pub(crate) fn to_stderr(text: &str) {
    let mut stderr = io::stderr().lock();
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}

/// When to colour.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, clap::ValueEnum)]
pub(crate) enum Color {
    /// If stderr is a terminal and the environment does not object.
    #[default]
    Auto,
    Always,
    Never,
}

impl Color {
    /// The flag, then `NO_COLOR`, `CLICOLOR_FORCE`, the terminal, `TERM=dumb`.
    fn is_wanted(self) -> bool {
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto if is_set("NO_COLOR") => false,
            Self::Auto if is_set("CLICOLOR_FORCE") => true,
            Self::Auto => {
                io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
            }
        }
    }
}

/// Text of a peer as it may be shown: control characters, invisible ones and bytes that are no UTF-8 are escaped, so
/// that it cannot move the cursor, hide or reorder what is around it.
pub(crate) fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if is_harmless(character) {
                text.push(character);
            } else {
                text.extend(character.escape_default());
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

/// A path as JSON takes it: JSON escapes by itself what is dangerous in a line. One that is no UTF-8 as people see it.
pub(crate) fn path_in_json(path: &Path) -> String {
    path.to_str().map_or_else(|| escape(path.as_os_str().as_encoded_bytes()), str::to_owned)
}

fn is_harmless(character: char) -> bool {
    // What std would escape for debugging is what a terminal may act on or not show; quotes and backslashes are harmless
    // to it, and combining marks are part of words.
    matches!(character, '\'' | '"' | '\\')
        || (character.escape_debug().len() == 1
            && !matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'))
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// RFC 3339 in UTC, with milliseconds.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_peers_cannot_act_on_the_terminal() {
        assert_eq!(escape("Grüße \"an\" 世界 \\o/".as_bytes()), "Grüße \"an\" 世界 \\o/");
        assert_eq!(escape(b"\x1b[2J\r\n\x07"), "\\u{1b}[2J\\r\\n\\u{7}");
        assert_eq!(escape("a\u{202e}b\u{200b}c\u{9b}d".as_bytes()), "a\\u{202e}b\\u{200b}c\\u{9b}d");
        assert_eq!(escape(b"ok \xff\xc3( end"), "ok \\xff\\xc3( end");
    }
}
