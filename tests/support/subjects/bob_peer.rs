//! What surrounds a peer of Bob: two links to a relay, which answers in time or not, and hostile noise on both. Some of
//! it is of use to the subject that is a relay.

use std::collections::{BTreeSet, VecDeque};
use std::fmt::Debug;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use pleach_core::bob::Identity;
use pleach_core::bob::packet::{Body, Decoder, PUBLIC_LEN, Packet, RelayFailure, SpokeFailure, Uid};
use pleach_core::bob::peer::RelayAccess;
use pleach_core::link::{
    Address, Answer, Cause, Input, LinkId, ListenerId, MessageKind, Output, QueryId, Via,
};
use pleach_core::{At, Context, Instant, Machine, WallTime};
use rand_chacha::ChaCha8Rng;

use crate::choices::Choices;

/// The links of a peer, in the order in which it dials.
pub(super) const HALL: LinkId = LinkId(0);
pub(super) const ROOM: LinkId = LinkId(1);
/// Bytes of packets that may wait.
pub(super) const ANSWERS_MAX: usize = 300;
/// The longest input.
pub(super) const INPUT_MAX: usize = 600;
/// When runs start.
pub(super) const START: At =
    At { now: Instant::from_micros(3_600_000_000), wall: WallTime::from_unix_ms(1_800_000_000_000) };

pub(super) fn any() -> Address {
    Address::Socket(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 9000))
}

/// A relay whose peers are patient in most runs, or few would come far between two time-outs.
pub(super) fn relay(choices: &mut Choices<'_>) -> RelayAccess {
    let patience = choices.pick(&[10, 1 << 30, 1 << 30, 1 << 30]).map_or(Duration::MAX, Duration::from_secs);
    let mut relay = RelayAccess::new(any(), any());
    relay.dial_timeout = patience;
    relay.answer_timeout = patience;
    relay.wait_timeout = Some(patience).filter(|_| choices.once_in(8));
    relay.stall_timeout = patience;
    relay.leave_timeout = patience;
    relay.answers_max = ANSWERS_MAX;
    relay
}

pub(super) fn name(number: u8) -> Identity {
    Identity::of(SocketAddr::new(Ipv4Addr::new(9, 9, 9, number).into(), 4000))
}

/// Both links, and what will come over them.
#[derive(Debug)]
pub(super) struct Lines<C> {
    pub(super) coming: VecDeque<Input<C>>,
    standing: BTreeSet<LinkId>,
    paused: BTreeSet<LinkId>,
    unwritten: VecDeque<(LinkId, usize)>,
    sends: usize,
    decoder: Decoder,
    /// Whether the line to the room was seen.
    is_named: bool,
}

/// What the peer said.
pub(super) enum Said {
    Packet(Packet),
    /// It asks for its room.
    Line,
    /// Records, or a last word.
    InRoom,
}

/// [`variants!`](crate::variants) of the outputs of a peer with these events: what it adds to those that both peers have.
macro_rules! peer_outputs {
    ($event:ident: $($pattern:pat => $text:literal),+ $(,)?) => {
        $crate::variants! { OUTPUTS, output_name(Output<$event>):
            pleach_core::link::Output::Dial { .. } | pleach_core::link::Output::Listen { .. } | pleach_core::link::Output::Unlisten { .. } => "Dial",
            pleach_core::link::Output::Send { .. } | pleach_core::link::Output::Message { .. } | pleach_core::link::Output::Datagram { .. } | pleach_core::link::Output::Query { .. } => "Send",
            pleach_core::link::Output::Close { how: pleach_core::link::How::Flush, .. } | pleach_core::link::Output::Finish { .. } => "Close Flush",
            pleach_core::link::Output::Close { how: pleach_core::link::How::Abort, .. } => "Close Abort",
            pleach_core::link::Output::Pause { .. } => "Pause",
            pleach_core::link::Output::Resume { .. } => "Resume",
            pleach_core::link::Output::Event($event::Stage(_)) => "Stage",
            pleach_core::link::Output::Event($event::Known { .. }) => "Known",
            pleach_core::link::Output::Event($event::Ended(Err(pleach_core::bob::peer::Failure::Relay(_)))) => "Ended, no relay",
            pleach_core::link::Output::Event($event::Ended(Err(pleach_core::bob::peer::Failure::Room(_)))) => "Ended, no room",
            pleach_core::link::Output::Event($event::Ended(Err(pleach_core::bob::peer::Failure::RelayClosed))) => "Ended, relay closed",
            pleach_core::link::Output::Event($event::Ended(Err(pleach_core::bob::peer::Failure::TimedOut))) => "Ended, timed out",
            pleach_core::link::Output::Event($event::Ended(Err(pleach_core::bob::peer::Failure::Malformed(_)))) => "Ended, malformed",
            pleach_core::link::Output::Event($event::Ended(Err(pleach_core::bob::peer::Failure::RelayProtocol))) => "Ended, relay protocol",
            pleach_core::link::Output::Event($event::Ended(Err(pleach_core::bob::peer::Failure::RoomTimedOut | pleach_core::bob::peer::Failure::RoomUnknown))) => "Ended, room",
            pleach_core::link::Output::Event($event::Ended(Err(pleach_core::bob::peer::Failure::Interrupted))) => "Ended, interrupted",
            pleach_core::link::Output::Event($event::Ended(Err(pleach_core::bob::peer::Failure::Stalled))) => "Ended, stalled",
            pleach_core::link::Output::Event($event::Ended(Err(pleach_core::bob::peer::Failure::Corrupted))) => "Ended, corrupted",
            pleach_core::link::Output::Event($event::Ended(Err(pleach_core::bob::peer::Failure::PartnerGaveUp))) => "Ended, given up",
            $($pattern => $text),+
        }
    };
}
pub(super) use peer_outputs;

