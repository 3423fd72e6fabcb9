//! Exit codes: one enum, listed in the help.

use std::process::ExitCode;

/// How the command ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Exit {
    /// Everything was as expected.
    Done = 0,
    /// The command line is wrong.
    Usage = 2,
    /// The scenario is wrong.
    Config = 3,
    /// A promise that must hold in every run was broken.
    Safety = 10,
    /// An expectation of the scenario was missed.
    Liveness = 11,
    /// A machine panicked.
    Panic = 13,
}

/// The list of them.
pub(super) const HELP: &str = "Exit codes:
   0  everything was as expected
   2  the command line is wrong
   3  the scenario is wrong
  10  a promise that must hold in every run was broken
  11  an expectation of the scenario was missed
  13  a machine panicked";

impl Exit {
    /// The number.
    pub(super) const fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_lists_every_code() {
        let all = [Exit::Done, Exit::Usage, Exit::Config, Exit::Safety, Exit::Liveness, Exit::Panic];
        let listed: Vec<u8> = HELP
            .lines()
            .skip(1)
            .map(|line| line.split_whitespace().next().unwrap().parse().unwrap())
            .collect();
        assert_eq!(listed, all.map(Exit::code));
    }
}
