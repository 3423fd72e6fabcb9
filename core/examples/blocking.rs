//! A chat over the mesh, with nothing but the standard library around the node: one loop that looks at every socket.
//!
//! ```sh
//! cargo run -p pleach-core --example blocking -- 127.0.0.1:4001
//! cargo run -p pleach-core --example blocking -- 127.0.0.1:4002 --peer 127.0.0.1:4001
//! ```
//!
//! Lines typed into one appear in the other; start as many as you like. The end of the input ends the node.
#![allow(clippy::print_stdout, clippy::wildcard_enum_match_arm, reason = "it shows what it needs only")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pleach_core::broadcast::Scope;
use pleach_core::identity::Keypair;
use pleach_core::link::{Address, Cause, LinkId, ListenerId, Via};
use pleach_core::mesh::node::{Input, Output};
use pleach_core::mesh::{Command, Config, Event, Node, Snapshot};
use pleach_core::{At, Driver, WallTime};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--peer");
    let listen: SocketAddr = arguments.next().ok_or("usage: blocking LISTEN [--peer ADDRESS]")?.parse()?;
    let peer: Option<SocketAddr> = arguments.next().map(|peer| peer.parse()).transpose()?;
    let bootstrap = peer.map(|peer| (Address::Socket(peer), None)).into_iter().collect();
    let config = Config { listen: vec![Address::Socket(listen)], bootstrap, ..Config::native() };
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)?;
    let (start, mut rng) = (Instant::now(), ChaCha20Rng::from_seed(seed));
    let node = Node::new(config, Keypair::generate(&mut rng), &Snapshot::default(), at(start), &mut rng)?;
    println!("we are {}", node.id());
    let (mut node, mut sockets) = (Driver::new(node, rng), Sockets::default());
    node.handle(at(start), Input::Command(Command::Subscribe { token: 0, topic: "chat".into() }));
    let (typed, commands) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let publish = |line: String| {
            let (topic, payload, scope) = ("chat".into(), line.into(), Scope::Swarm);
            Command::Publish { token: 1, topic, payload, scope }
        };
        let lines = io::stdin().lines().map_while(Result::ok).map(publish);
        lines.chain([Command::Shutdown]).all(|command| typed.send(Input::Command(command)).is_ok())
    });
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
        sockets.inputs.extend(commands.recv_timeout(Duration::from_millis(1)));
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

#[derive(Default)]
struct Sockets {
    listener: Option<(ListenerId, TcpListener)>,
    links: BTreeMap<LinkId, TcpStream>,
    /// Links that are not to be read.
    paused: BTreeSet<LinkId>,
    accepted: u64,
    /// What the node is to be told.
    inputs: Vec<Input>,
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
            // A real driver waits neither here nor for a peer that does not read, and tells the causes apart.
            Output::Dial { link, address: Address::Socket(address), .. } => {
                let stream = TcpStream::connect_timeout(&address, Duration::from_secs(1));
                if stream.and_then(|stream| self.open(link, Via::Dialled, stream)).is_err() {
                    self.inputs.push(Input::Closed { link, cause: Cause::Refused });
                }
            }
            Output::Send { link, bytes } => match self.links.get(&link).map(|mut to| to.write_all(&bytes)) {
                Some(Ok(())) => self.inputs.push(Input::Written { link, count: bytes.len() }),
                Some(Err(_)) | None => self.close(link),
            },
            Output::Pause { link } => self.paused.extend([link]),
            Output::Resume { link } => self.paused.retain(|paused| *paused != link),
            Output::Close { link, .. } => self.close(link),
            // What there is to flush is sent already, nothing is stored, and the listener closes with the process.
            _ => {}
        }
        Ok(())
    }

    fn open(&mut self, link: LinkId, via: Via, stream: TcpStream) -> io::Result<()> {
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(Duration::from_millis(1)))?;
        stream.set_write_timeout(Some(Duration::from_secs(1)))?;
        let (local, remote) = (Address::Socket(stream.local_addr()?), Address::Socket(stream.peer_addr()?));
        self.links.insert(link, stream);
        self.inputs.push(Input::Opened { link, via, local, remote });
        Ok(())
    }

    fn close(&mut self, link: LinkId) {
        self.paused.remove(&link);
        let closed = self.links.remove(&link).map(|_| Input::Closed { link, cause: Cause::Finished });
        self.inputs.extend(closed);
    }

    /// Accepts and reads what is there, a millisecond at each link.
    fn look(&mut self) {
        let accepted = self.listener.as_ref().and_then(|(id, socket)| Some((*id, socket.accept().ok()?.0)));
        if let Some((listener, stream)) = accepted {
            self.accepted += 1;
            drop(self.open(LinkId(LinkId::ACCEPTED + self.accepted), Via::Accepted { listener }, stream));
        }
        let (mut buffer, mut gone) = ([0; 16 * 1024], Vec::new());
        for (&link, stream) in self.links.iter_mut().filter(|(link, _)| !self.paused.contains(link)) {
            match stream.read(&mut buffer) {
                Ok(count @ 1..) => {
                    let bytes = buffer.get(..count).unwrap_or_default().to_vec().into();
                    self.inputs.push(Input::Received { link, bytes });
                }
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Ok(0) | Err(_) => gone.push(link),
            }
        }
        gone.into_iter().for_each(|link| self.close(link));
    }
}