impl<C: Debug> Lines<C> {
    pub(super) const fn new() -> Self {
        Self {
            coming: VecDeque::new(),
            standing: BTreeSet::new(),
            paused: BTreeSet::new(),
            unwritten: VecDeque::new(),
            sends: 0,
            decoder: Decoder::new(),
            is_named: false,
        }
    }

    /// Takes note of what the machine did with its links; what it said over them.
    pub(super) fn observe<E>(&mut self, output: &Output<E>) -> Vec<Said> {
        match output {
            Output::Dial { link, .. } => {
                self.standing.insert(*link);
                let opened = Input::Opened { link: *link, via: Via::Dialled, local: any(), remote: any() };
                self.coming.push_back(opened);
            }
            Output::Send { link, bytes } => {
                // Every third piece is reported late, if at all.
                self.sends += 1;
                if self.sends.is_multiple_of(3) {
                    self.unwritten.push_back((*link, bytes.len()));
                } else {
                    self.coming.push_back(Input::Written { link: *link, count: bytes.len() });
                }
                return self.hear(*link, bytes.clone());
            }
            Output::Close { link, .. } => {
                if self.standing.remove(link) {
                    self.coming.push_back(Input::Closed { link: *link, cause: Cause::Finished });
                }
            }
            Output::Pause { link } => drop(self.paused.insert(*link)),
            Output::Resume { link } => drop(self.paused.remove(link)),
            Output::Event(_)
            | Output::Listen { .. }
            | Output::Unlisten { .. }
            | Output::Message { .. }
            | Output::Finish { .. }
            | Output::Datagram { .. }
            | Output::Query { .. } => {}
        }
        Vec::new()
    }

    fn hear(&mut self, link: LinkId, mut bytes: Bytes) -> Vec<Said> {
        if link == ROOM {
            let is_line = !std::mem::replace(&mut self.is_named, true);
            return vec![if is_line { Said::Line } else { Said::InRoom }];
        }
        let mut said = Vec::new();
        while let Ok(Some(packet)) = self.decoder.next(&mut bytes) {
            said.push(Said::Packet(packet));
        }
        said
    }

    /// The relay passes a packet on.
    pub(super) fn tell(&mut self, from: Uid, body: Body) {
        self.bytes(HALL, encode(from, body));
    }

    pub(super) fn bytes(&mut self, link: LinkId, bytes: Bytes) {
        if !bytes.is_empty() {
            self.coming.push_back(Input::Received { link, bytes });
        }
    }

    /// Hands `machine` what comes next, or tells it that time has passed; what it wants.
    pub(super) fn turn<M, E>(
        &mut self,
        machine: &mut M,
        now: Instant,
        rng: &mut ChaCha8Rng,
        choices: &mut Choices<'_>,
    ) -> Vec<Output<E>>
    where
        M: Machine<Input = Input<C>, Output = Output<E>>,
    {
        let mut outputs = Vec::new();
        let cx = &mut Context::new(At { now, ..START }, rng, &mut outputs);
        match self.next(choices) {
            Some(input) => machine.handle(input, cx),
            None => machine.handle_timeout(cx),
        }
        outputs
    }

