//! HEADs: the table, and its stream on each link (`mesh` 3).

use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;

use super::offences::Offence;
use super::outbox::Frame;
use super::timers::Timer;
use super::{Cx, Node, Output, Work};
use crate::channel::{self, StreamId};
use crate::heads::{self, Admission, Announced, Heads};
use crate::identity::{Keypair, PeerId};
use crate::link::LinkId;
use crate::machine::Machine;
use crate::mesh::heads::{Head, HeadRules, NodeKey, Own, Tip, decode_frame, encode_frame};
use crate::mesh::{Config, ConfigError, Event, Registration};
use crate::queue::Class;
use crate::stats::{count, count_by};
use crate::time::Instant;

/// A row of the table of HEADs.
#[derive(Clone, Debug)]
pub struct HeadRow<'a> {
    /// What the node says of itself.
    pub head: &'a Head,
    /// Its distance when it came; 0 is ourselves or a direct link. Shown only: nobody signs it.
    pub step: u32,
}

/// The table, if the network has one.
pub(super) fn machine(
    config: &Config,
    identity: &Arc<Keypair>,
) -> Result<Option<Heads<HeadRules>>, ConfigError> {
    if !config.heads {
        return Ok(None);
    }
    let rules = HeadRules::new(
        &config.network,
        Arc::clone(identity),
        config.node_id,
        &config.software,
        &config.version,
    )
    .ok_or(ConfigError::Software)?;
    let admission = if config.registration == Registration::Open { Admission::Open } else { Admission::Ask };
    let limits = heads::Config { admission, network_size: config.network_size, ..config.head_table };
    Ok(Some(Heads::new(limits, rules)))
}

