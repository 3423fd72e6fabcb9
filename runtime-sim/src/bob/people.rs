//! Honest people: a peer's machine, and what its user would do.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use pleach_core::bob::pack::Name;
use pleach_core::bob::packet::Uid;
use pleach_core::bob::{Client, Password, Server, client, peer, server};
use pleach_core::link;
use pleach_core::{Context, Instant, Machine};

use super::actor::{Input, Order, Output, Report};
use super::plan::{Pair, Part, Person};
use super::{HANDSHAKE, ROOM};
use crate::net::adapt::{lift, lower};
use crate::scenario::BobRelay;

/// What a slow receiver has at most before it must take some.
const SLOW_UNTAKEN: usize = 16 << 10;
/// Beyond what is waited for: some turns of the longest link.
const TURNS: u32 = 40;

/// How a peer of this scenario reaches the relay.
const fn relay(scenario: &BobRelay) -> peer::RelayAccess {
    let mut relay = peer::RelayAccess::new(link::Address::Socket(HANDSHAKE), link::Address::Socket(ROOM));
    relay.wait_timeout = Some(scenario.wait());
    relay
}

/// How long people wait for an answer.
pub(super) fn answer_timeout(scenario: &BobRelay) -> Duration {
    relay(scenario).answer_timeout
}

/// After how long a person must have ended, whatever happens: each step's deadline once, and the transfer at the pace of
/// its receiver.
pub(super) fn patience(scenario: &BobRelay, part: Part, size: usize) -> Duration {
    let relay = relay(scenario);
    let turns = scenario.latency_max() * TURNS;
    // The pace is the receiver's; its sender waits as long.
    let pause = match part {
        Part::Receives { pause, .. } => pause.unwrap_or_default(),
        Part::Sends => Duration::from_secs(1),
    };
    let pieces = u32::try_from(size / SLOW_UNTAKEN).unwrap_or(u32::MAX).saturating_add(2);
    let transfer = (pause + scenario.latency_max() * 4).saturating_mul(pieces);
    let end = server::Config::new(relay.clone(), Password::new(Vec::new()), name("x"), 0).end_timeout;
    (relay.dial_timeout + relay.answer_timeout) * 2
        + scenario.wait()
        + transfer
        + relay.stall_timeout
        + end
        + relay.leave_timeout * 2
        + turns
}

#[allow(clippy::expect_used)] // The plan makes names of hexadecimal digits.
fn name(name: &str) -> Name {
    Name::try_from(name.as_bytes()).expect("the name is legal")
}

/// Somebody who sends a file.
#[derive(Debug)]
pub(super) struct Sender {
    server: Server,
    content: Bytes,
}

impl Sender {
    /// With the file of its pair.
    #[must_use]
    #[allow(clippy::expect_used)] // The configuration is the preset.
    pub(super) fn new(scenario: &BobRelay, pair: &Pair) -> Self {
        let password = Password::new(pair.password.clone());
        let size = pair.content.len() as u64;
        let mut config = server::Config::new(relay(scenario), password, name(&pair.name), size);
        config.compression = pair.compression;
        let server = Server::new(config).expect("the preset is valid");
        Self { server, content: pair.content.clone() }
    }

    /// Runs the machine, and gives it what it asks for.
    fn run(&mut self, cx: &mut Context<'_, Output>, act: impl FnOnce(&mut Server, &mut ServerContext<'_>)) {
        let mut outputs = Vec::new();
        cx.capture(&mut outputs, |cx| act(&mut self.server, cx));
        let mut outputs = VecDeque::from(outputs);
        while let Some(output) = outputs.pop_front() {
            if let link::Output::Event(server::Event::Wanted { bytes }) = output {
                let content = self.content.split_to(bytes.min(self.content.len()));
                let command = link::Input::Command(server::Command::Content { bytes: content });
                let mut more = Vec::new();
                cx.capture(&mut more, |cx| self.server.handle(command, cx));
                outputs.extend(more);
            }
            cx.emit(lift(output, Report::Sender));
        }
    }
}

type ServerContext<'a> = Context<'a, link::Output<server::Event>>;

impl Machine for Sender {
    type Input = Input;
    type Output = Output;

    fn handle(&mut self, input: Input, cx: &mut Context<'_, Output>) {
        if let Some(input) = lower(input, |Order::Cancel| Some(server::Command::Cancel)) {
            self.run(cx, |server, cx| server.handle(input, cx));
        }
    }

    fn handle_timeout(&mut self, cx: &mut Context<'_, Output>) {
        self.run(cx, |server, cx| server.handle_timeout(cx));
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.server.poll_timeout()
    }
}

