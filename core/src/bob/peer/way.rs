//! From the relay's door to the partner, and out again: two links, one after the other, and a deadline for each step.

use bytes::Bytes;

use super::hall::Hall;
use super::room::{Room, line};
use super::{Failure, RelayAccess, Stage};
use crate::bob::Identity;
use crate::link::{Cause, How, Input, LinkId, Output};
use crate::machine::Context;
use crate::time::Instant;

/// The way of one peer. Emits the stages of the way itself.
#[derive(Debug)]
pub(in crate::bob) struct Way {
    relay: RelayAccess,
    pub(in crate::bob) hall: Hall,
    room: Room,
    /// What the room is asked for.
    partner: Option<Identity>,
    phase: Phase,
    stage: Option<Stage>,
    deadline: Option<Instant>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    Idle,
    DiallingHall,
    /// Hello was said.
    Registering,
    Registered,
    DiallingRoom,
    /// The line was sent.
    Meeting,
    /// With the partner.
    Together,
    /// The last words are on their way.
    Leaving,
    Left,
}

/// What happened, as far as it concerns the role.
#[derive(Debug)]
pub(in crate::bob) enum News<C> {
    /// The handshake port is reached: say hello.
    Reached,
    /// Packets came: take them from the hall.
    Packets,
    /// The partner is there; what it was quick to send comes along.
    Met(Bytes),
    /// Bytes of the partner.
    Bytes(Bytes),
    /// So many bytes have left towards the partner.
    Written(usize),
    /// Nothing more comes from the partner.
    Finished,
    /// The link to the partner is gone.
    Lost,
    /// There is no way.
    Failed(Failure<C>),
    /// The last words are said.
    Left,
}

/// The links: a peer has two in its life.
pub(in crate::bob) const HALL: LinkId = LinkId(0);
pub(in crate::bob) const ROOM: LinkId = LinkId(1);

impl Way {
    pub(in crate::bob) fn new(relay: RelayAccess) -> Self {
        Self {
            hall: Hall::new(HALL, relay.answers_max),
            room: Room::new(ROOM),
            partner: None,
            phase: Phase::Idle,
            stage: None,
            deadline: None,
            relay,
        }
    }

    /// When [`Way::on_timeout`] is due.
    pub(in crate::bob) const fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// How far it has come.
    pub(in crate::bob) const fn stage(&self) -> Option<Stage> {
        self.stage
    }

    /// Whether it has been left.
    pub(in crate::bob) fn is_left(&self) -> bool {
        self.phase == Phase::Left
    }

    /// Whether the last words are on their way, or said.
    pub(in crate::bob) const fn is_leaving(&self) -> bool {
        matches!(self.phase, Phase::Leaving | Phase::Left)
    }

    /// Bytes that were sent to the partner and have not left.
    pub(in crate::bob) const fn unwritten(&self) -> usize {
        self.room.carrier.unwritten()
    }

    /// Tells the application, if that is new.
    pub(in crate::bob) fn enter<E: From<Stage>>(&mut self, stage: Stage, cx: &mut Context<'_, Output<E>>) {
        if self.stage != Some(stage) {
            self.stage = Some(stage);
            cx.emit(Output::Event(stage.into()));
        }
    }

    /// Dials the handshake port.
    pub(in crate::bob) fn start<E: From<Stage>>(&mut self, cx: &mut Context<'_, Output<E>>) {
        self.enter(Stage::Connect, cx);
        self.phase = Phase::DiallingHall;
        self.deadline = Some(cx.now() + self.relay.dial_timeout);
        self.hall.carrier.dial(self.relay.handshake.clone(), cx);
    }

    /// The relay has answered: from here on a partner may come.
    pub(in crate::bob) fn registered<E: From<Stage>>(&mut self, cx: &mut Context<'_, Output<E>>) {
        if self.phase == Phase::Registering {
            self.phase = Phase::Registered;
            self.deadline = self.relay.wait_timeout.map(|wait| cx.now() + wait);
            self.enter(Stage::WaitPeer, cx);
        }
    }

    /// Sends the packets that were said.
    pub(in crate::bob) fn flush<E>(&mut self, cx: &mut Context<'_, Output<E>>) {
        self.hall.flush(cx);
    }

