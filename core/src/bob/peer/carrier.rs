//! One link that is dialled once, used, and closed.

use bytes::Bytes;

use crate::link::{Address, From, How, LinkId, Output, Role};
use crate::machine::Context;

/// A link of ours, and what waits on it.
#[derive(Debug)]
pub(super) struct Carrier {
    id: LinkId,
    state: State,
    unwritten: usize,
    paused: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Unused,
    Dialling,
    Open,
    /// We have closed it.
    Closing,
    Closed,
}

impl Carrier {
    pub(super) const fn new(id: LinkId) -> Self {
        Self { id, state: State::Unused, unwritten: 0, paused: false }
    }

    /// Whether this is its id.
    pub(super) fn is(&self, link: LinkId) -> bool {
        self.id == link
    }

    /// Bytes that were sent and have not left.
    pub(super) const fn unwritten(&self) -> usize {
        self.unwritten
    }

    pub(super) fn is_open(&self) -> bool {
        self.state == State::Open
    }

    pub(super) fn dial<E>(&mut self, address: Address, cx: &mut Context<'_, Output<E>>) {
        self.state = State::Dialling;
        cx.emit(Output::Dial { link: self.id, address, from: From::Anywhere, role: Role::Dialler });
    }

    /// The dial came through. False if none was under way.
    pub(super) fn opened(&mut self) -> bool {
        let dialled = self.state == State::Dialling;
        if dialled {
            self.state = State::Open;
        }
        dialled
    }

    /// Sends, if the link is open.
    pub(super) fn send<E>(&mut self, bytes: Bytes, cx: &mut Context<'_, Output<E>>) {
        if self.is_open() && !bytes.is_empty() {
            self.unwritten = self.unwritten.saturating_add(bytes.len());
            cx.emit(Output::Send { link: self.id, bytes });
        }
    }

    pub(super) const fn written(&mut self, count: usize) {
        self.unwritten = self.unwritten.saturating_sub(count);
    }

    /// Stops or resumes reading.
    pub(super) fn pause<E>(&mut self, pause: bool, cx: &mut Context<'_, Output<E>>) {
        if self.is_open() && self.paused != pause {
            self.paused = pause;
            let link = self.id;
            cx.emit(if pause { Output::Pause { link } } else { Output::Resume { link } });
        }
    }

    /// Closes it, a dial too. False if there is nothing to close.
    pub(super) fn close<E>(&mut self, how: How, cx: &mut Context<'_, Output<E>>) -> bool {
        let standing = matches!(self.state, State::Dialling | State::Open)
            || self.state == State::Closing && how == How::Abort;
        if standing {
            self.state = State::Closing;
            cx.emit(Output::Close { link: self.id, how });
        }
        standing
    }

    /// It is gone. What had not left never will.
    pub(super) const fn closed(&mut self) {
        self.state = State::Closed;
    }
}
