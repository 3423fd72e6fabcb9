//! A chat over the mesh, with nothing but the standard library around the node: one loop that looks at every socket.
//!
//! ```sh
//! cargo run -p pleach-core --example blocking -- 127.0.0.1:4001
//! cargo run -p pleach-core --example blocking -- 127.0.0.1:4002 --peer 127.0.0.1:4001
//! ```
//!
//! Lines typed into one appear in the other; start as many as you like. The end of the input ends the node.
#![allow(
    clippy::print_stdout,
    clippy::wildcard_enum_match_arm,
    reason = "an example talks, and shows what it needs only"
)]

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use pleach_core::broadcast::Scope;
use pleach_core::identity::Keypair;
use pleach_core::link::{Address, Cause, How, LinkId, ListenerId, Via};
use pleach_core::mesh::node::{Input, Output};
use pleach_core::mesh::{Command, Config, Event, Node, Snapshot};
use pleach_core::{At, Driver, WallTime};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

#[derive(Default)]
struct Sockets {
    listener: Option<(ListenerId, TcpListener)>,
    links: BTreeMap<LinkId, Link>,
    accepted: u64,
    /// What the node is to be told.
    inputs: Vec<Input>,
}

struct Link {
    stream: TcpStream,
    unsent: Vec<u8>,
    paused: bool,
    /// To be closed once everything is sent.
    closing: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--peer");
    let listen: SocketAddr = arguments.next().ok_or("usage: blocking LISTEN [--peer ADDRESS]")?.parse()?;
    let peer: Option<SocketAddr> = arguments.next().map(|peer| peer.parse()).transpose()?;
    let bootstrap = peer.map(|peer| (Address::Socket(peer), None)).into_iter().collect();
    let config = Config { listen: vec![Address::Socket(listen)], bootstrap, ..Config::native() };
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)?;
    let mut rng = ChaCha20Rng::from_seed(seed);
    let (start, key) = (Instant::now(), Keypair::generate(&mut rng));
    let node = Node::new(config, key, &Snapshot::default(), at(start), &mut rng)?;
    println!("we are {}", node.id());
    let mut node = Driver::new(node, rng);
    node.handle(at(start), Input::Command(Command::Subscribe { token: 0, topic: "chat".into() }));
    let (typed, lines) = mpsc::channel();
    std::thread::spawn(move || io::stdin().lines().try_for_each(|line| typed.send(line)));
    let mut sockets = Sockets::default();
    loop {
        // 1. Do what the node wants done.
        while let Some(output) = node.poll_output() {
            match output {
                Output::Event(Event::Stopped) => return Ok(()),
                Output::Event(Event::Message { author: Some(author), payload, .. }) => {
                    println!("{author}: {}", String::from_utf8_lossy(&payload));
                }
                Output::Event(event) => println!("({event:?})"),
                output => sockets.carry_out(output)?,
            }
        }
        // 2. Tell it what has happened.
        sockets.look();
        match lines.try_recv() {
            Ok(line) => {
                let (topic, payload, scope) = ("chat".into(), Bytes::from(line?), Scope::Swarm);
                sockets.inputs.push(Input::Command(Command::Publish { token: 1, topic, payload, scope }));
            }
            Err(mpsc::TryRecvError::Disconnected) => sockets.inputs.push(Input::Command(Command::Shutdown)),
            Err(mpsc::TryRecvError::Empty) if sockets.inputs.is_empty() => {
                std::thread::sleep(Duration::from_millis(2));
            }
            Err(mpsc::TryRecvError::Empty) => {}
        }
        sockets.inputs.drain(..).for_each(|input| node.handle(at(start), input));
        // 3. And what time it is: before its deadline that does nothing.
        node.handle_timeout(at(start));
    }
}

fn at(start: Instant) -> At {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let wall = WallTime::from_unix_ms(u64::try_from(unix).unwrap_or(u64::MAX));
    At { now: pleach_core::Instant::ORIGIN + start.elapsed(), wall }
}

impl Sockets {
    fn carry_out(&mut self, output: Output) -> io::Result<()> {
        match output {
            Output::Listen { listener, address: Address::Socket(address) } => {
                let socket = TcpListener::bind(address)?;
                socket.set_nonblocking(true)?;
                self.inputs.push(Input::Listening { listener, local: Address::Socket(socket.local_addr()?) });
                self.listener = Some((listener, socket));
            }
            // A real driver does not wait here, and tells the causes apart.
            Output::Dial { link, address: Address::Socket(address), .. } => {
                let stream = TcpStream::connect_timeout(&address, Duration::from_secs(1));
                if stream.and_then(|stream| self.open(link, Via::Dialled, stream)).is_err() {
                    self.inputs.push(Input::Closed { link, cause: Cause::Refused });
                }
            }
            Output::Send { link, bytes } => self.with(link, |link| link.unsent.extend_from_slice(&bytes)),
            Output::Pause { link } => self.with(link, |link| link.paused = true),
            Output::Resume { link } => self.with(link, |link| link.paused = false),
            Output::Close { link, how: How::Flush } => self.with(link, |link| link.closing = true),
            Output::Close { link, how: How::Abort } => self.close(link),
            // Nothing is stored, and the listener closes with the process.
            _ => {}
        }
        Ok(())
    }

    fn with(&mut self, link: LinkId, change: impl FnOnce(&mut Link)) {
        self.links.get_mut(&link).map(change).unwrap_or_default();
    }

    fn open(&mut self, link: LinkId, via: Via, stream: TcpStream) -> io::Result<()> {
        stream.set_nonblocking(true)?;
        let (local, remote) = (Address::Socket(stream.local_addr()?), Address::Socket(stream.peer_addr()?));
        self.links.insert(link, Link { stream, unsent: Vec::new(), paused: false, closing: false });
        self.inputs.push(Input::Opened { link, via, local, remote });
        Ok(())
    }

    fn close(&mut self, link: LinkId) {
        let closed = self.links.remove(&link).map(|_| Input::Closed { link, cause: Cause::Finished });
        self.inputs.extend(closed);
    }

    /// Accepts, writes and reads what can be without waiting.
    fn look(&mut self) {
        let accepted = self.listener.as_ref().and_then(|(id, socket)| Some((*id, socket.accept().ok()?.0)));
        if let Some((listener, stream)) = accepted {
            self.accepted += 1;
            drop(self.open(LinkId(LinkId::ACCEPTED + self.accepted), Via::Accepted { listener }, stream));
        }
        let (mut buffer, mut gone) = ([0; 16 * 1024], Vec::new());
        for (&id, link) in &mut self.links {
            let written = link.stream.write(&link.unsent);
            if let Ok(count @ 1..) = written {
                link.unsent.drain(..count);
                self.inputs.push(Input::Written { link: id, count });
            }
            let read = if link.paused { Ok(1) } else { link.stream.read(&mut buffer) };
            if let (Ok(count @ 1..), false) = (&read, link.paused) {
                let bytes = Bytes::copy_from_slice(buffer.get(..*count).unwrap_or_default());
                self.inputs.push(Input::Received { link: id, bytes });
            }
            let ended = matches!(read, Ok(0)) || (link.closing && link.unsent.is_empty());
            let broken = |done: io::Result<_>| done.is_err_and(|error| error.kind() != ErrorKind::WouldBlock);
            if ended || broken(written) || broken(read) {
                gone.push(id);
            }
        }
        gone.into_iter().for_each(|link| self.close(link));
    }
}
