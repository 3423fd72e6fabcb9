//! The machines on their runtimes, a thread each, as three processes would run them.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use async_channel::Receiver;
use bytes::Bytes;
use pleach_core::bob::relay::{self, Relay};
use pleach_core::bob::{Client, Compression, Name, Password, Server, client, peer, server};
use pleach_core::link::Address;
use pleach_smol::store::MemoryStore;
use pleach_smol::{Handle, LinkMachine, Options, Runtime};

use crate::bare::{drain, pour};

const PIECE: usize = 64 * 1024;

/// A file of zeros from a server to a client, through a relay.
pub(crate) fn transfer(bytes: u64) -> Duration {
    let host = RelayThread::start();
    let at = peer::RelayAccess::new(Address::Socket(host.handshake), Address::Socket(host.room));
    let password = || Password::new(b"what both know".to_vec());
    let name = Name::try_from(b"zeros".as_slice()).expect("a name");
    let mut config = server::Config::new(at.clone(), password(), name, bytes);
    config.compression = Compression::None;
    let machine = Server::new(config).expect("a configuration");
    let receiving = Client::new(client::Config::new(at, password()));
    let started = Instant::now();
    let sender = spawn(machine, move |handle| async move { send(&handle, bytes).await });
    let receiver = spawn(receiving, |handle| async move { receive(&handle).await });
    sender.join().expect("the sender");
    assert_eq!(receiver.join().expect("the receiver"), bytes);
    let elapsed = started.elapsed();
    host.stop();
    elapsed
}

async fn send(handle: &Handle<Server>, bytes: u64) {
    let content = Bytes::from(vec![0; PIECE]);
    let mut left = bytes;
    while let Some(event) = handle.event().await {
        match event {
            server::Event::Wanted { bytes } => {
                let mut wanted = bytes.min(usize::try_from(left).unwrap_or(bytes));
                while wanted > 0 {
                    let piece = content.slice(..wanted.min(PIECE));
                    wanted -= piece.len();
                    left -= piece.len() as u64;
                    handle.command(server::Command::Content { bytes: piece }).await.expect("it runs");
                }
            }
            server::Event::Ended(result) => {
                assert!(result.expect("it was sent").confirmed);
                return;
            }
            server::Event::Stage(_)
            | server::Event::Known { .. }
            | server::Event::WrongPassword { .. }
            | server::Event::Agreed { .. }
            | server::Event::Accepted { .. }
            | server::Event::Sent { .. } => {}
        }
    }
}

async fn receive(handle: &Handle<Client>) -> u64 {
    let mut total = 0;
    while let Some(event) = handle.event().await {
        let answer = match event {
            client::Event::Offered { server, .. } => client::Command::Accept { server },
            client::Event::Content { bytes } => {
                total += bytes.len() as u64;
                client::Command::Taken { bytes: bytes.len() }
            }
            client::Event::Complete { .. } => client::Command::Kept,
            client::Event::Ended(result) => {
                result.expect("it was received");
                break;
            }
            client::Event::Stage(_)
            | client::Event::Known { .. }
            | client::Event::Servers { .. }
            | client::Event::Withdrawn { .. }
            | client::Event::File { .. } => continue,
        };
        handle.command(answer).await.expect("it runs");
    }
    total
}

/// So many bytes through a room of the relay.
pub(crate) fn forward(bytes: u64) -> Duration {
    let host = RelayThread::start();
    let (one, other) = host.room();
    let started = Instant::now();
    let source = thread::spawn(move || pour(bytes, one));
    // The relay adds four bytes when a side has left.
    assert_eq!(drain(other), bytes + 4);
    source.join().expect("the source");
    let elapsed = started.elapsed();
    host.stop();
    elapsed
}

/// A relay on a thread of its own.
struct RelayThread {
    handshake: SocketAddr,
    room: SocketAddr,
    handle: Handle<Relay>,
    thread: JoinHandle<()>,
}

