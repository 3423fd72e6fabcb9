//! Logs, to stderr.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

/// The form of log lines.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, clap::ValueEnum)]
pub(crate) enum Format {
    /// As people read it.
    #[default]
    Auto,
    Text,
    Json,
}

/// Starts logging: `PLEACH_LOG`, else `RUST_LOG`, else by `-v` and `-q`, from `usual` on.
pub(crate) fn start(format: Format, usual: &str, verbose: u8, quiet: bool, color: bool) {
    let level = match (quiet, verbose) {
        (true, _) => "error",
        (false, 0) => usual,
        (false, 1) => "debug",
        (false, _) => "trace",
    };
    // Libraries below us talk at every wake-up.
    let default = format!("warn,pleach={level},pleach_smol={level},pleach_core={level}");
    let from_environment = ["PLEACH_LOG", "RUST_LOG"].into_iter().find_map(|name| std::env::var(name).ok());
    let filter = EnvFilter::new(from_environment.unwrap_or(default));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let started = match format {
        Format::Json => builder.json().try_init(),
        Format::Auto | Format::Text => builder.with_ansi(color && io::stderr().is_terminal()).try_init(),
    };
    drop(started);
}