    /// Leaves the hall and goes to meet the partner.
    pub(in crate::bob) fn meet<E: From<Stage>>(
        &mut self,
        partner: Identity,
        cx: &mut Context<'_, Output<E>>,
    ) {
        self.hall.leave(cx);
        self.enter(Stage::Meet, cx);
        self.partner = Some(partner);
        self.phase = Phase::DiallingRoom;
        self.deadline = Some(cx.now() + self.relay.dial_timeout);
        self.room.carrier.dial(self.relay.room.clone(), cx);
    }

    /// Sends bytes to the partner.
    pub(in crate::bob) fn send<E>(&mut self, bytes: Bytes, cx: &mut Context<'_, Output<E>>) {
        if self.phase == Phase::Together {
            self.room.carrier.send(bytes, cx);
        }
    }

    /// Reads no more from the partner, or again.
    pub(in crate::bob) fn pause<E>(&mut self, pause: bool, cx: &mut Context<'_, Output<E>>) {
        if self.phase == Phase::Together {
            self.room.carrier.pause(pause, cx);
        }
    }

    /// Something moved, or is awaited from now on: if that lasts, the transfer stalls. None: nothing is awaited.
    pub(in crate::bob) const fn await_until(&mut self, deadline: Option<Instant>) {
        if matches!(self.phase, Phase::Together) {
            self.deadline = deadline;
        }
    }

    /// Closes everything, after a last word to the partner if it is there. Whether [`News::Left`] will follow; if not,
    /// all is over now.
    pub(in crate::bob) fn leave<E>(
        &mut self,
        word: Option<&'static [u8]>,
        cx: &mut Context<'_, Output<E>>,
    ) -> bool {
        let spoken = word.filter(|_| self.phase == Phase::Together && self.room.carrier.is_open());
        self.hall.carrier.close(How::Abort, cx);
        match spoken {
            Some(word) => {
                self.room.carrier.send(Bytes::from_static(word), cx);
                self.room.carrier.close(How::Flush, cx);
                self.phase = Phase::Leaving;
                self.deadline = Some(cx.now() + self.relay.leave_timeout);
            }
            None => {
                self.room.carrier.close(How::Abort, cx);
                self.phase = Phase::Left;
                self.deadline = None;
            }
        }
        spoken.is_some()
    }

    /// Takes what concerns the links. Commands are not for it.
    pub(in crate::bob) fn on_input<I, E, C>(
        &mut self,
        input: Input<I>,
        cx: &mut Context<'_, Output<E>>,
    ) -> Option<News<C>>
    where
        E: From<Stage>,
    {
        match input {
            Input::Opened { link, .. } => self.on_opened(link, cx),
            Input::Received { link, bytes } => self.on_received(link, bytes, cx),
            Input::Written { link, count } => self.on_written(link, count),
            Input::Finished { link } => self.on_finished(link),
            Input::Closed { link, cause } => self.on_closed(link, cause),
            // Nothing was asked for that these could answer.
            Input::Listening { .. }
            | Input::ListenFailed { .. }
            | Input::Message { .. }
            | Input::Datagram { .. }
            | Input::AddressesChanged
            | Input::Answer { .. }
            | Input::Command(_) => None,
        }
    }

    /// The deadline has passed.
    pub(in crate::bob) fn on_timeout<E, C>(&mut self, cx: &mut Context<'_, Output<E>>) -> Option<News<C>> {
        self.deadline = None;
        Some(match self.phase {
            Phase::DiallingHall | Phase::Registering => News::Failed(Failure::Relay(Cause::TimedOut)),
            Phase::Registered => News::Failed(Failure::TimedOut),
            Phase::DiallingRoom => News::Failed(Failure::Room(Cause::TimedOut)),
            Phase::Meeting => News::Failed(Failure::RoomTimedOut),
            Phase::Together => News::Failed(Failure::Stalled),
            Phase::Leaving => {
                self.room.carrier.close(How::Abort, cx);
                self.phase = Phase::Left;
                News::Left
            }
            Phase::Idle | Phase::Left => return None,
        })
    }

