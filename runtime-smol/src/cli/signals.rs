//! INT and TERM: the first asks for a graceful end, the second ends at once.

use std::io;
use std::time::Duration;

use async_channel::Receiver;
use async_signal::{Signal, Signals};
use smol::stream::StreamExt;

use super::error::{Exit, Failure};
use super::leave;

/// How long a graceful end may take.
pub(crate) const GRACE: Duration = Duration::from_secs(10);

/// Tells of the first signal, and with which code to end. From then on another signal, or ten more seconds, end the
/// process at once.
pub(crate) fn watch(executor: &smol::Executor<'static>) -> Receiver<Exit> {
    let (sender, first) = async_channel::bounded(1);
    // From now on, not from the task's first turn on.
    let signals = Signals::new([Signal::Int, Signal::Term]);
    let watching = async move {
        let mut signals = signals?;
        let exit = next(&mut signals).await?;
        // The loop that wanted to know may be over already.
        let _ = sender.send(exit).await;
        let second = async { next(&mut signals).await.unwrap_or(exit) };
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
    first
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

async fn next(signals: &mut Signals) -> io::Result<Exit> {
    match signals.next().await {
        Some(signal) => Ok(if signal? == Signal::Int { Exit::Interrupted } else { Exit::Terminated }),
        None => std::future::pending().await,
    }
}
