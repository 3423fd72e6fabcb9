//! One stream: its credit in both directions, and what waits to be sent.

use alloc::collections::VecDeque;

use bytes::{Buf, Bytes};

use super::frame::Flags;

/// The credit that each direction of a stream starts with, in bytes. Part of the protocol.
pub const WINDOW: u32 = 262_144;

/// What one side of the connection knows of a stream.
#[derive(Debug)]
pub(super) struct Stream {
    /// How much the peer lets us send; at most 2^32 - 1.
    send_credit: u32,
    /// How much the peer may send.
    receive_credit: u32,
    /// Received, but not consumed by the application.
    unconsumed: u32,
    /// Consumed, but not returned to the peer as credit.
    returnable: u32,
    queue: VecDeque<Bytes>,
    queued: usize,
    /// SYN or ACK, to ride on our first frame.
    greeting: Flags,
    /// The peer was told of this stream of ours, and nothing was heard on it yet.
    unanswered: bool,
    finishing: bool,
    finished: bool,
    peer_finished: bool,
}

impl Stream {
    pub(super) const fn new(greeting: Flags, send_credit: u32) -> Self {
        Self {
            send_credit,
            receive_credit: WINDOW,
            unconsumed: 0,
            returnable: 0,
            queue: VecDeque::new(),
            queued: 0,
            greeting,
            unanswered: false,
            finishing: false,
            finished: false,
            peer_finished: false,
        }
    }

    /// Queues bytes. None are taken behind the end.
    pub(super) fn send(&mut self, bytes: Bytes) {
        if !self.finishing && !bytes.is_empty() {
            self.queued = self.queued.saturating_add(bytes.len());
            self.queue.push_back(bytes);
        }
    }

    pub(super) const fn finish(&mut self) {
        self.finishing = true;
    }

    /// Whether a data frame can be sent now.
    pub(super) const fn is_ready(&self) -> bool {
        if self.queued > 0 { self.send_credit > 0 } else { self.finishing && !self.finished }
    }

    pub(super) const fn queued(&self) -> usize {
        self.queued
    }

    /// How much of the queue the peer's credit covers.
    pub(super) fn sendable(&self) -> usize {
        self.queued.min(usize::try_from(self.send_credit).unwrap_or(usize::MAX))
    }

    /// Writes the next `count` queued bytes, which must be sendable.
    pub(super) fn take(&mut self, count: u32, write: &mut dyn FnMut(&[u8])) {
        self.send_credit = self.send_credit.saturating_sub(count);
        let mut left = usize::try_from(count).unwrap_or(usize::MAX);
        self.queued = self.queued.saturating_sub(left);
        while let Some(front) = self.queue.front_mut() {
            let (now, rest) = front.split_at(left.min(front.len()));
            write(now);
            left = left.saturating_sub(now.len());
            if rest.is_empty() {
                self.queue.pop_front();
            } else {
                front.advance(front.len().saturating_sub(rest.len()));
            }
            if left == 0 {
                break;
            }
        }
        if self.queue.is_empty() {
            self.queue = VecDeque::new();
        }
    }

    /// Whether our end is to be told with the frame of `payload` bytes that is being written; at most once.
    pub(super) const fn take_finish(&mut self, payload: usize) -> bool {
        let now = self.finishing && !self.finished && self.queued == payload;
        self.finished |= now;
        now
    }

    pub(super) fn take_greeting(&mut self) -> Flags {
        let greeting = core::mem::replace(&mut self.greeting, Flags::NONE);
        self.unanswered |= greeting == Flags::SYN;
        greeting
    }

    pub(super) const fn is_unanswered(&self) -> bool {
        self.unanswered
    }

    /// Takes note that something was heard. Returns whether that was the first answer to our opening.
    pub(super) const fn take_answer(&mut self) -> bool {
        core::mem::replace(&mut self.unanswered, false)
    }

    pub(super) fn greeting(&self) -> Option<Flags> {
        (self.greeting != Flags::NONE).then_some(self.greeting)
    }

    /// Takes credit from the peer; false if the sum cannot be.
    pub(super) const fn grant(&mut self, credit: u32) -> bool {
        match self.send_credit.checked_add(credit) {
            Some(sum) => {
                self.send_credit = sum;
                true
            }
            None => false,
        }
    }

    /// The peer is about to send `length` bytes; false if it may not.
    pub(super) const fn announce(&mut self, length: u32) -> bool {
        match self.receive_credit.checked_sub(length) {
            Some(left) => {
                self.receive_credit = left;
                true
            }
            None => false,
        }
    }

    pub(super) const fn received(&mut self, count: u32) {
        self.unconsumed = self.unconsumed.saturating_add(count);
    }

    /// The application has read `count` bytes, never more than it was given. Returns whether credit is now due: when
    /// half of the window has been read.
    pub(super) fn consumed(&mut self, count: usize) -> bool {
        let count = u32::try_from(count).unwrap_or(u32::MAX).min(self.unconsumed);
        self.unconsumed = self.unconsumed.saturating_sub(count);
        self.returnable = self.returnable.saturating_add(count);
        self.returnable >= WINDOW / 2 && !self.peer_finished
    }

    /// Returns the credit that is due, once.
    pub(super) const fn take_returnable(&mut self) -> u32 {
        let credit = core::mem::replace(&mut self.returnable, 0);
        self.receive_credit = self.receive_credit.saturating_add(credit);
        credit
    }

    pub(super) const fn peer_finished(&mut self) {
        self.peer_finished = true;
    }

    pub(super) const fn is_peer_finished(&self) -> bool {
        self.peer_finished
    }

    /// Whether both halves are closed.
    pub(super) const fn is_over(&self) -> bool {
        self.finished && self.peer_finished
    }
}