    fn on_opened<E, C>(&mut self, link: LinkId, cx: &mut Context<'_, Output<E>>) -> Option<News<C>> {
        let answer = cx.now() + self.relay.answer_timeout;
        if self.hall.carrier.is(link) && self.phase == Phase::DiallingHall && self.hall.carrier.opened() {
            self.phase = Phase::Registering;
            self.deadline = Some(answer);
            return Some(News::Reached);
        }
        if self.room.carrier.is(link) && self.phase == Phase::DiallingRoom && self.room.carrier.opened() {
            self.phase = Phase::Meeting;
            self.deadline = Some(answer);
            let line = self.partner.as_ref().map(line).unwrap_or_default();
            self.room.carrier.send(line, cx);
        }
        None
    }

    fn on_received<E: From<Stage>, C>(
        &mut self,
        link: LinkId,
        bytes: Bytes,
        cx: &mut Context<'_, Output<E>>,
    ) -> Option<News<C>> {
        if self.hall.carrier.is(link) {
            return self.is_in_hall().then(|| {
                self.hall.received(bytes);
                News::Packets
            });
        }
        if !self.room.carrier.is(link) {
            return None;
        }
        if self.phase == Phase::Meeting {
            return self.on_answer(bytes, cx);
        }
        (self.phase == Phase::Together).then_some(News::Bytes(bytes))
    }

    /// The room's answer, or a part of it.
    fn on_answer<E: From<Stage>, C>(
        &mut self,
        bytes: Bytes,
        cx: &mut Context<'_, Output<E>>,
    ) -> Option<News<C>> {
        match self.room.answered(bytes) {
            Ok(true) => {
                self.phase = Phase::Together;
                self.deadline = None;
                self.enter(Stage::Transfer, cx);
                Some(News::Met(self.room.take_unread()))
            }
            Ok(false) => None,
            Err(failure) => Some(News::Failed(failure)),
        }
    }

    fn on_written<C>(&mut self, link: LinkId, count: usize) -> Option<News<C>> {
        if self.hall.carrier.is(link) {
            self.hall.carrier.written(count);
            return (self.is_in_hall() && self.hall.has_unread()).then_some(News::Packets);
        }
        if !self.room.carrier.is(link) {
            return None;
        }
        self.room.carrier.written(count);
        (self.phase == Phase::Together).then_some(News::Written(count))
    }

    fn on_finished<C>(&self, link: LinkId) -> Option<News<C>> {
        if self.hall.carrier.is(link) {
            return self.is_in_hall().then_some(News::Failed(Failure::RelayClosed));
        }
        match self.phase {
            _ if !self.room.carrier.is(link) => None,
            // So a relay closes a room that the partner did not come into.
            Phase::Meeting => Some(News::Failed(Failure::RoomTimedOut)),
            Phase::Together => Some(News::Finished),
            Phase::Idle
            | Phase::DiallingHall
            | Phase::Registering
            | Phase::Registered
            | Phase::DiallingRoom
            | Phase::Leaving
            | Phase::Left => None,
        }
    }

    fn on_closed<C>(&mut self, link: LinkId, cause: Cause) -> Option<News<C>> {
        if self.hall.carrier.is(link) {
            self.hall.carrier.closed();
            if self.phase == Phase::DiallingHall {
                return Some(News::Failed(Failure::Relay(cause)));
            }
            return self.is_in_hall().then_some(News::Failed(Failure::RelayClosed));
        }
        if !self.room.carrier.is(link) {
            return None;
        }
        self.room.carrier.closed();
        match self.phase {
            Phase::Meeting if cause == Cause::Finished => Some(News::Failed(Failure::RoomTimedOut)),
            Phase::DiallingRoom | Phase::Meeting => Some(News::Failed(Failure::Room(cause))),
            Phase::Together => Some(News::Lost),
            Phase::Leaving => {
                self.phase = Phase::Left;
                self.deadline = None;
                Some(News::Left)
            }
            Phase::Idle | Phase::DiallingHall | Phase::Registering | Phase::Registered | Phase::Left => None,
        }
    }

    /// Whether packets are exchanged.
    const fn is_in_hall(&self) -> bool {
        matches!(self.phase, Phase::Registering | Phase::Registered)
    }
}
