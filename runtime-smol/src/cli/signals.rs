//! INT and TERM: the first asks for a graceful end, the second ends at once.

use std::io;
use std::process;
use std::time::Duration;

use async_signal::{Signal, Signals};
use smol::stream::StreamExt;

use super::error::Exit;

/// How long a graceful end may take.
pub(crate) const GRACE: Duration = Duration::from_secs(10);

/// Waits for the first signal and says with which code to end. From then on another signal, or ten more seconds, end
/// the process at once.
pub(crate) async fn first(executor: &smol::Executor<'static>) -> io::Result<Exit> {
    let mut signals = Signals::new([Signal::Int, Signal::Term])?;
    let exit = next(&mut signals).await?;
    executor
        .spawn(async move {
            let second = async { next(&mut signals).await.unwrap_or(exit) };
            let late = async {
                async_io::Timer::after(GRACE).await;
                exit
            };
            process::exit(smol::future::or(second, late).await.code().into());
        })
        .detach();
    Ok(exit)
}

async fn next(signals: &mut Signals) -> io::Result<Exit> {
    match signals.next().await {
        Some(signal) => Ok(if signal? == Signal::Int { Exit::Interrupted } else { Exit::Terminated }),
        None => std::future::pending().await,
    }
}