impl Node {
    /// The table of HEADs in the order of node keys, our own included; empty where the network has none.
    pub fn heads(&self) -> impl Iterator<Item = HeadRow<'_>> {
        let rows = self.heads.as_ref().map(|heads| heads.iter()).into_iter().flatten();
        rows.map(|(_, entry)| HeadRow { head: entry.head(), step: entry.step() })
    }

    pub(super) fn heads_input(&mut self, input: heads::Input<PeerId, Head, Own>, cx: &mut Cx<'_>) {
        let Some(heads) = &mut self.heads else { return };
        let mut outputs = Vec::new();
        cx.capture(&mut outputs, |cx| heads.handle(input, cx));
        self.timers.set(Timer::Heads, heads.poll_timeout());
        self.work.extend(outputs.into_iter().map(Work::Heads));
    }

    pub(super) fn heads_timeout(&mut self, cx: &mut Cx<'_>) {
        // A refresh may be due: it tells the rooms that are free now.
        self.say_own(cx);
        let Some(heads) = &mut self.heads else { return };
        let mut outputs = Vec::new();
        cx.capture(&mut outputs, |cx| heads.handle_timeout(cx));
        self.timers.set(Timer::Heads, heads.poll_timeout());
        self.work.extend(outputs.into_iter().map(Work::Heads));
    }

    /// Our HEADs stream of an established link is open: if no other link of the peer carries HEADs, this one does.
    pub(super) fn heads_up(&mut self, id: LinkId, cx: &mut Cx<'_>) {
        let established = self.links.get(&id).filter(|link| link.established);
        let Some(peer) = established.and_then(|link| link.peer) else { return };
        let Some(known) = self.peers.get_mut(&peer) else { return };
        if known.heads.is_none() {
            known.heads = Some(id);
            known.heads_wait = false;
            self.heads_input(heads::Input::LinkUp { peer }, cx);
        }
    }

    /// The link that carried HEADs does not any more; another link of the peer may.
    pub(super) fn heads_down(&mut self, id: LinkId, peer: PeerId, cx: &mut Cx<'_>) {
        let Some(known) = self.peers.get_mut(&peer).filter(|known| known.heads == Some(id)) else { return };
        known.heads = None;
        self.heads_input(heads::Input::LinkDown { peer }, cx);
        let carries =
            |id: &LinkId| self.links.get(id).is_some_and(|link| link.established && link.heads.is_open());
        if let Some(other) = self.peers.get(&peer).and_then(|known| known.links().find(carries)) {
            self.heads_up(other, cx);
        }
    }

    pub(super) fn on_heads(&mut self, output: heads::Output<PeerId, NodeKey, Head>, cx: &mut Cx<'_>) {
        match output {
            heads::Output::Send { to, heads } => self.send_heads(to, encode_frame(&heads), cx),
            heads::Output::CheckAdmitted { peer } => self.check_registered(peer, cx),
            heads::Output::Violation { peer, violation: heads::Violation::WrongSignature } => {
                self.offence(peer, Offence::Forgery, cx);
            }
            heads::Output::Event(heads::Event::Replaced { key, head, step }) => {
                self.tell_head(key, &head, step, cx);
            }
            heads::Output::Event(heads::Event::Recovered { head }) => {
                self.own.recover(&head);
                self.tell_head(head.key(), &head, 0, cx);
            }
        }
    }

    fn tell_head(&self, key: NodeKey, head: &Head, step: u32, cx: &mut Cx<'_>) {
        let height = head.fields().height;
        let step = u8::try_from(step).unwrap_or(u8::MAX);
        cx.emit(Output::Event(Event::Head { peer: key.peer, node: key.node, height, step }));
    }

    fn send_heads(&mut self, peer: PeerId, bytes: Bytes, cx: &mut Cx<'_>) {
        let Some(known) = self.peers.get_mut(&peer) else { return };
        let Some(id) = known.heads else { return };
        known.heads_wait = true;
        let Some(link) = self.links.get_mut(&id) else { return };
        // The table sends a frame only after the one before has left: nothing is ever shed here.
        let shed = link.heads.push(cx.now(), Class::Gossip, Frame { bytes, announcement: None });
        debug_assert!(shed.is_empty(), "one frame is waiting at most");
        self.flush_heads(id, cx);
    }

    /// Hands the waiting frame to the channel, and tells the table when more may come.
    pub(super) fn flush_heads(&mut self, id: LinkId, cx: &mut Cx<'_>) {
        while let Some((stream, bytes)) = self.links.get_mut(&id).and_then(|link| link.heads.next()) {
            self.channel(id, channel::Input::Send { stream, bytes }, cx);
        }
        let Some(link) = self.links.get(&id) else { return };
        let (Some(peer), true) = (link.peer, link.heads.is_writable()) else { return };
        let Some(known) = self.peers.get_mut(&peer).filter(|known| known.heads == Some(id)) else { return };
        if core::mem::take(&mut known.heads_wait) {
            self.heads_input(heads::Input::Drained { peer }, cx);
        }
    }

    /// Takes a frame of an established link.
    pub(super) fn on_heads_frame(
        &mut self,
        id: LinkId,
        peer: PeerId,
        stream: StreamId,
        frame: &Bytes,
        cx: &mut Cx<'_>,
    ) {
        match decode_frame(frame) {
            Ok(Some(heads)) => {
                let heads = self.heads_without_banned(heads, cx.now());
                self.heads_input(heads::Input::Received { from: peer, heads }, cx);
            }
            Ok(None) => count(&mut self.stats.unknown_messages),
            Err(_) => self.bad_stream(id, stream, cx),
        }
    }

    /// Leaves out the HEADs of banned peers. No offence: the sender may not know of the ban (`overlay` 7.4).
    fn heads_without_banned(
        &mut self,
        mut heads: Vec<Announced<Head>>,
        now: Instant,
    ) -> Vec<Announced<Head>> {
        let before = heads.len();
        heads.retain(|announced| !self.book.is_banned(announced.head.fields().peer, now));
        count_by(&mut self.stats.banned_named, before.saturating_sub(heads.len()));
        heads
    }

    /// Says what our own HEAD says from now on.
    pub(super) fn say_own(&mut self, cx: &mut Cx<'_>) {
        let rooms = |places: usize| u16::try_from(places).unwrap_or(u16::MAX);
        let own = Own {
            height: self.own.height,
            tip: self.own.tip.clone(),
            free_member_rooms: rooms(self.admission.free_places_for_members()),
            free_mirror_rooms: rooms(self.admission.free_places()),
        };
        self.heads_input(heads::Input::Own(own), cx);
    }
}

/// What the application says about this node in its HEAD.
#[derive(Debug, Default)]
pub(super) struct OwnState {
    height: u64,
    tip: Tip,
}

impl OwnState {
    /// Takes a new state; a lower height is none. The tip is cut off at its limit.
    pub(super) fn set(&mut self, height: u64, tip: &[u8]) {
        if height >= self.height {
            self.height = height;
            self.tip = Tip::from_slice(tip.get(..tip.len().min(self.tip.capacity())).unwrap_or(&[]))
                .unwrap_or_default();
        }
    }

    fn recover(&mut self, head: &Head) {
        self.set(head.fields().height, &head.fields().tip);
    }
}
