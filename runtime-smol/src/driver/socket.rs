//! An open link: one socket, what waits to be written to it, and how it is closing.

use std::io::{self, ErrorKind, Read};
use std::net::TcpStream;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_io::Async;
use bytes::Bytes;
use socket2::SockRef;

use super::descriptors::Permit;
use super::writer::WriteQueue;

/// Bytes written to one link at once, at most, before others have theirs.
const WRITTEN_AT_ONCE_MAX: usize = 256 * 1024;

/// A piece that fills this part of the buffer is a large one.
const LARGE: usize = 16;

/// A connected socket.
#[derive(Debug)]
pub(super) struct Link {
    stream: Async<TcpStream>,
    queue: WriteQueue,
    /// Whether there may be something to read, without asking the reactor.
    readable: bool,
    /// Whether there may be room to write, without asking the reactor.
    writable: bool,
    paused: bool,
    /// The peer's half is closed.
    read_ended: bool,
    write_half: WriteHalf,
    /// The machine closed it: only what is queued still leaves, and nothing is reported but the end.
    closing: bool,
    waker: Waker,
    _permit: Permit,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum WriteHalf {
    Open,
    /// To be closed when the queue is empty.
    Finishing,
    Closed,
}

/// What reading led to.
pub(super) enum Received {
    /// So many bytes.
    Bytes(usize),
    /// The peer's half is closed.
    End,
    /// Nothing now.
    Nothing,
    /// The link is broken.
    Failed(io::Error),
}

impl Link {
    pub(super) fn new(stream: Async<TcpStream>, waker: Waker, permit: Permit) -> Self {
        Self {
            stream,
            queue: WriteQueue::default(),
            readable: true,
            writable: true,
            paused: false,
            read_ended: false,
            write_half: WriteHalf::Open,
            closing: false,
            waker,
            _permit: permit,
        }
    }

    /// Reads one piece, as large as `buffer` at most; what remains comes in a later round, for which the link
    /// wakes itself, after the others have had theirs (T-18).
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Received {
        if self.read_ended || (self.paused && !self.closing) {
            return Received::Nothing;
        }
        if !self.readable {
            match self.stream.poll_readable(&mut Context::from_waker(&self.waker)) {
                Poll::Pending => return Received::Nothing,
                Poll::Ready(Ok(())) => self.readable = true,
                Poll::Ready(Err(error)) => return Received::Failed(error),
            }
        }
        loop {
            match self.stream.get_ref().read(buffer) {
                Ok(0) => {
                    self.read_ended = true;
                    return Received::End;
                }
                Ok(count) => {
                    // A small piece has emptied the socket; whatever comes now, the reactor reports. Behind a large one
                    // there mostly is more by the next round, and looking costs less than being told.
                    self.readable = count >= buffer.len() / LARGE;
                    self.await_more();
                    return Received::Bytes(count);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.readable = false;
                    self.await_more();
                    return Received::Nothing;
                }
                Err(error) => return Received::Failed(error),
            }
        }
    }

    /// Queues `bytes`; nothing after the write half was closed. Says how many bytes wait now.
    pub(super) fn send(&mut self, bytes: Bytes) -> usize {
        if self.write_half == WriteHalf::Open {
            self.queue.push(bytes);
        }
        self.queue.len()
    }

    /// Writes until the socket takes no more, or its share is used up. Says how many bytes left.
    pub(super) fn flush(&mut self) -> io::Result<usize> {
        let mut total = 0;
        while !self.queue.is_empty() {
            if total >= WRITTEN_AT_ONCE_MAX {
                self.waker.wake_by_ref();
                return Ok(total);
            }
            if !self.writable {
                match self.stream.poll_writable(&mut Context::from_waker(&self.waker)) {
                    Poll::Pending => return Ok(total),
                    Poll::Ready(ready) => ready?,
                }
                self.writable = true;
            }
            match self.queue.write_to(self.stream.get_ref()) {
                Ok(count) => total += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.writable = false,
                Err(error) => return Err(error),
            }
        }
        if self.write_half == WriteHalf::Finishing {
            self.stream.get_ref().shutdown(std::net::Shutdown::Write)?;
            self.write_half = WriteHalf::Closed;
        }
        Ok(total)
    }

    /// Closes the write half once the queue is empty.
    pub(super) fn finish(&mut self) {
        if self.write_half == WriteHalf::Open {
            self.write_half = WriteHalf::Finishing;
        }
    }

    /// Lets the queue leave, then closes. What comes from the peer meanwhile is dropped: a socket that is closed over
    /// unread bytes resets, and the peer could lose what was sent last.
    pub(super) fn close_after_flush(&mut self) {
        self.finish();
        self.closing = true;
        self.waker.wake_by_ref();
    }

    /// Drops the queue and makes the coming close a reset.
    pub(super) fn reset(&mut self) {
        self.queue.clear();
        if let Err(error) = SockRef::from(self.stream.get_ref()).set_linger(Some(Duration::ZERO)) {
            tracing::debug!(%error, "the peer will see an orderly close");
        }
    }

    pub(super) const fn pause(&mut self) {
        self.paused = true;
    }

    pub(super) fn resume(&mut self) {
        self.paused = false;
        self.waker.wake_by_ref();
    }

    /// Whether both halves are closed: nothing can happen any more.
    pub(super) fn is_over(&self) -> bool {
        self.read_ended && self.write_half == WriteHalf::Closed
    }

    pub(super) const fn is_closing(&self) -> bool {
        self.closing
    }

    /// Whether everything that was sent has left, and the peer was told that it is all.
    pub(super) fn has_said_all(&self) -> bool {
        self.write_half == WriteHalf::Closed
    }

    pub(super) const fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Makes sure that the link is woken when there is something to read.
    fn await_more(&mut self) {
        let ready =
            self.readable || self.stream.poll_readable(&mut Context::from_waker(&self.waker)).is_ready();
        if ready {
            self.waker.wake_by_ref();
        }
    }
}
