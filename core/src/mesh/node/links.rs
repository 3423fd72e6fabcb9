//! The life of links: opened, upgraded, admitted, established, closed (`mesh` 2).

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::link::{Accepted, Inbound, Link};
use super::offences::Offence;
use super::timers::Timer;
use super::{Cx, Node, Output, Phase, Work};
use crate::admission::{Level, Opening};
use crate::channel::{self, Channel};
use crate::identity::PeerId;
use crate::link::{Address, Cause, How, LinkId, Role, Via};
use crate::machine::Machine;
use crate::mesh::Event;
use crate::mesh::establishment::{self, Establishment, Heard, Motive, Refusal, Wanted};
use crate::session::{self, Closing, Ended, Session};
use crate::stats::count;
use crate::trace::debug;

impl Node {
    pub(super) fn link_opened(
        &mut self,
        id: LinkId,
        via: Via,
        local: &Address,
        remote: Address,
        cx: &mut Cx<'_>,
    ) {
        let dialled = matches!(via, Via::Dialled);
        let ip = if let Address::Socket(remote) = &remote { Some(remote.ip()) } else { None };
        let opening = Opening { link: id, remote: ip, relayed: false };
        if dialled && !self.is_dialling(id) {
            // It was given up while it was dialled; the driver has been told.
            return;
        }
        if self.phase != Phase::Running {
            return cx.emit(Output::Close { link: id, how: How::Abort });
        }
        if dialled {
            self.admission.dialled(opening);
        } else {
            let decision = self.admission.accept(cx.now(), opening);
            if self.apply(id, decision, cx).is_err() {
                return cx.emit(Output::Close { link: id, how: How::Abort });
            }
        }
        count(&mut self.stats.links_opened);
        self.learn_local(local, cx);
        if dialled {
            self.dial_opened(id, cx);
        }
        let expected = self.dials.expected(id);
        let role = if dialled { Role::Dialler } else { Role::Listener };
        let channel = Channel::new(
            Arc::clone(&self.channel_config),
            Arc::clone(&self.local),
            role,
            expected,
            Arc::clone(&self.protocols),
        );
        let handshake = Establishment::new(Arc::clone(&self.terms), dialled);
        let session = Session::new(self.config.session, handshake, cx.now());
        let describe = self.description(&remote);
        self.links.insert(id, Link::new(channel, session, dialled, remote, self.config.outgoing));
        self.channel(id, channel::Input::Describe(describe), cx);
        self.channel(id, channel::Input::Start, cx);
        self.session(id, session::Input::Opened, cx);
    }

    /// Hands an input to the channel of a link.
    pub(super) fn channel(&mut self, id: LinkId, input: channel::Input, cx: &mut Cx<'_>) {
        self.run_channel(id, cx, |channel, cx| channel.handle(input, cx));
    }

    pub(super) fn channel_timeout(&mut self, id: LinkId, cx: &mut Cx<'_>) {
        self.run_channel(id, cx, Machine::handle_timeout);
    }

    fn run_channel(
        &mut self,
        id: LinkId,
        cx: &mut Cx<'_>,
        run: impl FnOnce(&mut Channel, &mut crate::Context<'_, channel::Output>),
    ) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let mut outputs = Vec::new();
        cx.capture(&mut outputs, |cx| run(&mut link.channel, cx));
        self.timers.set(Timer::Channel(id), link.channel.poll_timeout());
        self.heard.extend(outputs.into_iter().map(|output| Work::Channel(id, output)));
        self.note_use(id, cx);
    }

    /// A stranger's link is kept as long as it has a stream open other than identify's (`mesh` E8).
    fn note_use(&mut self, id: LinkId, cx: &mut Cx<'_>) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let Some(before) = link.stranger else { return };
        let in_use = link.channel.is_in_use();
        if in_use != before {
            link.stranger = Some(in_use);
            self.session(id, session::Input::Busy(in_use), cx);
        }
    }

    /// Hands an input to the session of a link.
    pub(super) fn session(
        &mut self,
        id: LinkId,
        input: session::Input<Accepted, Heard, PeerId, Refusal>,
        cx: &mut Cx<'_>,
    ) {
        self.run_session(id, cx, |session, cx| session.handle(input, cx));
    }

