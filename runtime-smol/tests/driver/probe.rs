//! A machine without a will of its own: it does what the test commands, and reports all it hears.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use pleach_core::link::{
    Address, Answer, Cause, From, How, Input, LinkId, ListenerId, Output, QueryId, Question, Role, Via,
};
use pleach_core::{Context, Instant, Machine};
use pleach_smol::store::{MemoryStore, Store};
use pleach_smol::{Handle, Options, Runtime};
use socket2::{Domain, Socket, Type};

/// What the probe is told: an output to emit, or how to behave.
#[derive(Debug)]
pub(crate) enum Order {
    Emit(Output<Heard, u8>),
    /// Send back what comes.
    Echo(bool),
    /// Report once so much time has passed.
    Alarm(Duration),
    /// Emit this once a link has closed.
    WhenClosed(Output<Heard, u8>),
}

/// What the probe heard.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Heard {
    Listening(SocketAddr),
    ListenFailed(Cause),
    Opened {
        link: LinkId,
        accepted: bool,
        local: SocketAddr,
        remote: SocketAddr,
    },
    Received(LinkId, Bytes),
    Written(LinkId, usize),
    Finished(LinkId),
    Closed(LinkId, Cause),
    Answer(QueryId, Answer<u8>),
    /// With the time by which the alarm was early.
    Alarm(Duration),
    Other,
}

#[derive(Debug, Default)]
pub(crate) struct Probe {
    echo: bool,
    alarm: Option<Instant>,
    when_closed: Option<Output<Heard, u8>>,
}

impl Machine for Probe {
    type Input = Input<Order, u8>;
    type Output = Output<Heard, u8>;

    fn handle(&mut self, input: Self::Input, cx: &mut Context<'_, Self::Output>) {
        let heard = match input {
            Input::Command(Order::Emit(output)) => return cx.emit(output),
            Input::Command(Order::Echo(echo)) => {
                self.echo = echo;
                return;
            }
            Input::Command(Order::Alarm(after)) => {
                self.alarm = Some(cx.now() + after);
                return;
            }
            Input::Command(Order::WhenClosed(output)) => {
                self.when_closed = Some(output);
                return;
            }
            Input::Received { link, bytes } => {
                if self.echo {
                    cx.emit(Output::Send { link, bytes: bytes.clone() });
                }
                Heard::Received(link, bytes)
            }
            Input::Listening { local, .. } => Heard::Listening(socket(&local)),
            Input::ListenFailed { cause, .. } => Heard::ListenFailed(cause),
            Input::Opened { link, via, local, remote } => Heard::Opened {
                link,
                accepted: via != Via::Dialled,
                local: socket(&local),
                remote: socket(&remote),
            },
            Input::Written { link, count } => Heard::Written(link, count),
            Input::Finished { link } => Heard::Finished(link),
            Input::Closed { link, cause } => {
                if let Some(output) = self.when_closed.take() {
                    cx.emit(output);
                }
                Heard::Closed(link, cause)
            }
            Input::Answer { query, answer } => Heard::Answer(query, answer),
            Input::Message { .. } | Input::Datagram { .. } | Input::AddressesChanged => Heard::Other,
        };
        cx.emit(Output::Event(heard));
    }

    fn handle_timeout(&mut self, cx: &mut Context<'_, Self::Output>) {
        if let Some(alarm) = self.alarm.filter(|alarm| *alarm <= cx.now()) {
            self.alarm = None;
            cx.emit(Output::Event(Heard::Alarm(alarm.since(cx.now()))));
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.alarm
    }
}

pub(crate) fn socket(address: &Address) -> SocketAddr {
    let Address::Socket(address) = address else { panic!("not a socket address: {address}") };
    *address
}

/// A running probe and the verbs of its tests.
pub(crate) struct Node {
    pub handle: Handle<Probe>,
    pub task: smol::Task<()>,
    next: u64,
}

impl Node {
    pub(crate) fn start() -> Self {
        Self::with(Options::default(), Arc::new(MemoryStore::new()))
    }

    pub(crate) fn with(options: Options, store: Arc<dyn Store>) -> Self {
        let (handle, runtime) = Runtime::new(Probe::default(), store, options).unwrap();
        Self { handle, task: smol::spawn(runtime.run()), next: 0 }
    }

    pub(crate) async fn order(&self, order: Order) {
        self.handle.command(order).await.unwrap();
    }

    pub(crate) async fn emit(&self, output: Output<Heard, u8>) {
        self.order(Order::Emit(output)).await;
    }

    /// Listens on loopback and says where.
    pub(crate) async fn listen(&self) -> SocketAddr {
        self.listen_at(loopback()).await
    }

    pub(crate) async fn listen_at(&self, address: Address) -> SocketAddr {
        self.emit(Output::Listen { listener: ListenerId(1), address }).await;
        let Heard::Listening(local) = self.event().await else { panic!("not listening") };
        local
    }

    pub(crate) async fn dial(&mut self, address: Address, from: From) -> LinkId {
        self.next += 1;
        let link = LinkId(self.next);
        self.emit(Output::Dial { link, address, from, role: Role::Dialler }).await;
        link
    }

    /// Dials, and waits for the link.
    pub(crate) async fn connect(&mut self, to: SocketAddr) -> LinkId {
        let link = self.dial(Address::Socket(to), From::Anywhere).await;
        let Heard::Opened { link: opened, remote, accepted: false, .. } = self.event().await else {
            panic!("not connected")
        };
        assert_eq!((opened, remote), (link, to));
        link
    }

    /// Waits for an incoming link.
    pub(crate) async fn accepted(&self) -> LinkId {
        let Heard::Opened { link, accepted: true, .. } = self.event().await else { panic!("nobody came") };
        assert!(link.0 >= LinkId::ACCEPTED);
        link
    }

    pub(crate) async fn send(&self, link: LinkId, bytes: impl Into<Bytes>) {
        self.emit(Output::Send { link, bytes: bytes.into() }).await;
    }

    pub(crate) async fn close(&self, link: LinkId, how: How) {
        self.emit(Output::Close { link, how }).await;
    }

    pub(crate) async fn ask(&self, query: u64, question: Question<u8>) {
        self.emit(Output::Query { query: QueryId(query), question }).await;
    }

    /// The next event; reports of writing are left out.
    pub(crate) async fn event(&self) -> Heard {
        loop {
            let event = watch(self.handle.event()).await.expect("the runtime has stopped");
            if !matches!(event, Heard::Written(..)) {
                return event;
            }
        }
    }

    /// Everything that comes on `link` until `length` bytes are there.
    pub(crate) async fn receive(&self, link: LinkId, length: usize) -> Vec<u8> {
        let mut received = Vec::new();
        while received.len() < length {
            match self.event().await {
                Heard::Received(from, bytes) if from == link => received.extend_from_slice(&bytes),
                other => panic!("{other:?} after {} of {length} bytes", received.len()),
            }
        }
        received
    }
}

pub(crate) fn loopback() -> Address {
    Address::Socket((Ipv4Addr::LOCALHOST, 0).into())
}

/// Ends a test that would hang for ever.
pub(crate) async fn watch<T>(future: impl Future<Output = T>) -> T {
    smol::future::or(future, async {
        async_io::Timer::after(Duration::from_secs(30)).await;
        panic!("nothing happened for 30 s")
    })
    .await
}

/// An address at which dials are refused, for as long as the socket is kept: nobody else can have its port.
pub(crate) fn unserved() -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address)
}
