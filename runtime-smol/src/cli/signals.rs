//! INT, TERM and, where the command belongs to a terminal, HUP: the first asks for a graceful end, the second ends at once.

use std::io;
use std::time::Duration;

use async_channel::Receiver;
use async_signal::{Signal, Signals};
use smol::stream::StreamExt;

use super::error::{Exit, Failure};
use super::leave;

/// How long a graceful end may take.
pub(crate) const GRACE: Duration = Duration::from_secs(10);

/// What HUP means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum HangUp {
    /// The terminal is gone: as TERM.
    Ends,
    /// That the configuration changed. Nothing of it can be changed in a running command: the log says so.
    Reloads,
}

/// Tells of the first signal, and with which code to end. From then on another signal, or ten more seconds, end the
/// process at once. HUP stays ignored where it was, as by `nohup`.
pub(crate) fn watch(hang_up: HangUp, executor: &smol::Executor<'static>) -> Receiver<Exit> {
    let (sender, told) = async_channel::bounded(1);
    let hup = (!is_hang_up_ignored()).then_some(Signal::Hup);
    // From now on, not from the task's first turn on.
    let signals = Signals::new([Signal::Int, Signal::Term].into_iter().chain(hup));
    let watching = async move {
        let mut signals = signals?;
        let exit = first(hang_up, &mut signals).await?;
        // The loop that wanted to know may be over already.
        let _ = sender.send(exit).await;
        let second = async { second(&mut signals).await.unwrap_or(exit) };
        let late = async {
            async_io::Timer::after(GRACE).await;
            exit
        };
        leave::at_once(smol::future::or(second, late).await)
    };
    executor
        .spawn(async move {
            let ended: io::Result<()> = watching.await;
            if let Err(error) = ended {
                tracing::warn!(%error, "signals end the process without a goodbye");
            }
        })
        .detach();
    told
}

async fn first(hang_up: HangUp, signals: &mut Signals) -> io::Result<Exit> {
    loop {
        match next(signals).await? {
            Exit::HungUp if hang_up == HangUp::Reloads => tracing::info!("HUP: there is nothing to reload"),
            exit => return Ok(exit),
        }
    }
}

/// HUP is none: shell and kernel both say it when a terminal closes.
async fn second(signals: &mut Signals) -> io::Result<Exit> {
    loop {
        let exit = next(signals).await?;
        if exit != Exit::HungUp {
            return Ok(exit);
        }
    }
}

async fn next(signals: &mut Signals) -> io::Result<Exit> {
    match signals.next().await.transpose()? {
        Some(Signal::Int) => Ok(Exit::Interrupted),
        Some(Signal::Hup) => Ok(Exit::HungUp),
        Some(_) => Ok(Exit::Terminated),
        None => std::future::pending().await,
    }
}

/// Whether whoever started the process had HUP ignored. Where it cannot be known, it counts as heard: services do not mind,
/// and of a transfer nothing half written stays.
fn is_hang_up_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    // The lowest bit is the first signal, HUP.
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

/// Does `work`, unless a signal comes first.
pub(crate) async fn unless<T>(signal: &Receiver<Exit>, work: impl Future<Output = T>) -> Result<T, Failure> {
    let signalled = async {
        match signal.recv().await {
            Ok(exit) => Err(Failure::signal(exit)),
            Err(_) => std::future::pending().await,
        }
    };
    smol::future::or(signalled, async { Ok(work.await) }).await
}