/// Somebody who receives a file.
#[derive(Debug)]
pub(super) struct Receiver {
    client: Client,
    /// Offers that are still refused.
    refuses: u32,
    thinks: Duration,
    pause: Option<Duration>,
    /// Offers, and when they are answered; in that order.
    offers: VecDeque<(Instant, Uid)>,
    /// What has come and was not taken, and when it will be.
    untaken: usize,
    takes: Option<Instant>,
    name: Vec<u8>,
    content: BytesMut,
}

impl Receiver {
    /// Somebody with that part in its pair.
    #[must_use]
    pub(super) fn new(scenario: &BobRelay, pair: &Pair, person: &Person) -> Self {
        let (right, refuses, thinks, pause) = match person.part {
            Part::Receives { right, refuses, thinks, pause } => (right, refuses, thinks, pause),
            Part::Sends => (true, 0, Duration::ZERO, None),
        };
        let mut password = pair.password.clone();
        if !right {
            password.pop();
        }
        let mut config = client::Config::new(relay(scenario), Password::new(password));
        if pause.is_some() {
            config.untaken_max = SLOW_UNTAKEN;
        }
        Self {
            client: Client::new(config),
            refuses,
            thinks,
            pause,
            offers: VecDeque::new(),
            untaken: 0,
            takes: None,
            name: Vec::new(),
            content: BytesMut::new(),
        }
    }

    fn run(&mut self, cx: &mut Context<'_, Output>, act: impl FnOnce(&mut Client, &mut ClientContext<'_>)) {
        let mut outputs = Vec::new();
        cx.capture(&mut outputs, |cx| act(&mut self.client, cx));
        let mut outputs = VecDeque::from(outputs);
        while let Some(output) = outputs.pop_front() {
            if let link::Output::Event(event) = &output
                && let Some(command) = self.react(event, cx.now())
            {
                let mut more = Vec::new();
                cx.capture(&mut more, |cx| self.client.handle(link::Input::Command(command), cx));
                outputs.extend(more);
            }
            let kept = matches!(output, link::Output::Event(client::Event::Ended(Ok(()))));
            cx.emit(lift(output, Report::Receiver));
            if kept {
                let (name, content) = (self.name.clone(), self.content.split().freeze());
                cx.emit(Output::Event(Report::Kept { name, content }));
            }
        }
    }

    /// What the person does at once.
    fn react(&mut self, event: &client::Event, now: Instant) -> Option<client::Command> {
        match event {
            client::Event::Offered { server, .. } => self.offers.push_back((now + self.thinks, *server)),
            client::Event::Withdrawn { server } => self.offers.retain(|(_, offered)| offered != server),
            client::Event::File { name, .. } => self.name = name.as_bytes().to_vec(),
            client::Event::Content { bytes } => {
                self.content.extend_from_slice(bytes);
                let Some(pause) = self.pause else {
                    return Some(client::Command::Taken { bytes: bytes.len() });
                };
                self.untaken += bytes.len();
                self.takes.get_or_insert(now + pause);
            }
            client::Event::Complete { .. } => return Some(client::Command::Kept),
            client::Event::Stage(_)
            | client::Event::Known { .. }
            | client::Event::Servers { .. }
            | client::Event::Ended(_) => {}
        }
        None
    }

    /// What the person does after a while.
    fn due(&mut self, now: Instant) -> Option<client::Command> {
        if let Some((_, server)) = self.offers.front().copied().filter(|(at, _)| *at <= now) {
            self.offers.pop_front();
            let refuse = self.refuses > 0;
            self.refuses = self.refuses.saturating_sub(1);
            return Some(if refuse {
                client::Command::Refuse { server }
            } else {
                client::Command::Accept { server }
            });
        }
        self.takes.take_if(|at| *at <= now)?;
        Some(client::Command::Taken { bytes: std::mem::take(&mut self.untaken) })
    }

    fn next(&self) -> Option<Instant> {
        let offer = self.offers.front().map(|(at, _)| *at);
        offer.into_iter().chain(self.takes).min()
    }
}

type ClientContext<'a> = Context<'a, link::Output<client::Event>>;

impl Machine for Receiver {
    type Input = Input;
    type Output = Output;

    fn handle(&mut self, input: Input, cx: &mut Context<'_, Output>) {
        if let Some(input) = lower(input, |Order::Cancel| Some(client::Command::Cancel)) {
            self.run(cx, |client, cx| client.handle(input, cx));
        }
    }

    fn handle_timeout(&mut self, cx: &mut Context<'_, Output>) {
        while let Some(command) = self.due(cx.now()) {
            if matches!(command, client::Command::Refuse { .. }) {
                cx.emit(Output::Event(Report::Refused));
            }
            self.run(cx, |client, cx| client.handle(link::Input::Command(command), cx));
        }
        self.run(cx, |client, cx| client.handle_timeout(cx));
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.client.poll_timeout().into_iter().chain(self.next()).min()
    }
}
