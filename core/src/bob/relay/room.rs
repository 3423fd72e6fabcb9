//! The secure rooms (`bob-relay.md` 7).

use alloc::vec::Vec;
use core::net::SocketAddr;

use bytes::Bytes;

use super::forward::Pair;
use super::link::State;
use super::machine::{Relay, Timer};
use super::{Cx, Event, Output};
use crate::bob::Identity;
use crate::bob::packet::Uid;
use crate::ip::Prefix;
use crate::link::{How, LinkId};
use crate::relay::{Arrival, Ended, Meeting, Pipe, Side};
use crate::stats::{count, count_by};
use crate::time::Instant;

/// Both are there.
const HERE: &[u8] = b"00";
/// No line came in time.
pub(super) const TIMED_OUT: &[u8] = b"01";
/// The line names no room.
pub(super) const UNKNOWN: &[u8] = b"02";
/// What both hear at the end.
const END: &[u8] = &[0xff; 4];

/// A room, from the agreement to its end.
#[derive(Debug)]
pub(super) struct Room {
    client: Uid,
    server: Uid,
    /// Where they were at the handshake port: the client, the server.
    addresses: [SocketAddr; 2],
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// Nobody, or one, has come.
    Open { waits: Option<LinkId> },
    /// Both have.
    Copying { pipe: Pipe<LinkId>, since: Instant, moved: Instant },
}

impl Room {
    const fn address(&self, side: Side) -> SocketAddr {
        let [client, server] = self.addresses;
        match side {
            Side::First => client,
            Side::Second => server,
        }
    }

    const fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Open { .. })
    }

    fn is_of(&self, who: Prefix) -> bool {
        self.addresses.iter().any(|address| Prefix::subscriber(address.ip()) == who)
    }
}

impl Relay {
    /// Opens a room for two peers that are still registered, unless their addresses have too many.
    pub(super) fn promise_room(&mut self, pair: Pair, cx: &mut Cx<'_>) -> bool {
        let (Some(client), Some(server)) = (self.links.get(&pair.client), self.links.get(&pair.server))
        else {
            return false;
        };
        let addresses = [client.remote, server.remote];
        if addresses.iter().any(|address| self.has_too_many_rooms(Prefix::subscriber(address.ip()))) {
            return false;
        }
        // Each names the other: the client shows what the server is called.
        let (shown_by_client, shown_by_server) = (Identity::of(server.remote), Identity::of(client.remote));
        let mut ended: Vec<Ended> = Vec::new();
        let meeting = self.meetings.open(cx.now(), shown_by_client, shown_by_server, |end| ended.push(end));
        let stage = Stage::Open { waits: None };
        let room = Room { client: pair.client_uid, server: pair.server_uid, addresses, stage };
        self.rooms.insert(meeting, room);
        count(&mut self.stats.rooms_agreed);
        for end in ended {
            count(&mut self.stats.rooms_shed);
            self.room_unmet(end.meeting, cx);
        }
        true
    }

    fn has_too_many_rooms(&self, who: Prefix) -> bool {
        let open = self.rooms.values().filter(|room| room.is_open() && room.is_of(who));
        open.take(self.config.rooms_per_address_max).count() >= self.config.rooms_per_address_max
    }

    /// A room that does not come about. Whoever waits there is told nothing (7.2).
    fn room_unmet(&mut self, meeting: Meeting, cx: &mut Cx<'_>) {
        let Some(room) = self.rooms.remove(&meeting) else { return };
        if let Stage::Open { waits: Some(link) } = room.stage {
            self.close(link, How::Flush, cx);
        }
        cx.emit(Output::Event(Event::RoomClosed { client: room.client, server: room.server, bytes: 0 }));
    }

    /// The one who waited has left, or could not be let in: the room is used up.
    pub(super) fn leave_room(&mut self, meeting: Meeting, cx: &mut Cx<'_>) {
        count(&mut self.stats.rooms_unmet);
        self.meetings.cancel(meeting);
        self.room_unmet(meeting, cx);
    }

    pub(super) fn meetings_due(&mut self, cx: &mut Cx<'_>) {
        while let Some(ended) = self.meetings.pop_due(cx.now()) {
            count(&mut self.stats.rooms_unmet);
            self.room_unmet(ended.meeting, cx);
        }
    }

