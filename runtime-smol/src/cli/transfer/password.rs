//! Where a password comes from. Never from the command line, which other users can read.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use async_channel::Receiver;
use pleach_core::bob::Password;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use super::words;
use crate::cli::error::{Exit, Failure};
use crate::cli::output::Output;
use crate::cli::signals;

/// The variable of the environment that may hold it.
const VARIABLE: &str = "PLEACH_PASSWORD";
/// Bytes of the longest password that is read from a file.
const LENGTH_MAX: usize = 1024;

/// The flags about passwords.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
pub(crate) struct Flags {
    /// Read the password from this file; one newline at its end is not part of it
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Read the password from this open file descriptor
    #[arg(long, value_name = "N", conflicts_with = "password_file")]
    password_fd: Option<u32>,
}

impl Flags {
    /// What the flags or the environment say, unless `signal` comes first; none if they say nothing.
    pub(crate) async fn given(
        &self,
        signal: &Receiver<Exit>,
        output: Output,
    ) -> Result<Option<Password>, Failure> {
        let (path, shown) = match (&self.password_file, self.password_fd) {
            (Some(path), _) => {
                warn_if_open(path, output);
                (path.clone(), path.display().to_string())
            }
            (None, Some(number)) => {
                (PathBuf::from(format!("/dev/fd/{number}")), format!("file descriptor {number}"))
            }
            (None, None) => {
                let value = std::env::var_os(VARIABLE);
                return value.map(|value| checked(value.into_encoded_bytes())).transpose();
            }
        };
        // A pipe or a terminal may never say it.
        let bytes = signals::unless(signal, smol::unblock(move || read(&path, &shown))).await??;
        checked(bytes).map(Some)
    }
}

fn read(path: &Path, shown: &str) -> Result<Vec<u8>, Failure> {
    let failed = |error: io::Error| {
        let what = format!("cannot read the password from {shown}: {error}");
        Failure::new(Exit::Local, "password-unreadable", what)
    };
    // Room for all that is read: it is not moved, and leaves no copy behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(LENGTH_MAX + 3));
    File::open(path)
        .and_then(|file| file.take(LENGTH_MAX as u64 + 2).read_to_end(&mut bytes))
        .map_err(failed)?;
    let text = without_newline(&bytes);
    if text.len() > LENGTH_MAX {
        let what = format!("what {shown} holds is longer than {LENGTH_MAX} bytes: that is no password");
        return Err(Failure::new(Exit::Local, "password-too-long", what));
    }
    Ok(text.to_vec())
}

/// The bytes without one newline at their end, of either kind.
fn without_newline(bytes: &[u8]) -> &[u8] {
    let text = bytes.strip_suffix(b"\n");
    text.map_or(bytes, |text| text.strip_suffix(b"\r").unwrap_or(text))
}

fn checked(bytes: Vec<u8>) -> Result<Password, Failure> {
    if bytes.is_empty() {
        return Err(Failure::new(Exit::Usage, "password-empty", "the password is empty"));
    }
    Ok(Password::new(bytes))
}

#[cfg(unix)]
fn warn_if_open(path: &Path, output: Output) {
    use std::os::unix::fs::PermissionsExt;
    let is_open = |file: std::fs::Metadata| file.is_file() && file.permissions().mode() & 0o077 != 0;
    if path.metadata().is_ok_and(is_open) {
        let path = path.display();
        output.note(&format!("warning: others may read the password in {path}; hint: chmod 600 {path}"));
    }
}

#[cfg(not(unix))]
fn warn_if_open(_: &Path, _: Output) {}

/// Asks at the terminal, without showing what is typed, until it is typed or `signal` comes.
pub(crate) async fn ask(signal: &Receiver<Exit>, output: Output) -> Result<Password, Failure> {
    let terminal = Terminal::remember();
    let typed = signals::unless(signal, smol::unblock(|| rpassword::prompt_password("Password: "))).await;
    drop(terminal);
    let typed = typed?.map_err(|error| match error.kind() {
        ErrorKind::Interrupted => Failure::signal(Exit::Interrupted),
        _ => nobody_to_ask(&error),
    })?;
    if words::is_in_another_dress(&typed) {
        output.note("hint: a generated password is in lower case, with dashes between its words; this is taken as typed");
    }
    checked(typed.into_bytes())
}

fn nobody_to_ask(error: &io::Error) -> Failure {
    Failure::new(Exit::Usage, "no-password", format!("no password, and no terminal to ask at: {error}"))
        .hint(HINT)
}

const HINT: &str = "use --password-file, --password-fd or PLEACH_PASSWORD";

/// What is said where nobody is to be asked.
pub(crate) fn missing() -> Failure {
    Failure::new(Exit::Usage, "no-password", "no password, and --no-input forbids to ask for one").hint(HINT)
}

/// How the terminal was before; dropped, it is so again. A prompt that a signal ends does not come to that itself.
struct Terminal(Option<(File, Termios)>);

impl Terminal {
    fn remember() -> Self {
        let terminal = File::options().read(true).write(true).open("/dev/tty").ok();
        Self(terminal.and_then(|terminal| tcgetattr(&terminal).ok().map(|state| (terminal, state))))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some((terminal, state)) = &self.0 {
            // If it cannot be, the terminal is gone.
            let _ = tcsetattr(terminal, OptionalActions::Now, state);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_newline_is_not_part_of_the_password_and_nothing_else_is_trimmed() {
        for (held, password) in [
            (&b"secret\n"[..], &b"secret"[..]),
            (b"secret\r\n", b"secret"),
            (b"secret", b"secret"),
            (b" two  words \n\n", b" two  words \n"),
            (b"\xff\x00\r", b"\xff\x00\r"),
        ] {
            assert_eq!(without_newline(held), password);
        }
    }

    #[test]
    fn a_file_holds_one_password_of_at_most_1024_bytes() {
        let path = std::env::temp_dir().join(format!("pleach-password-{}", std::process::id()));
        let outcome = |held: &[u8]| {
            std::fs::write(&path, held).unwrap();
            read(&path, "F").map_err(|failure| failure.code)
        };
        assert_eq!(outcome(&[b'x'; 1024]), Ok(vec![b'x'; 1024]));
        assert_eq!(outcome(&[&[b'x'; 1024][..], b"\r\n"].concat()), Ok(vec![b'x'; 1024]));
        assert_eq!(outcome(&[b'x'; 1025]), Err("password-too-long"));
        assert_eq!(outcome(&[b'x'; 5000]), Err("password-too-long"));
        assert_eq!(
            outcome(b"\n").and_then(|bytes| checked(bytes).map(drop).map_err(|failure| failure.code)),
            Err("password-empty")
        );
        std::fs::remove_file(&path).unwrap();
        assert_eq!(read(&path, "F").unwrap_err().code, "password-unreadable");
    }
}
