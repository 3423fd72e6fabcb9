//! Writing what comes to the disk, while more of it comes.

use std::path::PathBuf;

use async_channel::Receiver;
use bytes::Bytes;

use super::target::{Mode, Target};
use crate::cli::error::Failure;

/// So many bytes are written at once, if as many are there.
const BATCH: usize = 256 * 1024;

/// What is to be done next.
#[derive(Debug)]
pub(crate) enum Order {
    /// Write this.
    Write(Bytes),
    /// All was written, and it is verified: keep the file.
    Keep,
}

/// Does what is ordered, and says with `taken` how many bytes are dealt with. Where the file is in the end; none if it
/// was given up, by ending the orders. Blocks.
pub(crate) fn write(
    mut target: Target,
    orders: &Receiver<Order>,
    mode: Mode,
    taken: impl Fn(usize) -> bool,
) -> Result<Option<PathBuf>, Failure> {
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        let Ok(mut order) = orders.recv_blocking() else { return Ok(None) };
        // What waits is written together.
        loop {
            match order {
                Order::Write(bytes) => batch.extend_from_slice(&bytes),
                Order::Keep => {
                    target.write(&batch)?;
                    return target.keep(mode).map(Some);
                }
            }
            match orders.try_recv() {
                Ok(next) if batch.len() < BATCH => order = next,
                Ok(next) => {
                    flush(&mut target, &mut batch, &taken)?;
                    order = next;
                }
                Err(_) => break,
            }
        }
        flush(&mut target, &mut batch, &taken)?;
    }
}

fn flush(target: &mut Target, batch: &mut Vec<u8>, taken: &impl Fn(usize) -> bool) -> Result<(), Failure> {
    target.write(batch)?;
    // If nobody listens any more, the orders end too.
    let _ = taken(batch.len());
    batch.clear();
    Ok(())
}
