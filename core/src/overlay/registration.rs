//! Messages that wait until it is known whether their subject is registered (`overlay` 7.1, 7.2).

use alloc::collections::VecDeque;
use core::fmt::Debug;

use super::conduct::Limited;
use super::{DownReason, Message, Output, Overlay};
use crate::machine::Context;
use crate::stats::count;
use crate::time::Instant;

/// The queue; in order of arrival, and so of expiry.
#[derive(Clone, Debug)]
pub(super) struct Parking<P> {
    waiting: VecDeque<Parked<P>>,
}

#[derive(Clone, Debug)]
struct Parked<P> {
    subject: P,
    from: P,
    message: Message<P>,
    until: Instant,
}

impl<P: Copy + Ord> Parking<P> {
    pub(super) const fn new() -> Self {
        Self { waiting: VecDeque::new() }
    }

    /// Drops what concerns this peer.
    pub(super) fn forget(&mut self, peer: &P) {
        self.waiting.retain(|parked| parked.subject != *peer && parked.from != *peer);
    }

    /// Drops what this peer sent.
    pub(super) fn forget_sender(&mut self, peer: &P) {
        self.waiting.retain(|parked| parked.from != *peer);
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.waiting.front().map(|parked| parked.until)
    }

    fn take(&mut self, subject: &P) -> Option<Parked<P>> {
        let rank = self.waiting.iter().position(|parked| parked.subject == *subject)?;
        self.waiting.remove(rank)
    }
}

impl<P: Copy + Ord + Debug> Overlay<P> {
    /// Keeps the message until `Registered` tells about its subject.
    pub(super) fn park(&mut self, subject: P, from: P, message: Message<P>, cx: &mut Context<'_, Output<P>>) {
        if self.parking.waiting.len() >= self.config.parked_max {
            count(&mut self.stats.parked_shed);
            return;
        }
        self.check(subject, cx);
        let until = self.after(self.config.parked_lifetime, cx.now());
        self.parking.waiting.push_back(Parked { subject, from, message, until });
    }

    /// Asks about a peer unless the question is open already.
    pub(super) fn check(&mut self, subject: P, cx: &mut Context<'_, Output<P>>) {
        if !self.parking.waiting.iter().any(|parked| parked.subject == subject) {
            cx.emit(Output::CheckRegistered { peer: subject });
        }
    }

    pub(super) fn on_registered(&mut self, peer: P, registered: bool, cx: &mut Context<'_, Output<P>>) {
        if !registered {
            self.expel(peer, cx);
        } else if self.pending.get(&peer).is_some_and(|request| request.checking) {
            self.approach(peer, cx);
        }
        while let Some(parked) = self.parking.take(&peer) {
            if registered {
                self.dispatch(parked.from, parked.message, false, cx);
            } else if parked.from == peer {
                self.refuse(peer, Limited::Refusal, false, None, cx);
            }
        }
    }

    pub(super) fn expire_parked(&mut self, now: Instant) {
        while self.parking.next().is_some_and(|until| until <= now) {
            self.parking.waiting.pop_front();
            count(&mut self.stats.parked_expired);
        }
    }

    /// Not registered: it goes from the views, without a ban (7.2).
    fn expel(&mut self, peer: P, cx: &mut Context<'_, Output<P>>) {
        count(&mut self.stats.unregistered);
        if self.active.contains(&peer) {
            self.send_disconnect(peer, false, None, cx);
            self.deactivate(peer, DownReason::Local, cx);
        }
        self.pending.remove(&peer);
        self.passive.remove(&peer);
        self.temporary.remove(&peer);
        self.lost.retain(|lost| lost.peer != peer);
        self.release_unused(peer, cx);
        self.unsettled = true;
    }
}
