//! A model node: overlay and broadcast of one topic, and what it knows of its links.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use pleach_core::broadcast::{self, Broadcast};
use pleach_core::deadline::earliest;
use pleach_core::overlay::{self, Overlay};
use pleach_core::{At, Context, Instant, Machine};

use crate::queue::Alarm;
use crate::rng::{Domain, Small};

use super::Parcel;
use super::links::Links;

/// The configurations that all nodes share.
#[derive(Clone, Debug)]
pub(super) struct Configs {
    pub(super) overlay: Arc<overlay::Config>,
    pub(super) broadcast: Arc<broadcast::Config>,
}

#[derive(Debug)]
pub(super) struct Node {
    pub(super) overlay: Overlay<u32>,
    pub(super) broadcast: Broadcast<u32>,
    pub(super) links: Links,
    pub(super) alarm: Alarm,
    rng: Small,
}

/// What goes into one of the two machines.
#[derive(Debug)]
pub(super) enum In {
    Overlay(overlay::Input<u32>),
    Broadcast(broadcast::Input<u32>),
}

/// What a node wants of the network, or reports.
#[derive(Debug)]
pub(super) enum Out {
    Send {
        to: u32,
        parcel: Parcel,
    },
    Hold {
        peer: u32,
    },
    Dial {
        peer: u32,
    },
    Release {
        peer: u32,
    },
    Delivered {
        hop: u32,
        payload: Bytes,
    },
    /// A peer went over a rate limit: a point or two that decay, which honest nodes may earn now and then.
    Complaint,
    /// A machine accuses a peer of an offence that leads to a ban.
    Accused {
        peer: u32,
        rule: String,
    },
}

/// Buffers of one call, kept from call to call.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    waiting: VecDeque<In>,
    overlay: Vec<overlay::Output<u32>>,
    broadcast: Vec<broadcast::Output<u32>>,
}

impl Node {
    pub(super) fn new(configs: &Configs, me: u32, seed: u64, at: At) -> Self {
        Self {
            overlay: Overlay::new(Arc::clone(&configs.overlay), me, at.wall),
            broadcast: Broadcast::new(Arc::clone(&configs.broadcast)),
            links: Links::default(),
            alarm: Alarm::OFF,
            rng: Small::new(seed, Domain::Machine, me),
        }
    }

    /// Feeds one input, and to each machine what the other one has for it, until neither has anything more. Returns
    /// the number of calls.
    pub(super) fn handle(&mut self, at: At, input: In, buffers: &mut Buffers, out: &mut Vec<Out>) -> u64 {
        buffers.waiting.push_back(input);
        self.drain(at, buffers, out)
    }

    /// Does what is due; returns the number of calls.
    pub(super) fn handle_timeout(&mut self, at: At, buffers: &mut Buffers, out: &mut Vec<Out>) -> u64 {
        let due = |deadline: Option<Instant>| deadline.is_some_and(|deadline| deadline <= at.now);
        let mut calls = 0;
        if due(self.overlay.poll_timeout()) {
            self.overlay.handle_timeout(&mut Context::new(at, &mut self.rng, &mut buffers.overlay));
            route_overlay(buffers, out);
            calls += 1 + self.drain(at, buffers, out);
        }
        if due(self.broadcast.poll_timeout()) {
            self.broadcast.handle_timeout(&mut Context::new(at, &mut self.rng, &mut buffers.broadcast));
            route_broadcast(buffers, out);
            calls += 1 + self.drain(at, buffers, out);
        }
        calls
    }

    /// When it is to be woken.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        earliest(self.overlay.poll_timeout(), self.broadcast.poll_timeout())
    }

    fn drain(&mut self, at: At, buffers: &mut Buffers, out: &mut Vec<Out>) -> u64 {
        let mut calls = 0;
        while let Some(input) = buffers.waiting.pop_front() {
            calls += 1;
            match input {
                In::Overlay(input) => {
                    self.overlay.handle(input, &mut Context::new(at, &mut self.rng, &mut buffers.overlay));
                    route_overlay(buffers, out);
                }
                In::Broadcast(input) => {
                    self.broadcast
                        .handle(input, &mut Context::new(at, &mut self.rng, &mut buffers.broadcast));
                    route_broadcast(buffers, out);
                }
            }
        }
        calls
    }
}

fn route_overlay(buffers: &mut Buffers, out: &mut Vec<Out>) {
    let Buffers { waiting, overlay, .. } = buffers;
    for output in overlay.drain(..) {
        match output {
            overlay::Output::Send { to, message } => {
                out.push(Out::Send { to, parcel: Parcel::Overlay(Box::new(message)) });
            }
            overlay::Output::Hold { peer } => out.push(Out::Hold { peer }),
            overlay::Output::Dial { peer, addresses: _ } => out.push(Out::Dial { peer }),
            overlay::Output::Release { peer } => out.push(Out::Release { peer }),
            overlay::Output::CheckRegistered { peer } => {
                waiting.push_back(In::Overlay(overlay::Input::Registered { peer, registered: true }));
            }
            overlay::Output::Violation { violation: overlay::Violation::RateExceeded, .. } => {
                out.push(Out::Complaint);
            }
            overlay::Output::Violation { peer, violation } => {
                out.push(Out::Accused { peer, rule: format!("overlay: {violation:?}") });
            }
            // There is no book of peers here.
            overlay::Output::Event(overlay::Event::Stranded) => {}
            overlay::Output::Event(overlay::Event::NeighborUp { peer }) => {
                waiting.push_back(In::Broadcast(broadcast::Input::NeighborUp { peer, extended: true }));
            }
            overlay::Output::Event(overlay::Event::NeighborDown { peer, reason: _ }) => {
                waiting.push_back(In::Broadcast(broadcast::Input::NeighborDown { peer }));
            }
        }
    }
}

fn route_broadcast(buffers: &mut Buffers, out: &mut Vec<Out>) {
    let Buffers { waiting, broadcast, .. } = buffers;
    for output in broadcast.drain(..) {
        match output {
            broadcast::Output::Send { peers, message } => {
                let send = |to| Out::Send { to, parcel: Parcel::Broadcast(message.clone()) };
                out.extend(peers.into_iter().map(send));
            }
            broadcast::Output::Validate { id, .. } => {
                let verdict = broadcast::Verdict::Accept;
                waiting.push_back(In::Broadcast(broadcast::Input::Verdict { id, verdict }));
            }
            broadcast::Output::Stranger { peer } => {
                waiting.push_back(In::Overlay(overlay::Input::Stranger { peer }));
            }
            broadcast::Output::Violation { violation: broadcast::Violation::RateExceeded, .. } => {
                out.push(Out::Complaint);
            }
            broadcast::Output::Violation { peer, violation } => {
                out.push(Out::Accused { peer, rule: format!("broadcast: {violation:?}") });
            }
            broadcast::Output::Event(broadcast::Event::Delivered { hop, payload, .. }) => {
                out.push(Out::Delivered { hop, payload });
            }
            broadcast::Output::Event(broadcast::Event::Published { .. } | broadcast::Event::Lost { .. }) => {}
        }
    }
}
