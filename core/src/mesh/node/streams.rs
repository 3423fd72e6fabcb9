//! The streams of a link: which protocol they speak, and where their bytes go.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::{Bytes, BytesMut};

use super::link::{Accepted, Cut, Frames, Inbound, Partial};
use super::timers::Timer;
use super::{Cx, Node, Work};
use crate::channel::{self, OpenError, StreamId};
use crate::link::LinkId;
use crate::mesh::{Config, establishment, heads, rpc};
use crate::session;
use crate::stats::count;

/// What a stream that we asked for is for.
const SESSION: u64 = 0;
const GOSSIP: u64 = 1;
const HEADS: u64 = 2;

/// The protocols of which we accept streams.
pub(super) fn protocols(config: &Config) -> Arc<[String]> {
    let spoken = [
        (establishment::PROTOCOL, config.establishment),
        (rpc::PROTOCOL, true),
        (heads::PROTOCOL, config.heads),
    ];
    spoken.into_iter().filter(|(_, spoken)| *spoken).map(|(protocol, _)| String::from(protocol)).collect()
}

impl Node {
    /// Asks for our two outbound streams of an established link, where they are not open yet.
    pub(super) fn open_streams(&mut self, id: LinkId, cx: &mut Cx<'_>) {
        let Some(link) = self.links.get_mut(&id).filter(|link| link.established) else { return };
        let gossip = link.gossip.ask();
        let heads = self.config.heads && link.heads.ask();
        if gossip {
            self.open(id, GOSSIP, rpc::PROTOCOL, cx);
        }
        if heads {
            self.open(id, HEADS, heads::PROTOCOL, cx);
        }
    }

    /// Asks for the stream of the establishment.
    pub(super) fn open_session_stream(&mut self, id: LinkId, cx: &mut Cx<'_>) {
        self.open(id, SESSION, establishment::PROTOCOL, cx);
    }

    fn open(&mut self, id: LinkId, token: u64, protocol: &str, cx: &mut Cx<'_>) {
        self.channel(id, channel::Input::Open { token, protocols: alloc::vec![protocol.into()] }, cx);
    }

    /// A stream that we asked for is open.
    pub(super) fn on_opened(&mut self, id: LinkId, token: u64, stream: StreamId, cx: &mut Cx<'_>) {
        if token == SESSION {
            return self.start_session(id, stream, cx);
        }
        // The session may have ended since the peer agreed: nobody would hear of the end of such a stream.
        let Some(link) = self.links.get_mut(&id).filter(|link| link.established) else { return };
        match token {
            GOSSIP => {
                link.gossip.opened(stream);
                self.flush_gossip(id, cx);
            }
            _ => {
                link.heads.opened(stream);
                self.heads_up(id, cx);
            }
        }
    }

    /// A stream that we asked for is refused.
    pub(super) fn on_open_failed(&mut self, id: LinkId, token: u64, cause: OpenError, cx: &mut Cx<'_>) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let for_good = cause == OpenError::Unsupported;
        let outbox = match token {
            SESSION if for_good => return self.handshake(id, establishment::Heard::NotSpoken, cx),
            SESSION => return self.handshake(id, establishment::Heard::StreamEnded, cx),
            GOSSIP => &mut link.gossip,
            _ => &mut link.heads,
        };
        if for_good {
            outbox.refused();
        } else {
            outbox.lost();
            self.reopen_later(id, cx);
        }
    }

    /// The peer opened a stream. Those of the overlay and of HEADs wait until the link is established (`mesh` E4).
    pub(super) fn on_accepted(&mut self, id: LinkId, stream: StreamId, protocol: String, cx: &mut Cx<'_>) {
        let Some(link) = self.links.get_mut(&id) else { return };
        if protocol == establishment::PROTOCOL {
            let expected = self.config.establishment && !link.dialled && link.session_stream.is_none();
            if expected && link.stranger.is_none() {
                return self.start_session(id, stream, cx);
            }
            count(&mut self.stats.streams_refused);
            return self.channel(id, channel::Input::Reset { stream }, cx);
        }
        link.inbound.insert(stream, Inbound::Held { bytes: BytesMut::new(), finished: false });
        self.session(id, session::Input::Item { item: Accepted { stream, protocol }, size: 0 }, cx);
    }

    fn start_session(&mut self, id: LinkId, stream: StreamId, cx: &mut Cx<'_>) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.session_stream = Some(stream);
        link.inbound.insert(stream, Inbound::Session(Frames::new(establishment::FRAME_MAX)));
        self.timers.set(Timer::Silent(id), None);
        self.handshake(id, establishment::Heard::StreamOpen, cx);
    }

    /// The link is established: a stream of the peer's is taken up, with what has come on it so far.
    ///
    /// A stream opened later replaces the earlier one, whose further frames are ignored (`overlay` 3.1).
    pub(super) fn attach(&mut self, id: LinkId, accepted: Accepted, cx: &mut Cx<'_>) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let Some(Inbound::Held { bytes, finished }) = link.inbound.remove(&accepted.stream) else { return };
        let inbound = if accepted.protocol == rpc::PROTOCOL {
            link.inbound.retain(|_, inbound| !matches!(inbound, Inbound::Gossip(_)));
            Inbound::Gossip(Frames::new(rpc::FRAME_MAX))
        } else {
            link.inbound.retain(|_, inbound| !matches!(inbound, Inbound::Heads(_)));
            Inbound::Heads(Frames::new(heads::FRAME_MAX))
        };
        link.inbound.insert(accepted.stream, inbound);
        if finished {
            self.heard.push_front(Work::Ended(id, accepted.stream));
        }
        self.read(id, accepted.stream, bytes.freeze(), cx);
    }

