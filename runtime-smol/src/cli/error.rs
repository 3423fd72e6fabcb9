//! How the command fails: exit codes, and errors that name the next step.

use std::fmt;
use std::process::ExitCode;

/// Every exit code of the command. Listed in `--help`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Exit {
    /// Done.
    Done = 0,
    /// Failed for another reason.
    Failed = 1,
    /// The command line is wrong.
    Usage = 2,
    /// The configuration is wrong.
    Config = 3,
    /// Authentication failed.
    Authentication = 4,
    /// Somebody was unreachable, or did not answer in time.
    Unreachable = 5,
    /// Data failed verification.
    Unverified = 6,
    /// A local file, directory or permission.
    Local = 7,
    /// The peer called it off.
    Cancelled = 8,
    /// A bug.
    Bug = 101,
    /// Ended by SIGHUP.
    HungUp = 129,
    /// Ended by SIGINT.
    Interrupted = 130,
    /// Ended by SIGTERM.
    Terminated = 143,
}

impl Exit {
    /// All codes, in order.
    pub(crate) const ALL: [Self; 13] = [
        Self::Done,
        Self::Failed,
        Self::Usage,
        Self::Config,
        Self::Authentication,
        Self::Unreachable,
        Self::Unverified,
        Self::Local,
        Self::Cancelled,
        Self::Bug,
        Self::HungUp,
        Self::Interrupted,
        Self::Terminated,
    ];

    pub(crate) const fn code(self) -> u8 {
        self as u8
    }

    const fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed for another reason",
            Self::Usage => "the command line is wrong",
            Self::Config => "the configuration is wrong",
            Self::Authentication => "authentication failed",
            Self::Unreachable => "somebody was unreachable or did not answer in time",
            Self::Unverified => "data failed verification",
            Self::Local => "a local file, directory or permission",
            Self::Cancelled => "the peer called it off",
            Self::Bug => "a bug in pleach",
            Self::HungUp => "ended by SIGHUP",
            Self::Interrupted => "ended by SIGINT",
            Self::Terminated => "ended by SIGTERM",
        }
    }

    /// The table of exit codes for `--help`.
    pub(crate) fn table() -> String {
        let lines = Self::ALL.map(|exit| format!("  {:>3}  {}\n", exit.code(), exit.meaning()));
        format!("Exit codes:\n{}", lines.concat())
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why the command failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    /// A stable word to search for.
    pub(crate) code: &'static str,
    /// What failed, with what, and why.
    pub(crate) what: String,
    /// The next step.
    pub(crate) hint: Option<String>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, code: &'static str, what: impl Into<String>) -> Self {
        Self { exit, code, what: what.into(), hint: None }
    }

    /// A signal said with which code to end.
    pub(crate) fn signal(exit: Exit) -> Self {
        Self::new(exit, "called-off", "called off by a signal")
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.what, self.code)
    }
}

impl From<pleach_smol::Stopped> for Failure {
    fn from(stopped: pleach_smol::Stopped) -> Self {
        Self::new(Exit::Bug, "node-stopped", stopped.to_string())
    }
}

impl From<pleach_smol::store::StoreError> for Failure {
    fn from(error: pleach_smol::store::StoreError) -> Self {
        use pleach_smol::store::StoreError;
        let (code, hint) = match error {
            StoreError::InUse { .. } => {
                ("store-in-use", "stop the other process, or choose another --data-dir")
            }
            StoreError::Newer { .. } => {
                ("store-newer", "use the newer version, or choose another --data-dir")
            }
            StoreError::Unreadable { .. } => {
                ("store-unreadable", "move the file away to start with an empty store; nothing was changed")
            }
            _ => ("store-failed", "check the disk and the permissions of the data directory"),
        };
        Self::new(Exit::Local, code, error.to_string()).hint(hint)
    }
}

impl From<pleach_smol::identity::IdentityError> for Failure {
    fn from(error: pleach_smol::identity::IdentityError) -> Self {
        use pleach_smol::identity::IdentityError;
        let (code, hint) = match error {
            IdentityError::NotAKey { .. } => {
                ("identity-unreadable", "restore the file, or move it away to get a new identity")
            }
            IdentityError::Exists { .. } => ("identity-exists", "show it: pleach id show"),
            _ => ("identity-failed", "check the permissions of the data directory"),
        };
        Self::new(Exit::Local, code, error.to_string()).hint(hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exit_code_is_listed_once() {
        let table = Exit::table();
        for exit in Exit::ALL {
            let line = format!("{:>3}  ", exit.code());
            assert_eq!(table.matches(&line).count(), 1, "{exit:?}");
        }
    }
}
