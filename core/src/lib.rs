//! Sans-IO, `no_std` state machines for peer-to-peer protocols: bring your own event loop.
//!
//! Every protocol here is a [`Machine`]: a plain value that is handed an input, or told that its deadline has passed,
//! and answers with outputs. It owns no socket, thread, clock or entropy. The same machines run on real sockets, in a
//! deterministic simulator, under a fuzzer, and in your loop.
//!
//! # The contract
//!
//! A [`Driver`] holds a machine, its queue of outputs and its generator. Whatever the loop, it goes round like this:
//!
//! 1. **Drain.** After every [`handle`](Driver::handle) and [`handle_timeout`](Driver::handle_timeout), take outputs until
//!    [`poll_output`](Driver::poll_output) is `None`, and do what they say, in order.
//! 2. **Wait** until something happens or [`poll_timeout`](Driver::poll_timeout) is there. Ask again after every call: it
//!    may have moved either way. `None` means that only an input wakes the machine.
//! 3. **Tell.** Hand over what happened, or call `handle_timeout`. Early that does nothing; late it catches up.
//!
//! There is no fourth step: machines do not call back, block, panic on what a peer sends, or work while nobody looks. The
//! [laws](machine#laws) say what else may be relied on, such as the same outputs for the same inputs and seed.
//!
//! # A loop around a blocking socket
//!
//! Networks speak the [link vocabulary](link). Two nodes of the [`mesh`] that meet on this machine, each with one thread,
//! one socket, and all of its loop; `examples/blocking.rs` is the same for many links.
//!
//! ```
//! # use std::{io::{self, ErrorKind, Read, Write}, net::{TcpListener, TcpStream}, time::Duration};
//! # use bytes::Bytes;
//! # use pleach_core::link::{Address, LinkId, ListenerId, Via};
//! # use pleach_core::{At, Driver, Instant, WallTime, broadcast::Scope, identity::Keypair};
//! # use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
//! use pleach_core::mesh::node::{Input, Output};
//! use pleach_core::mesh::{Command, Config, Event, Node, Snapshot};
//!
//! /// With a listener it says hello to its neighbour until that goes; without, it returns what it hears.
//! fn run(mut node: Driver<Node, ChaCha8Rng>, listener: Option<TcpListener>) -> io::Result<Bytes> {
//!     let start = std::time::Instant::now();
//!     let at = || At { now: Instant::ORIGIN + start.elapsed(), wall: WallTime::from_unix_ms(1_800_000_000_000) };
//!     let (mut socket, mut buffer) = (None, [0; 4096]);
//!     node.handle(at(), Input::Command(Command::Subscribe { token: 0, topic: "hedge".into() }));
//!     loop {
//!         // 1. Drain.
//!         while let Some(output) = node.poll_output() {
//!             match output {
//!                 Output::Listen { listener, address } => {
//!                     node.handle(at(), Input::Listening { listener, local: address });
//!                 }
//!                 Output::Dial { link, address: Address::Socket(remote), .. } => {
//!                     let stream = TcpStream::connect(remote)?;
//!                     node.handle(at(), opened(link, Via::Dialled, &stream)?);
//!                     socket = Some((link, stream));
//!                 }
//!                 Output::Send { link, bytes } => {
//!                     socket.as_ref().map_or(Ok(()), |(_, stream)| (&*stream).write_all(&bytes))?;
//!                     node.handle(at(), Input::Written { link, count: bytes.len() });
//!                 }
//!                 Output::Event(Event::NeighborUp { topic, .. }) if listener.is_some() => {
//!                     let (payload, scope) = ("hello".into(), Scope::Swarm);
//!                     node.handle(at(), Input::Command(Command::Publish { token: 1, topic, payload, scope }));
//!                 }
//!                 Output::Event(Event::Message { payload, .. }) => return Ok(payload),
//!                 _ => {}
//!             }
//!         }
//!         // 2. Wait, no longer than until the deadline. 3. Tell.
//!         if let Some((link, stream)) = &mut socket {
//!             let wait = node.poll_timeout().map(|due| due.since(at().now).max(Duration::from_millis(1)));
//!             stream.set_read_timeout(wait)?;
//!             match stream.read(&mut buffer) {
//!                 Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
//!                 Ok(count) => {
//!                     let bytes = Bytes::copy_from_slice(&buffer[..count]);
//!                     node.handle(at(), Input::Received { link: *link, bytes });
//!                 }
//!                 Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
//!                 Err(error) => return Err(error),
//!             }
//!         } else if let Some(listener) = &listener {
//!             let (stream, _) = listener.accept()?;
//!             let link = LinkId(LinkId::ACCEPTED);
//!             node.handle(at(), opened(link, Via::Accepted { listener: ListenerId(0) }, &stream)?);
//!             socket = Some((link, stream));
//!         }
//!         node.handle_timeout(at());
//!     }
//! }
//! # fn opened(link: LinkId, via: Via, stream: &TcpStream) -> io::Result<Input> {
//! #     let (local, remote) = (Address::Socket(stream.local_addr()?), Address::Socket(stream.peer_addr()?));
//! #     Ok(Input::Opened { link, via, local, remote })
//! # }
//! # fn node(seed: u8, config: Config) -> Driver<Node, ChaCha8Rng> {
//! #     let (key, mut rng) = (Keypair::from_seed(&[seed; 32]), ChaCha8Rng::from_seed([seed; 32]));
//! #     Driver::new(Node::new(config, key, &Snapshot::default(), At::default(), &mut rng).unwrap(), rng)
//! # }
//!
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let there = Address::Socket(listener.local_addr()?);
//! let one = node(1, Config { listen: vec![there.clone()], ..Config::native() });
//! let two = node(2, Config { bootstrap: vec![(there, None)], ..Config::native() });
//! std::thread::spawn(|| run(one, Some(listener)));
//! assert_eq!(run(two, None)?, "hello");
//! # Ok::<(), io::Error>(())
//! ```
//!
//! # Limits, errors, persistence
//!
//! - **Limits.** Whatever a peer could make grow has a limit, a public field of a `Config` with its default and unit, and
//!   `Stats` count what was shed for it. A call allocates and answers within bounds that the module documents (L2, L6).
//! - **Errors.** What a peer sends is never an `Err`: it becomes an output, an event, a counter, and where a rule was broken
//!   on purpose a ban. `Err` tells the embedder of a misuse, and changes nothing. What fails in the outer world comes in
//!   as an input, such as `Closed` with its cause.
//! - **Persistence.** A machine opens no file. What must outlive it leaves as a record under a key
//!   ([`link::Question::Store`]); the application keeps it or not, and hands all of them back at the next start
//!   ([`mesh::Snapshot`]). The key pair is the application's to keep ([`identity::Keypair::to_protobuf`]).
//!
//! # Where things are
//!
//! Three floors; imports go down only, and machines of one floor never hold a reference to one another: their parent
//! routes.
//!
//! - **Networks**: [`mesh`], our own and Solcial's: its wire, its rules, and the node composed from the floor below;
//!   [`bob`], files between two who share a password, through a relay.
//! - **Capabilities**, one concept each and generic over who the peers are: [`channel`] (secured, multiplexed links as
//!   libp2p has them), [`session`] and [`admission`] (the life of a link, and who may be linked), [`peers`] (addresses,
//!   bans, dials), [`queue`], [`relay`] (a place to meet, and copying between two links), [`overlay`] (HyParView),
//!   [`broadcast`] (Plumtree), [`heads`].
//! - **Foundation**: [`machine`], [`link`], [`time`], [`deadline`], [`rng`], [`bounded`], [`stats`], [`ip`], then
//!   [`identity`] and [`wire`].
//!
//! No feature is on by default. `std` adds conversions from the clocks of std, `tracing` events, `arbitrary` inputs for
//! fuzzers; none changes what a machine does.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

// Floor 1: foundation.
pub mod bounded;
pub mod deadline;
pub mod identity;
pub mod ip;
pub mod link;
pub mod machine;
pub mod rng;
pub mod stats;
pub mod time;
mod trace;
pub mod wire;

// Floor 2: capabilities.
pub mod admission;
pub mod broadcast;
pub mod channel;
pub mod heads;
pub mod overlay;
pub mod peers;
pub mod queue;
pub mod relay;
pub mod session;

// Floor 3: networks.
pub mod bob;
pub mod mesh;

pub use machine::{At, Context, Driver, Machine, Sink};
pub use time::{Instant, WallTime};
