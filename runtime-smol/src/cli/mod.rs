//! The `pleach` command.

// The command shows some of the events and causes of nodes: the others are meant to fall through.
#![allow(clippy::wildcard_enum_match_arm)]

mod address;
mod admin;
mod config;
mod error;
mod feed;
mod id;
mod leave;
mod local;
mod log;
mod metrics;
mod node;
mod output;
mod peer;
mod recv;
mod relay;
mod send;
mod signals;
mod size;
mod transfer;

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{CommandFactory, Parser, Subcommand};
use serde_json::{Value, json};
use smol::Executor;

use error::{Exit, Failure};
use output::{Color, Output};

/// Peers that weave themselves into an overlay and grow broadcast trees over it.
#[derive(Debug, Parser)]
#[command(name = "pleach", version = VERSION, infer_subcommands = false, after_long_help = Exit::table())]
#[command(
    before_long_help = "Examples:\n  pleach send holiday.zip --relay relay.example\n  pleach local --nodes 32 --kill 30%"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// JSON lines on stdout, nothing else there
    #[arg(long, global = true)]
    json: bool,
    /// Log more; twice: everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Only errors and the result
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// When to use colour
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    color: Color,
    /// The form of the log on stderr
    #[arg(long, global = true, value_name = "FORMAT", default_value = "auto")]
    log_format: log::Format,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The identity of this machine's node
    #[command(subcommand)]
    Id(id::Command),
    /// Run a node: lines of stdin are published, what arrives is printed
    Node(config::Flags),
    /// Send a file to somebody who knows the password
    Send(send::Flags),
    /// Receive a file from somebody who knows the password
    Recv(recv::Flags),
    /// Run a relay, through which files are sent; it learns nothing of them
    Relay(relay::Flags),
    /// Run a whole network on loopback, kill a part of it, and see whether everything is delivered
    Local(local::Flags),
}

/// The version, with the commit it is built from.
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (commit ", env!("PLEACH_COMMIT"), ")");

/// Runs the command.
pub(crate) fn main() -> ExitCode {
    end_on_panic();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return not_run(&error).into(),
    };
    let (is_service, is_transfer) = match arguments.command {
        Command::Node(_) | Command::Relay(_) => (true, false),
        Command::Send(_) | Command::Recv(_) => (false, true),
        Command::Id(_) | Command::Local(_) => (false, false),
    };
    let output = Output::new(arguments.json, arguments.quiet, arguments.color, is_service || is_transfer);
    let usual = if is_service { "info" } else { "warn" };
    log::start(arguments.log_format, usual, arguments.verbose, arguments.quiet, output.color);

    let result = run(arguments.command, output);
    let exit = match &result {
        Ok(exit) => *exit,
        Err(failure) if failure.code == output::PIPE_CLOSED => Exit::Done,
        Err(failure) => {
            output.error(failure);
            // Perhaps nobody reads the end either.
            let _ = output.end(failure.exit, Some(failure), Value::Null);
            failure.exit
        }
    };
    leave::clean_up();
    exit.into()
}

/// Says why no command runs: help or the version was asked for, or the command line is wrong. `pleach-sim` has the same
/// in `command/mod.rs`: the two programs share no crate that knows of command lines.
fn not_run(error: &clap::Error) -> Exit {
    // A closed pipe is none of our business.
    let _ = error.print();
    if !error.use_stderr() {
        return Exit::Done;
    }
    let words: Vec<OsString> = std::env::args_os().skip(1).take_while(|word| word != "--").collect();
    if words.iter().any(|word| word == "--json") {
        let known = Arguments::command();
        let command = words.iter().find_map(|word| Some(known.find_subcommand(word)?.get_name()));
        let text = error.to_string();
        let (what, _) = text.split_once("\n\n").unwrap_or((&text, ""));
        let what: Vec<&str> = what.trim_start_matches("error: ").split_whitespace().collect();
        let help = command.map_or_else(|| "pleach --help".into(), |name| format!("pleach {name} --help"));
        let failure = Failure::new(Exit::Usage, "usage", what.join(" ")).hint(help);
        let output = Output::new(true, true, Color::Never, false);
        let _ = output
            .json("start", json!({"command": command}))
            .and_then(|()| output.end(failure.exit, Some(&failure), Value::Null));
    }
    Exit::Usage
}

fn run(command: Command, output: Output) -> Result<Exit, Failure> {
    let start = |name: &str| output.json("start", json!({"command": name}));
    match command {
        Command::Id(command) => start("id").and_then(|()| id::run(command, output)),
        Command::Node(flags) => {
            start("node")?;
            let settings = flags.settle()?;
            on_all_cores(|executor| node::run(settings, output, executor))
        }
        Command::Send(flags) => {
            start("send")?;
            on_all_cores(|executor| send::run(flags, output, executor))
        }
        Command::Recv(flags) => {
            start("recv")?;
            on_all_cores(|executor| recv::run(flags, output, executor))
        }
        Command::Relay(flags) => {
            start("relay")?;
            on_all_cores(|executor| relay::run(flags, output, executor))
        }
        Command::Local(flags) => on_all_cores(|executor| local::run(flags, output, executor)),
    }
}

/// Runs `work` with an executor that has a thread for each core.
fn on_all_cores<F: Future<Output = Result<Exit, Failure>>>(
    work: impl FnOnce(Arc<Executor<'static>>) -> F,
) -> Result<Exit, Failure> {
    let executor = Arc::new(Executor::new());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let (_running, stop) = async_channel::bounded::<()>(1);
    for number in 1..cores {
        let (executor, stop) = (Arc::clone(&executor), stop.clone());
        // It runs until the other end of `stop` is gone: then the command is over.
        let run = move || smol::block_on(executor.run(stop.recv())).unwrap_or_default();
        std::thread::Builder::new().name(format!("pleach-{number}")).spawn(run).map_err(|error| {
            Failure::new(Exit::Local, "no-thread", format!("cannot start a thread: {error}"))
        })?;
    }
    smol::block_on(executor.run(work(Arc::clone(&executor))))
}

/// A panic in any thread ends the process: a node that lost a task is not a node (T-71).
fn end_on_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        leave::at_once(Exit::Bug);
    }));
}