    /// What was to come, cut anywhere; nothing over a link that is not read.
    pub(super) fn next(&mut self, choices: &mut Choices<'_>) -> Option<Input<C>> {
        let is_read =
            |input: &Input<C>| !matches!(input, Input::Received { link, .. } if self.paused.contains(link));
        let at = self.coming.iter().position(is_read)?;
        let mut input = self.coming.remove(at)?;
        if let Input::Received { link, bytes } = &mut input {
            if !self.standing.contains(link) {
                return Some(Input::AddressesChanged);
            }
            let most = if choices.once_in(4) { choices.below(bytes.len()).max(1) } else { INPUT_MAX };
            if bytes.len() > most {
                let rest = bytes.split_off(most);
                self.coming.insert(at, Input::Received { link: *link, bytes: rest });
            }
        }
        Some(input)
    }

    /// What a hostile relay, a broken driver or another network might say.
    pub(super) fn oddity(&mut self, choices: &mut Choices<'_>) -> Input<C> {
        let link = choices.pick(&[HALL, HALL, ROOM, LinkId(7)]).unwrap_or(HALL);
        let listener = ListenerId(0);
        match choices.byte() % 32 {
            0..10 if !self.paused.contains(&link) => {
                let bytes = if link == ROOM { choices.content(100) } else { packet(choices) };
                let bytes = if bytes.is_empty() { Bytes::from_static(b"0") } else { bytes };
                Input::Received { link, bytes }
            }
            0..16 => match self.unwritten.pop_front() {
                Some((link, count)) => Input::Written { link, count },
                None => Input::Written { link, count: choices.below(500) },
            },
            16 => Input::Message { link, kind: MessageKind::Binary, bytes: choices.content(40) },
            17 => {
                let from = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 1);
                Input::Datagram { socket: listener, from, bytes: choices.content(40) }
            }
            18 => Input::Answer { query: QueryId(choices.edgy(3)), answer: Answer::Failed(Cause::Other) },
            19 => Input::ListenFailed { listener, cause: Cause::AddressInUse },
            20 => Input::Listening { listener, local: any() },
            21 => Input::Opened { link, via: Via::Dialled, local: any(), remote: any() },
            22 if choices.once_in(2) => {
                self.standing.remove(&link);
                Input::Closed {
                    link,
                    cause: choices.pick(&[Cause::Finished, Cause::Reset]).unwrap_or(Cause::Other),
                }
            }
            23 if choices.once_in(2) => Input::Finished { link },
            _ => Input::AddressesChanged,
        }
    }
}

pub(super) fn encode(to: Uid, body: Body) -> Bytes {
    let mut bytes = BytesMut::new();
    // An identity that is too long leaves nothing to send.
    let _ = Packet { uid: to, body }.encode(&mut bytes);
    bytes.freeze()
}

/// Any packet, of anybody.
fn packet(choices: &mut Choices<'_>) -> Bytes {
    let number = choices.byte() % 6;
    let uid = if choices.once_in(3) { Uid::RELAY } else { Uid(number.into()) };
    let (fill, identity) = (choices.byte(), name(number));
    let body = match choices.byte() % 20 {
        0 => Body::HelloAsServer { public: [fill; PUBLIC_LEN] },
        1 => Body::HelloAsClient,
        2 => Body::ServerIdentity { identity },
        3 => Body::ClientIdentity { identity },
        4 | 5 => Body::NewServer { server: Uid(number.into()), public: public(fill), identity },
        6 | 7 => Body::ClientShare { share: [fill; 32], identity },
        8 => Body::ServerShare { share: [fill; 32], validator: [fill; 64] },
        9 => Body::ClientValidator { validator: [fill; 64] },
        10 => Body::Agreement,
        11 if choices.once_in(4) => Body::Closed { peer: Uid::RELAY },
        11 | 12 => Body::Closed { peer: Uid(number.into()) },
        13 => Body::Accepted,
        14 => Body::Refused,
        15 => Body::RelayFailure(RelayFailure::NoHandshake(uid)),
        16 | 17 => Body::SpokeFailure(SpokeFailure::InvalidClientValidator),
        18 => Body::Done,
        _ if choices.once_in(4) => Body::Timeout,
        _ => return choices.content(80),
    };
    encode(uid, body)
}

/// Parameters that cost little or much, or are none.
const fn public(fill: u8) -> [u8; PUBLIC_LEN] {
    let mut public = [fill; PUBLIC_LEN];
    let (head, _) = public.split_at_mut(18);
    head.copy_from_slice(&[0, 1, 0, 2, 0, 0, 0, 0, 0, 0, fill / 64, fill, 0, 0, 0, 2, 0, 4]);
    public
}