    /// Bytes of the line that names the other (7.1).
    pub(super) fn line_received(&mut self, id: LinkId, bytes: &[u8], cx: &mut Cx<'_>) {
        let line_max = self.config.line_max;
        let Some(State::Line(line)) = self.links.get_mut(&id).map(|link| &mut link.state) else { return };
        let room = line_max.saturating_sub(line.len());
        let Some(end) = bytes.iter().take(room).position(|byte| *byte == b'\n') else {
            if bytes.len() >= room {
                count(&mut self.stats.lines_too_long);
                return self.answer_line(id, UNKNOWN, cx);
            }
            return line.extend_from_slice(bytes);
        };
        let (front, behind) = bytes.split_at(end);
        line.extend_from_slice(front);
        let named = Identity::new(core::mem::take(line).into());
        let early = behind.get(1..).unwrap_or_default();
        match named.map_or(Arrival::Unknown, |named| self.arrive(id, &named, cx)) {
            Arrival::Waits { meeting, .. } => self.wait(id, meeting, early, cx),
            Arrival::Meets { meeting, .. } => self.meet(id, meeting, early, cx),
            Arrival::Unknown => {
                count(&mut self.stats.lines_unknown);
                self.answer_line(id, UNKNOWN, cx);
            }
        }
    }

    /// Somebody names a peer. Where only the address of its partner counts, nobody else takes the place (T-66).
    fn arrive(&mut self, id: LinkId, named: &Identity, cx: &Cx<'_>) -> Arrival {
        if self.config.room_from_own_address_only
            && let Some((meeting, side)) = self.meetings.find(named)
            && let (Some(room), Some(link)) = (self.rooms.get(&meeting), self.links.get(&id))
            && room.address(side).ip().to_canonical() != link.ip()
        {
            count(&mut self.stats.lines_foreign);
            return Arrival::Unknown;
        }
        self.meetings.arrive(cx.now(), named)
    }

    /// An answer that ends the link.
    pub(super) fn answer_line(&mut self, id: LinkId, answer: &'static [u8], cx: &mut Cx<'_>) {
        cx.emit(Output::Send { link: id, bytes: Bytes::from_static(answer) });
        self.close(id, How::Flush, cx);
    }

    fn wait(&mut self, id: LinkId, meeting: Meeting, early: &[u8], cx: &mut Cx<'_>) {
        if !self.admit(id, cx) {
            return self.leave_room(meeting, cx);
        }
        let Some(link) = self.links.get_mut(&id) else { return };
        link.state = State::Waiting { meeting, early: Vec::new() };
        self.timers.remove(&Timer::Link(id));
        if let Some(room) = self.rooms.get_mut(&meeting) {
            room.stage = Stage::Open { waits: Some(id) };
        }
        self.early_received(id, early, cx);
    }

    /// Bytes before both are there: lost, or kept up to a limit.
    pub(super) fn early_received(&mut self, id: LinkId, bytes: &[u8], cx: &mut Cx<'_>) {
        let early_max = self.config.early_bytes_max;
        let Some(State::Waiting { meeting, early, .. }) = self.links.get_mut(&id).map(|link| &mut link.state)
        else {
            return;
        };
        if early_max == 0 {
            count_by(&mut self.stats.early_bytes_lost, bytes.len());
        } else if early.len().saturating_add(bytes.len()) > early_max {
            count(&mut self.stats.early_excessive);
            let meeting = *meeting;
            self.leave_room(meeting, cx);
        } else {
            early.extend_from_slice(bytes);
        }
    }

