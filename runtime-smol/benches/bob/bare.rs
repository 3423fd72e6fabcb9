//! The same work without machines: threads, blocking sockets, the same libraries.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use aes_gcm::aead::consts::U20;
use aes_gcm::aead::{AeadInOut, KeyInit, Nonce};
use aes_gcm::{AesGcm, aes::Aes256};
use sha1::{Digest, Sha1};

type Cipher = AesGcm<Aes256, U20>;

/// Bytes of a record.
const PLAINTEXT: usize = 0x7fff;
const TAG: usize = 16;
const PIECE: usize = 64 * 1024;

/// Hash, seal, write; copy; read, open, hash.
pub(crate) fn transfer(bytes: u64) -> Duration {
    let cipher = Cipher::new(&[7; 32].into());
    let (out, copied_in) = pair();
    let (copied_out, arriving) = pair();
    let (sealing, opening) = (cipher.clone(), cipher);
    let started = Instant::now();
    let sender = thread::spawn(move || send(bytes, &sealing, out));
    let copier = thread::spawn(move || copy(copied_in, copied_out));
    let received = receive(&opening, arriving);
    let sent = sender.join().expect("the sender");
    copier.join().expect("the copier");
    let elapsed = started.elapsed();
    assert_eq!(sent, received, "the same bytes");
    elapsed
}

/// A bare copy between two sockets.
pub(crate) fn forward(bytes: u64) -> Duration {
    let (out, copied_in) = pair();
    let (copied_out, arriving) = pair();
    let started = Instant::now();
    let source = thread::spawn(move || pour(bytes, out));
    let copier = thread::spawn(move || copy(copied_in, copied_out));
    assert_eq!(drain(arriving), bytes);
    source.join().expect("the source");
    copier.join().expect("the copier");
    started.elapsed()
}

/// Writes so many bytes.
pub(crate) fn pour(bytes: u64, mut to: TcpStream) {
    let piece = vec![0x5a; PIECE];
    let mut left = bytes;
    while left > 0 {
        let count = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
        to.write_all(piece.get(..count).unwrap_or_default()).expect("the socket takes it");
        left -= count as u64;
    }
}

/// Reads to the end and says how many bytes came.
pub(crate) fn drain(mut from: TcpStream) -> u64 {
    let (mut buffer, mut total) = (vec![0; PIECE], 0);
    loop {
        match from.read(&mut buffer).expect("the socket gives it") {
            0 => return total,
            count => total += count as u64,
        }
    }
}

fn send(bytes: u64, cipher: &Cipher, mut to: TcpStream) -> Vec<u8> {
    let content = vec![0x5a; PLAINTEXT];
    let mut record = Vec::with_capacity(2 + PLAINTEXT + TAG);
    let (mut sha1, mut left, mut number) = (Sha1::new(), bytes, 0u64);
    while left > 0 {
        let count = usize::try_from(left).unwrap_or(PLAINTEXT).min(PLAINTEXT);
        let plaintext = content.get(..count).unwrap_or_default();
        sha1.update(plaintext);
        record.clear();
        record.extend_from_slice(&length(count).to_be_bytes());
        record.extend_from_slice(plaintext);
        let text = record.get_mut(2..).unwrap_or_default();
        let tag = cipher.encrypt_inout_detached(&nonce(number), &associated(count), text.into());
        record.extend_from_slice(&tag.expect("it seals"));
        to.write_all(&record).expect("the socket takes it");
        left -= count as u64;
        number += 1;
    }
    sha1.finalize().to_vec()
}

fn receive(cipher: &Cipher, mut from: TcpStream) -> Vec<u8> {
    let (mut sha1, mut number) = (Sha1::new(), 0u64);
    let mut buffer = Vec::with_capacity(4 * PIECE);
    let mut piece = vec![0; PIECE];
    loop {
        let count = from.read(&mut piece).expect("the socket gives it");
        if count == 0 {
            return sha1.finalize().to_vec();
        }
        buffer.extend_from_slice(piece.get(..count).unwrap_or_default());
        let mut start = 0;
        while let Some(plaintext) = open(cipher, number, buffer.get_mut(start..).unwrap_or_default()) {
            sha1.update(&*plaintext);
            start += 2 + plaintext.len() + TAG;
            number += 1;
        }
        buffer.drain(..start);
    }
}

/// Opens the record at the start, if it is whole.
fn open<'a>(cipher: &Cipher, number: u64, bytes: &'a mut [u8]) -> Option<&'a mut [u8]> {
    let (head, rest) = bytes.split_first_chunk_mut::<2>()?;
    let count = usize::from(u16::from_be_bytes(*head));
    let (text, rest) = rest.split_at_mut_checked(count)?;
    let tag = rest.first_chunk::<TAG>()?;
    let opened =
        cipher.decrypt_inout_detached(&nonce(number), &associated(count), (&mut *text).into(), tag.into());
    opened.expect("it opens");
    Some(text)
}

fn nonce(number: u64) -> Nonce<Cipher> {
    let mut nonce = Nonce::<Cipher>::default();
    nonce.get_mut(12..).unwrap_or_default().copy_from_slice(&number.to_be_bytes());
    nonce
}

fn associated(count: usize) -> [u8; 4] {
    let [high, low] = length(count).to_be_bytes();
    [0, 1, high, low]
}

fn length(count: usize) -> u16 {
    u16::try_from(count).expect("a record is short")
}

fn copy(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = vec![0; PIECE];
    loop {
        match from.read(&mut buffer).expect("the socket gives it") {
            0 => return,
            count => to.write_all(buffer.get(..count).unwrap_or_default()).expect("the socket takes it"),
        }
    }
}

/// Both ends of a connection on loopback.
fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let out = TcpStream::connect(listener.local_addr().expect("bound")).expect("it listens");
    let (into, _) = listener.accept().expect("it was dialled");
    for stream in [&out, &into] {
        stream.set_nodelay(true).expect("a live socket");
    }
    (out, into)
}