    /// A stream of the peer's that could not be held, or that a stranger opened.
    pub(super) fn refuse_stream(&mut self, id: LinkId, stream: StreamId, cx: &mut Cx<'_>) {
        count(&mut self.stats.streams_refused);
        if let Some(link) = self.links.get_mut(&id) {
            link.inbound.remove(&stream);
        }
        self.channel(id, channel::Input::Reset { stream }, cx);
    }

    /// Bytes came on a stream. Credit returns once they are read, and not for bytes that wait.
    pub(super) fn on_stream_bytes(&mut self, id: LinkId, stream: StreamId, bytes: Bytes, cx: &mut Cx<'_>) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let (size, held) = (bytes.len(), link.held_bytes());
        if let Some(Inbound::Held { bytes: waiting, .. }) = link.inbound.get_mut(&stream) {
            if held.saturating_add(size) > self.config.session.held_bytes_max {
                return self.refuse_stream(id, stream, cx);
            }
            // One buffer, however small the pieces (T-17).
            waiting.extend_from_slice(&bytes);
            return;
        }
        self.read(id, stream, bytes, cx);
    }

    /// Cuts what came into frames, which stand before everything else that channels report.
    fn read(&mut self, id: LinkId, stream: StreamId, piece: Bytes, cx: &mut Cx<'_>) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let count = piece.len();
        let Cut { frames, error, held_before, held } = link.cut(stream, piece, cx.now());
        let frames = frames.into_iter().map(Some).chain(error.map(|_| None));
        let heard: Vec<Work> = frames.map(|frame| Work::Frame(id, stream, frame)).collect();
        for frame in heard.into_iter().rev() {
            self.heard.push_front(frame);
        }
        self.channel(id, channel::Input::Consumed { stream, count }, cx);
        self.partial_frames = self.partial_frames.saturating_sub(held_before).saturating_add(held);
        if self.partial_frames > self.config.partial_frames_max {
            self.shed_partial_frames(cx);
        }
    }

    /// Unfinished frames may have grown too large: those that have waited longest go. No offence, as the sender may be slow.
    fn shed_partial_frames(&mut self, cx: &mut Cx<'_>) {
        let partials = self.links.iter().flat_map(|(id, link)| link.partials(*id));
        let mut partials: Vec<Partial> = partials.collect();
        partials.sort_unstable();
        // What has gone with its stream or link is taken off only here.
        self.partial_frames = partials.iter().map(|partial| partial.bytes).sum();
        for Partial { link, stream, bytes, .. } in partials {
            if self.partial_frames <= self.config.partial_frames_max {
                break;
            }
            self.partial_frames = self.partial_frames.saturating_sub(bytes);
            count(&mut self.stats.partial_frames_shed);
            self.give_up_stream(link, stream, cx);
        }
    }

    fn give_up_stream(&mut self, id: LinkId, stream: StreamId, cx: &mut Cx<'_>) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.inbound.remove(&stream);
        let of_session = link.session_stream == Some(stream);
        self.channel(id, channel::Input::Reset { stream }, cx);
        if of_session {
            self.handshake(id, establishment::Heard::StreamEnded, cx);
        }
    }

    pub(super) fn on_frame(&mut self, id: LinkId, stream: StreamId, frame: &Bytes, cx: &mut Cx<'_>) {
        let Some(link) = self.links.get(&id) else { return };
        let Some(peer) = link.peer else { return };
        match link.inbound.get(&stream) {
            Some(Inbound::Session(_)) => self.handshake(id, establishment::Heard::Frame(frame.clone()), cx),
            Some(Inbound::Gossip(_)) => self.on_gossip_frame(id, peer, stream, frame, cx),
            Some(Inbound::Heads(_)) => self.on_heads_frame(id, peer, stream, frame, cx),
            Some(Inbound::Held { .. }) | None => {}
        }
    }

    /// A malformed or oversize frame: the stream is reset, and repeated it costs the link (`mesh` 4).
    pub(super) fn bad_stream(&mut self, id: LinkId, stream: StreamId, cx: &mut Cx<'_>) {
        let Some(link) = self.links.get_mut(&id) else { return };
        if link.inbound.remove(&stream).is_none() {
            return;
        }
        let of_session = link.session_stream == Some(stream);
        count(&mut self.stats.frames_malformed);
        self.channel(id, channel::Input::Reset { stream }, cx);
        self.session(id, session::Input::Malformed, cx);
        if of_session {
            // Without this stream there is no establishment and no last word.
            self.handshake(id, establishment::Heard::StreamEnded, cx);
        }
    }

    /// The peer's half of a stream is over, or all of it.
    pub(super) fn on_stream_end(&mut self, id: LinkId, stream: StreamId, cx: &mut Cx<'_>) {
        let Some(link) = self.links.get_mut(&id) else { return };
        if let Some(Inbound::Held { finished, .. }) = link.inbound.get_mut(&stream) {
            *finished = true;
            return;
        }
        let inbound = link.inbound.remove(&stream);
        if link.session_stream == Some(stream) {
            return self.handshake(id, establishment::Heard::StreamEnded, cx);
        }
        let heads = link.heads.close(stream);
        if heads && let Some(peer) = link.peer {
            // What was on its way is lost: the next stream begins with the whole table.
            self.heads_down(id, peer, cx);
        }
        let Some(link) = self.links.get_mut(&id) else { return };
        if heads || link.gossip.close(stream) {
            self.reopen_later(id, cx);
        } else if inbound.is_some() {
            self.channel(id, channel::Input::Finish { stream }, cx);
        }
    }

    /// A lost outbound stream is opened again after a second (`overlay` 3.1).
    fn reopen_later(&mut self, id: LinkId, cx: &Cx<'_>) {
        self.timers.set(Timer::Reopen(id), Some(cx.now() + self.config.reopen_delay));
    }
}