    /// Both are there: both are told, and bytes are copied from now on.
    fn meet(&mut self, id: LinkId, meeting: Meeting, early: &[u8], cx: &mut Cx<'_>) {
        if !self.admit(id, cx) {
            count(&mut self.stats.rooms_unmet);
            return self.room_unmet(meeting, cx);
        }
        let Some(room) = self.rooms.get_mut(&meeting) else { return };
        let Stage::Open { waits: Some(other) } = room.stage else { return };
        let (client, server, now) = (room.client, room.server, cx.now());
        let pipe = Pipe::new(self.config.room_window, other, id);
        room.stage = Stage::Copying { pipe, since: now, moved: now };
        self.timers.remove(&Timer::Link(id));
        count(&mut self.stats.rooms_met);
        for link in [other, id] {
            cx.emit(Output::Send { link, bytes: Bytes::from_static(HERE) });
        }
        cx.emit(Output::Event(Event::RoomOpened { client, server }));
        let kept = self.enter(other, meeting);
        self.enter(id, meeting);
        self.room_due(meeting, cx);
        self.copy(meeting, other, kept.into(), cx);
        if self.config.early_bytes_max == 0 {
            count_by(&mut self.stats.early_bytes_lost, early.len());
        } else {
            self.copy(meeting, id, Bytes::copy_from_slice(early), cx);
        }
    }

    /// A link takes part in the copying. What it sent too early.
    fn enter(&mut self, id: LinkId, meeting: Meeting) -> Vec<u8> {
        let Some(link) = self.links.get_mut(&id) else { return Vec::new() };
        match core::mem::replace(&mut link.state, State::Copying(meeting)) {
            State::Waiting { early, .. } => early,
            State::Hall(_) | State::Line(_) | State::Copying(_) | State::Closing => Vec::new(),
        }
    }

    /// 7.3: bytes from one to the other.
    pub(super) fn copy(&mut self, meeting: Meeting, from: LinkId, bytes: Bytes, cx: &mut Cx<'_>) {
        let Some(Stage::Copying { pipe, moved, .. }) =
            self.rooms.get_mut(&meeting).map(|room| &mut room.stage)
        else {
            return;
        };
        let total = pipe.copied().saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        if total > self.config.room_bytes_max {
            count(&mut self.stats.rooms_full);
            return self.close_room(meeting, cx);
        }
        if bytes.is_empty() {
            return;
        }
        let Some(copied) = pipe.copy(from, bytes.len()) else { return };
        *moved = cx.now();
        count_by(&mut self.stats.copied, bytes.len());
        cx.emit(Output::Send { link: copied.to, bytes });
        if copied.pause {
            cx.emit(Output::Pause { link: from });
        }
    }

    pub(super) fn room_written(&mut self, id: LinkId, count: usize, cx: &mut Cx<'_>) {
        let Some(State::Copying(meeting)) = self.links.get(&id).map(|link| &link.state) else { return };
        let room = self.rooms.get_mut(meeting);
        let Some(Stage::Copying { pipe, moved, .. }) = room.map(|room| &mut room.stage) else { return };
        *moved = cx.now();
        if let Some(link) = pipe.written(id, count) {
            cx.emit(Output::Resume { link });
        }
    }

    /// Ends a room in which nothing moves, or which has been open for too long; else looks again when it may have.
    pub(super) fn room_due(&mut self, meeting: Meeting, cx: &mut Cx<'_>) {
        let Some(Stage::Copying { since, moved, .. }) = self.rooms.get(&meeting).map(|room| &room.stage)
        else {
            return;
        };
        let (old, idle) = (*since + self.config.room_lifetime, *moved + self.config.room_idle);
        if old <= cx.now() {
            count(&mut self.stats.rooms_old);
            self.close_room(meeting, cx);
        } else if idle <= cx.now() {
            count(&mut self.stats.rooms_idle);
            self.close_room(meeting, cx);
        } else {
            self.timers.set(Timer::Room(meeting), Some(old.min(idle)));
        }
    }

    /// 7.4: both are told that it is over.
    pub(super) fn close_room(&mut self, meeting: Meeting, cx: &mut Cx<'_>) {
        let Some(room) = self.rooms.remove(&meeting) else { return };
        self.timers.remove(&Timer::Room(meeting));
        let Stage::Copying { pipe, .. } = room.stage else { return };
        for link in pipe.links() {
            cx.emit(Output::Send { link, bytes: Bytes::from_static(END) });
            self.close(link, How::Flush, cx);
        }
        let (client, server) = (room.client, room.server);
        cx.emit(Output::Event(Event::RoomClosed { client, server, bytes: pipe.copied() }));
    }
}
