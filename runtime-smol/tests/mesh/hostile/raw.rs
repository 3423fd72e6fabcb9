//! A peer that speaks by hand: it does the handshake and then sends whatever frames of the multiplexer a test wants.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use pleach_core::channel::noise::{Frames, Handshake, Opener, Sealer, StaticKey};
use pleach_core::channel::yamux::{Flags, HEADER_LENGTH, Header, Kind};
use pleach_core::channel::{NOISE, Role, YAMUX, multistream};
use pleach_core::identity::Keypair;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

pub(super) struct Raw {
    socket: TcpStream,
    sealer: Sealer,
    opener: Opener,
    frames: Frames,
}

/// Connects; reads that take longer than anything should fail.
pub(super) fn connect(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    socket
}

/// What is said before the Noise handshake.
pub(super) fn greeting() -> BytesMut {
    let mut greeting = BytesMut::new();
    multistream::encode(multistream::HEADER, &mut greeting);
    multistream::encode(NOISE, &mut greeting);
    greeting
}

/// Reads until the node has ended the connection; with what came before.
pub(super) fn read_to_end(socket: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match socket.read(&mut buffer) {
            Ok(0) => return all,
            Ok(length) => all.extend_from_slice(&buffer[..length]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return all,
            Err(error) => panic!("the node does not end the link: {error}"),
        }
    }
}

impl Raw {
    /// Dials, proves the key of this seed, and has agreed on the multiplexer.
    pub(super) fn dial(address: SocketAddr, seed: u8) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(u64::from(seed));
        let key = StaticKey::generate(&Keypair::from_seed(&[seed; 32]), &[YAMUX], &mut rng);
        let mut handshake = Handshake::new(Role::Dialler, Arc::new(key), &mut rng);
        let mut socket = connect(address);
        let mut hello = greeting();
        let agreed = hello.len();
        hello.extend_from_slice(&handshake.write().unwrap());
        socket.write_all(&hello).unwrap();
        socket.read_exact(&mut vec![0; agreed]).unwrap();
        let mut frames = Frames::new();
        let answer = loop {
            let mut byte = [0];
            socket.read_exact(&mut byte).unwrap();
            if let Some(answer) = frames.next_frame(&mut Bytes::copy_from_slice(&byte)) {
                break answer;
            }
        };
        handshake.read(answer).unwrap();
        socket.write_all(&handshake.write().unwrap()).unwrap();
        let (sealer, opener) = handshake.split().unwrap();
        Self { socket, sealer, opener, frames }
    }

    /// Sends plaintext of the multiplexer.
    pub(super) fn send(&mut self, plaintext: &[u8]) {
        self.sealer.put(plaintext).unwrap();
        self.socket.write_all(&self.sealer.flush().unwrap()).unwrap();
    }

    /// The last frame before the node ended the link.
    pub(super) fn last_frame(mut self) -> Header {
        let mut sealed = Bytes::from(read_to_end(&mut self.socket));
        let mut plaintext = Vec::new();
        while let Some(message) = self.frames.next_frame(&mut sealed) {
            plaintext.extend_from_slice(&self.opener.open(message).unwrap());
        }
        let mut rest = &plaintext[..];
        let mut last = None;
        while let Some((head, body)) = rest.split_first_chunk::<HEADER_LENGTH>() {
            let header = Header::decode(head).unwrap();
            let length = if header.kind == Kind::Data { header.length } else { 0 };
            rest = &body[usize::try_from(length).unwrap()..];
            last = Some(header);
        }
        last.expect("the node said nothing")
    }
}

/// A frame of the multiplexer without its body.
pub(super) const fn frame(kind: Kind, flags: Flags, stream: u32, length: u32) -> [u8; HEADER_LENGTH] {
    Header { kind, flags, stream, length }.encode()
}