    pub(super) fn session_timeout(&mut self, id: LinkId, cx: &mut Cx<'_>) {
        self.run_session(id, cx, Machine::handle_timeout);
    }

    fn run_session(
        &mut self,
        id: LinkId,
        cx: &mut Cx<'_>,
        run: impl FnOnce(
            &mut Session<Establishment, Accepted>,
            &mut crate::Context<'_, session::Output<Accepted, Wanted, PeerId>>,
        ),
    ) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let mut outputs = Vec::new();
        cx.capture(&mut outputs, |cx| run(&mut link.session, cx));
        self.timers.set(Timer::Session(id), link.session.poll_timeout());
        self.work.extend(outputs.into_iter().map(|output| Work::Session(id, output)));
    }

    /// Tells the handshake of a link what was heard.
    pub(super) fn handshake(&mut self, id: LinkId, heard: Heard, cx: &mut Cx<'_>) {
        self.session(id, session::Input::Handshake(heard), cx);
    }

    pub(super) fn on_channel(&mut self, id: LinkId, output: channel::Output, cx: &mut Cx<'_>) {
        match output {
            channel::Output::Send(bytes) => cx.emit(Output::Send { link: id, bytes }),
            channel::Output::Pause => cx.emit(Output::Pause { link: id }),
            channel::Output::Resume => cx.emit(Output::Resume { link: id }),
            channel::Output::Authenticated { peer } => self.authenticated(id, peer, cx),
            channel::Output::Ready => self.ready(id, cx),
            channel::Output::Opened { token, stream, .. } => self.on_opened(id, token, stream, cx),
            channel::Output::OpenFailed { token, cause } => self.on_open_failed(id, token, cause, cx),
            channel::Output::Accepted { stream, protocol } => self.on_accepted(id, stream, protocol, cx),
            channel::Output::Received { stream, bytes } => self.on_stream_bytes(id, stream, bytes, cx),
            channel::Output::Finished { stream } | channel::Output::Reset { stream } => {
                self.on_stream_end(id, stream, cx);
            }
            channel::Output::Sent { stream, count } => self.on_sent(id, stream, count, cx),
            channel::Output::Identified(info) => self.identified(id, &info, cx),
            channel::Output::RoundTrip(_) => {}
            channel::Output::Closed(cause) => self.channel_closed(id, &cause, cx),
        }
    }

    /// The peer has proven its key.
    fn authenticated(&mut self, id: LinkId, peer: PeerId, cx: &mut Cx<'_>) {
        count(&mut self.stats.handshakes);
        let decision = self.admission.authenticated(id, peer);
        if self.apply(id, decision, cx).is_err() || self.is_banned(peer, cx.now()) {
            return self.close(id, None, Closing::Abort, cx);
        }
        if let Some(link) = self.links.get_mut(&id) {
            link.peer = Some(peer);
        }
        self.dial_authenticated(id, peer, cx);
        self.handshake(id, Heard::Authenticated(peer), cx);
    }

    /// Streams can be opened.
    fn ready(&mut self, id: LinkId, cx: &mut Cx<'_>) {
        let awaits_stream =
            self.config.establishment && self.links.get(&id).is_some_and(|link| !link.dialled);
        if awaits_stream {
            self.timers.set(Timer::Silent(id), Some(cx.now() + self.config.silent_timeout));
        }
        self.handshake(id, Heard::Ready, cx);
    }

    pub(super) fn on_session(
        &mut self,
        id: LinkId,
        output: session::Output<Accepted, Wanted, PeerId>,
        cx: &mut Cx<'_>,
    ) {
        match output {
            session::Output::Emit(wanted) => self.on_wanted(id, wanted, cx),
            session::Output::Identified { peer } => self.decide(id, peer, cx),
            session::Output::Established { peer } => self.established(id, peer, cx),
            session::Output::Stranger { .. } => self.stranger(id, cx),
            session::Output::Item(accepted) => self.attach(id, accepted, cx),
            session::Output::Shed(accepted) => self.refuse_stream(id, accepted.stream, cx),
            session::Output::Offence { peer, points } => {
                let offence = crate::peers::Offence::Points(points);
                self.book_input(crate::peers::Input::Offence { peer, offence }, cx);
            }
            session::Output::Close(ended) => self.session_closed(id, ended, How::Flush, cx),
            session::Output::Abort(ended) => self.session_closed(id, ended, How::Abort, cx),
        }
    }

    fn on_wanted(&mut self, id: LinkId, wanted: Wanted, cx: &mut Cx<'_>) {
        match wanted {
            Wanted::OpenStream => self.open_session_stream(id, cx),
            Wanted::Send(bytes) => {
                if let Some(stream) = self.links.get(&id).and_then(|link| link.session_stream) {
                    self.channel(id, channel::Input::Send { stream, bytes }, cx);
                }
            }
            Wanted::Refused { motive, alternatives } => self.refused(id, motive, alternatives, cx),
            Wanted::Bye(motive) => {
                count(&mut self.stats.byes_received);
                if motive == Motive::Duplicate {
                    self.linger(id, None, cx);
                }
            }
            Wanted::Unfit(motive) => self.refrain(id, motive, cx),
            Wanted::Ignore => count(&mut self.stats.unknown_messages),
        }
    }

    fn established(&mut self, id: LinkId, peer: PeerId, cx: &mut Cx<'_>) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.established = true;
        count(&mut self.stats.links_established);
        debug!("link {}: established with {peer}", id.0);
        let dialled = link.dialled;
        self.admission.established(id);
        self.dial_succeeded(id, peer, cx);
        let known = self.peers.entry(peer).or_default();
        let before = known.current();
        known.add(id);
        self.open_streams(id, cx);
        if let Some(before) = before {
            self.move_gossip(peer, before, id, cx);
        } else {
            count(&mut self.stats.peers_up);
            self.overlays(&crate::overlay::Input::Connected { peer, dialled }, cx);
            if self.is_extended(peer) {
                self.overlays(&crate::overlay::Input::Extended { peer }, cx);
            }
            cx.emit(Output::Event(Event::PeerUp { peer }));
            self.join_through(peer, cx);
        }
        self.update_busy(peer, cx);
        self.watch_registration(peer, cx.now());
    }

    /// A plain libp2p peer, or one that may not take part: its link stays, in the lowest quota.
    fn stranger(&mut self, id: LinkId, cx: &mut Cx<'_>) {
        self.timers.set(Timer::Silent(id), None);
        count(&mut self.stats.strangers);
        if let Some(link) = self.links.get_mut(&id) {
            link.stranger = Some(false);
        }
        self.note_use(id, cx);
        let decision = self.admission.admit(id, Level::STRANGER);
        if self.apply(id, decision, cx).is_err() {
            self.close(id, None, Closing::Flush, cx);
        }
        self.dial_useless(id, cx);
    }

    /// Closes a link, with a word if there is a motive.
    pub(super) fn close(&mut self, id: LinkId, motive: Option<Motive>, how: Closing, cx: &mut Cx<'_>) {
        self.session(id, session::Input::Close { motive: motive.map(Refusal::from), how }, cx);
    }

    /// The session is over: the channel says goodbye, or nothing more is said at all.
    fn session_closed(&mut self, id: LinkId, ended: Ended, how: How, cx: &mut Cx<'_>) {
        debug!("link {}: the session is over: {ended:?}", id.0);
        count(match ended {
            Ended::TimedOut => &mut self.stats.handshakes_timed_out,
            Ended::Violation | Ended::Malformed | Ended::Overflow => &mut self.stats.links_broken,
            Ended::Asked | Ended::RefusedByUs | Ended::RefusedByPeer | Ended::Idle => {
                &mut self.stats.links_closed
            }
        });
        match how {
            How::Flush => self.channel(id, channel::Input::Close(how), cx),
            How::Abort => cx.emit(Output::Close { link: id, how }),
        }
        // What the peer may still say is looked at only on the stream of the establishment, for the offences in it.
        self.forget_established(id, cx);
    }

    fn channel_closed(&mut self, id: LinkId, cause: &channel::Cause, cx: &mut Cx<'_>) {
        debug!("link {}: the channel is over: {cause}", id.0);
        if cause.violation().is_some() {
            count(&mut self.stats.channels_broken);
            if let Some(peer) = self.links.get(&id).and_then(|link| link.peer) {
                self.offence(peer, Offence::BadChannel, cx);
            }
        }
        cx.emit(Output::Close { link: id, how: cause.how() });
        self.forget_established(id, cx);
        // The session is over too; where the driver has something to flush, the session limits the time for it.
        match cause.how() {
            How::Flush => self.close(id, None, Closing::Flush, cx),
            How::Abort => self.session(id, session::Input::Closed, cx),
        }
    }

    /// The link is gone, or its dial failed.
    pub(super) fn link_closed(&mut self, id: LinkId, cause: Cause, cx: &mut Cx<'_>) {
        debug!("link {}: closed: {cause}", id.0);
        self.admission.closed(id);
        self.forget_established(id, cx);
        if let Some(link) = self.links.remove(&id) {
            self.ended.add_link(&link);
        }
        for timer in [
            Timer::Channel(id),
            Timer::Session(id),
            Timer::Silent(id),
            Timer::Unneeded(id),
            Timer::Reopen(id),
            Timer::Congested(id),
        ] {
            self.timers.set(timer, None);
        }
        self.dial_ended(id, cause, cx);
        if self.phase == Phase::Stopping && self.links.is_empty() {
            self.stopped(cx);
        }
    }

    /// The overlay cannot use the link any more.
    fn forget_established(&mut self, id: LinkId, cx: &mut Cx<'_>) {
        let Some(link) = self.links.get_mut(&id).filter(|link| link.established) else { return };
        link.established = false;
        link.inbound.retain(|_, inbound| matches!(inbound, Inbound::Session(_)));
        let Some(peer) = link.peer else { return };
        let Some(known) = self.peers.get_mut(&peer) else { return };
        known.remove(id);
        let other = known.current();
        self.heads_down(id, peer, cx);
        if let Some(other) = other {
            return self.move_gossip(peer, id, other, cx);
        }
        count(&mut self.stats.peers_down);
        self.timers.set(Timer::Registered(peer), None);
        self.book_input(crate::peers::Input::Disconnected { peer }, cx);
        self.overlays(&crate::overlay::Input::Disconnected { peer }, cx);
        self.forget_peer_if_unused(peer);
        cx.emit(Output::Event(Event::PeerDown { peer }));
    }

    /// The peer told where it listens and what it sees of us.
    fn identified(&mut self, id: LinkId, info: &channel::identify::Info, cx: &mut Cx<'_>) {
        let Some(link) = self.links.get(&id) else { return };
        let Some(peer) = link.peer else { return };
        let remote = link.remote.clone();
        self.learn(
            peer,
            info.listen_addresses.iter().map(|address| address.to_bytes().into()),
            &remote,
            peer,
            cx,
        );
    }

    /// The peer refused us: it is left alone for a while, and others are tried (E5).
    fn refused(
        &mut self,
        id: LinkId,
        motive: Motive,
        alternatives: Vec<establishment::Alternative>,
        cx: &mut Cx<'_>,
    ) {
        count(&mut self.stats.nacks_received);
        let Some(link) = self.links.get(&id) else { return };
        let Some(peer) = link.peer else { return };
        debug!("link {}: {peer} refuses us: {motive:?}", id.0);
        let remote = link.remote.clone();
        self.refrain(id, motive, cx);
        let mut named = Vec::new();
        for alternative in alternatives.into_iter().take(establishment::ALTERNATIVES_TAKEN) {
            named.push(alternative.peer);
            self.learn(alternative.peer, alternative.addresses.into_iter(), &remote, peer, cx);
        }
        self.offer_company(&named, cx);
    }

    /// The peer and we do not go together for this reason: it is not dialled for a while (E5).
    fn refrain(&mut self, id: LinkId, motive: Motive, cx: &mut Cx<'_>) {
        let wait = motive.back_off();
        if let Some(peer) = self.links.get(&id).and_then(|link| link.peer).filter(|_| !wait.is_zero()) {
            self.book_input(crate::peers::Input::Refrain { peer, wait }, cx);
        }
    }
}