impl RelayThread {
    fn start() -> Self {
        let any = || Address::Socket(SocketAddr::from(([127, 0, 0, 1], 0)));
        let machine = Relay::new(relay::Config::new(any(), any()));
        let (told, ports) = async_channel::bounded(1);
        let thread = spawn(machine, |handle| async move {
            let at = listening(&handle).await;
            told.send((handle.clone(), at)).await.expect("somebody waits");
            while handle.event().await.is_some() {}
        });
        let (handle, [handshake, room]) = wait(&ports);
        Self { handshake, room, handle, thread }
    }

    /// A pair that has agreed, both in their room. Who they are is shown by hand: the relay checks no password.
    fn room(&self) -> (TcpStream, TcpStream) {
        let mut server = connect(self.handshake);
        say(&mut server, &[b"000000".as_slice(), &[0; 34]].concat());
        let server_name = hear_identity(&mut server);
        let mut client = connect(self.handshake);
        say(&mut client, b"000001");
        let client_name = hear_identity(&mut client);
        hear(&mut client, 6 + 4 + 34 + server_name.len() + 1);
        let share = [b"000107".as_slice(), &[9; 32], client_name.as_bytes(), &[0]].concat();
        say(&mut client, &share);
        hear(&mut server, share.len());
        say(&mut server, b"000208");
        assert_eq!(hear(&mut client, 6), b"000108");
        say(&mut client, b"00010a");
        let enter = |name: &str| {
            let mut link = connect(self.room);
            say(&mut link, format!("{name}\n").as_bytes());
            link
        };
        let (mut one, mut other) = (enter(&client_name), enter(&server_name));
        for link in [&mut one, &mut other] {
            assert_eq!(hear(link, 2), b"00");
        }
        (one, other)
    }

    fn stop(self) {
        self.handle.end();
        self.thread.join().expect("the relay");
    }
}

async fn listening(handle: &Handle<Relay>) -> [SocketAddr; 2] {
    let (mut handshake, mut room) = (None, None);
    while let Some(event) = handle.event().await {
        if let relay::Event::Listening { port, address: Address::Socket(address) } = event {
            match port {
                relay::Port::Handshake => handshake = Some(address),
                relay::Port::Room => room = Some(address),
            }
        }
        if let Some((handshake, room)) = handshake.zip(room) {
            return [handshake, room];
        }
    }
    unreachable!("the relay ends when it is told to")
}

/// Runs a machine and what its application does on a thread of their own.
fn spawn<N, F, T>(machine: N, application: impl FnOnce(Handle<N>) -> F + Send + 'static) -> JoinHandle<T>
where
    N: LinkMachine,
    F: Future<Output = T>,
    T: Send + 'static,
{
    thread::spawn(move || {
        let store = Arc::new(MemoryStore::new());
        let (handle, runtime) = Runtime::new(machine, store, Options::default()).expect("entropy");
        let ((), result) = smol::block_on(smol::future::zip(runtime.run(), application(handle)));
        result
    })
}

fn wait<T>(receiver: &Receiver<T>) -> T {
    smol::block_on(receiver.recv()).expect("the other thread lives")
}

pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the relay listens");
    stream.set_nodelay(true).expect("a live socket");
    stream
}

pub(crate) fn say(stream: &mut TcpStream, bytes: &[u8]) {
    stream.write_all(bytes).expect("the relay reads");
}

fn hear(stream: &mut TcpStream, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    stream.read_exact(&mut bytes).expect("the relay answers");
    bytes
}

/// The answer to a hello: what the relay calls us.
pub(crate) fn hear_identity(stream: &mut TcpStream) -> String {
    hear(stream, 6);
    let mut name = String::new();
    loop {
        match hear(stream, 1).first() {
            Some(0) | None => return name,
            Some(byte) => name.push(char::from(*byte)),
        }
    }
}
