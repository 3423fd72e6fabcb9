//! What the command understands, and what it does.

mod band;
mod exit;
mod output;
mod report;
mod single;
mod verdict;

use std::borrow::Cow;
use std::ffi::OsString;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

use exit::Exit;
use output::{Failure, Members, Output, members};
use pleach_sim::scenario::{BUILT_IN, Scenario, ScenarioError};

/// Runs whole networks in one process, in simulated time, the same way each time.
#[derive(Debug, Parser)]
#[command(name = "pleach-sim", version, about, after_help = exit::HELP, infer_subcommands = false)]
struct Command {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List the scenarios that come with the program.
    List {
        /// One JSON object per line on stdout.
        #[arg(long)]
        json: bool,
    },
    /// Run a scenario with one seed, and compare the figures with what the scenario expects.
    #[command(before_help = "Examples:\n  pleach-sim run stable --seed 7\n  \
                             pleach-sim run mass-kill --set kill=80% --set dead_dials=silent --json")]
    Run {
        #[command(flatten)]
        scenario: Which,
        /// The seed: a number, or a commit hash.
        #[arg(long, default_value = "0", value_parser = seed)]
        seed: u64,
        /// How progress is shown, on stderr.
        #[arg(long, value_enum, default_value_t = Progress::Auto)]
        progress: Progress,
    },
    /// Run a scenario with many seeds, a line each, until one misses.
    #[command(before_help = "Examples:\n  pleach-sim band stable --seeds 0..20\n  \
                             pleach-sim band mass-kill --set kill=0.9 --seeds 0..20 --jobs 2")]
    Band {
        #[command(flatten)]
        scenario: Which,
        /// The seeds, the last one excluded: `0..20`.
        #[arg(long, default_value = "0..20", value_parser = seeds)]
        seeds: std::ops::Range<u64>,
        /// Runs at a time.
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
        jobs: u16,
        /// Go on after a miss.
        #[arg(long)]
        keep_going: bool,
    },
}

/// Which scenario, changed how, reported how.
#[derive(Args, Debug)]
struct Which {
    /// A scenario of `pleach-sim list`, or a TOML file.
    #[arg(value_name = "NAME|FILE")]
    name: String,
    /// Change a key of the scenario; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// One JSON object per line on stdout.
    #[arg(long)]
    json: bool,
}

impl Which {
    fn load(&self) -> Result<Scenario, ScenarioError> {
        Scenario::load(&self.name, &self.settings)
    }

    /// The line that repeats this run.
    fn replay(&self, seed: u64) -> String {
        let settings: String =
            self.settings.iter().map(|setting| format!(" --set {}", quoted(setting))).collect();
        format!("pleach-sim run {} --seed {seed}{settings}", quoted(&self.name))
    }
}

/// How progress is shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Progress {
    /// A bar if stderr is a terminal.
    Auto,
    /// A bar on a terminal, lines elsewhere.
    Always,
    /// Nothing.
    Never,
    /// A line for each tenth.
    Lines,
}

impl Progress {
    /// Whether a bar is drawn, and whether lines are written.
    const fn form(self, is_terminal: bool) -> (bool, bool) {
        match self {
            Self::Auto => (is_terminal, false),
            Self::Always => (is_terminal, !is_terminal),
            Self::Never => (false, false),
            Self::Lines => (false, true),
        }
    }
}

/// Reads the arguments of the process and does what they say.
pub(crate) fn main() -> Exit {
    run(std::env::args_os())
}

fn run(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let command = match Command::try_parse_from(&arguments) {
        Ok(command) => command,
        Err(wrong) => return not_run(&wrong, arguments.get(1..).unwrap_or_default()),
    };
    match command.what {
        What::List { json } => list(json),
        What::Run { scenario, seed, progress } => match scenario.load() {
            Ok(loaded) => single::run(&scenario, &loaded, seed, progress),
            Err(wrong) => {
                let start = members! { "command": "run", "scenario": scenario.name, "seed": seed };
                refuse(scenario.json, start, &refusal(&wrong))
            }
        },
        What::Band { scenario, seeds, jobs, keep_going } => match scenario.load() {
            Ok(loaded) => band::run(&scenario, &loaded, seeds, &band::How { jobs, keep_going }),
            Err(wrong) => {
                let seeds = [seeds.start, seeds.end];
                let start = members! { "command": "band", "scenario": scenario.name, "seeds": seeds };
                refuse(scenario.json, start, &refusal(&wrong))
            }
        },
    }
}

fn list(json: bool) -> Exit {
    let mut output = Output::new(json);
    output.json("start", members! { "command": "list" });
    let width = BUILT_IN.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    for (name, _) in BUILT_IN {
        let about = Scenario::load(name, &[]).map(|scenario| scenario.about().to_owned()).unwrap_or_default();
        output.json("scenario", members! { "name": name, "about": about });
        output.text(&format!("{name:width$}  {about}\n"));
    }
    output.json("end", members! { "ok": true, "exit": Exit::Done.code() });
    Exit::Done
}

/// Says why nothing is done: help or the version was asked for, or the command line is wrong. The `pleach` command has
/// the same in `cli/mod.rs`: the two programs share no crate that knows of command lines.
fn not_run(wrong: &clap::Error, words: &[OsString]) -> Exit {
    // Help through a pipe that is closed early is no failure.
    let _ = wrong.print();
    if !wrong.use_stderr() {
        return Exit::Done;
    }
    let mut words = words.iter().take_while(|word| *word != "--");
    if words.clone().any(|word| word == "--json") {
        let known = Command::command();
        let command = words.find_map(|word| Some(known.find_subcommand(word)?.get_name()));
        let text = wrong.to_string();
        let (what, _) = text.split_once("\n\n").unwrap_or((&text, ""));
        let what: Vec<&str> = what.trim_start_matches("error: ").split_whitespace().collect();
        let hint =
            command.map_or_else(|| "pleach-sim --help".into(), |name| format!("pleach-sim {name} --help"));
        let failure = Failure { exit: Exit::Usage, code: "usage", message: what.join(" "), hint };
        tell(members! { "command": command }, &failure);
    }
    Exit::Usage
}

/// Says why a command that can be read does nothing.
fn refuse(json: bool, start: Members, failure: &Failure) -> Exit {
    failure.say();
    if json {
        tell(start, failure);
    }
    failure.exit
}

/// Tells programs of a command that has come to nothing: what it was, and why.
fn tell(start: Members, failure: &Failure) {
    let mut output = Output::new(true);
    output.json("start", start);
    output.json("end", failure.end());
}

/// What is wrong with a scenario.
fn refusal(wrong: &ScenarioError) -> Failure {
    let names: Vec<_> = BUILT_IN.iter().map(|(name, _)| *name).collect();
    let (exit, code, hint) = match wrong {
        ScenarioError::Unknown { .. } => {
            (Exit::Usage, "unknown-scenario", format!("one of {}, or a TOML file", names.join(", ")))
        }
        ScenarioError::Unreadable { .. } => {
            (Exit::Config, "unreadable-scenario", "check the path and its permissions".to_owned())
        }
        ScenarioError::Invalid { .. } => {
            (Exit::Config, "invalid-scenario", "the scenarios of pleach-sim list are examples".to_owned())
        }
        ScenarioError::BadSetting { .. } => (
            Exit::Usage,
            "bad-setting",
            "keys are those of the scenario file, as in --set nodes=1000 or --set pairs=50".to_owned(),
        ),
    };
    Failure { exit, code, message: wrong.to_string(), hint }
}

/// A seed: a number, or a commit hash of 40 hex digits, of which the first 16 count.
fn seed(text: &str) -> Result<u64, String> {
    let hash = text.len() == 40 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
    let read = if hash {
        u64::from_str_radix(text.get(..16).unwrap_or_default(), 16).ok()
    } else {
        text.parse().ok()
    };
    read.ok_or_else(|| "a seed is a number from 0 to 18446744073709551615, or a commit hash".to_owned())
}

fn seeds(text: &str) -> Result<std::ops::Range<u64>, String> {
    let range = text.split_once("..").and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
    range.filter(|range| !range.is_empty()).ok_or_else(|| "seeds have the form 0..20, not empty".to_owned())
}

/// `text` as one word of a shell.
fn quoted(text: &str) -> Cow<'_, str> {
    // What no shell can take is no name of a file, and no setting.
    shlex::try_quote(text).unwrap_or(Cow::Borrowed(text))
}

#[cfg(test)]
mod tests;
