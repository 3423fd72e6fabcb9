//! The keys of a pair, found out by running its sender's handshake once more: the same password, the same draws.

use std::collections::BTreeMap;

use pleach_core::bob::public::Public;
use pleach_core::bob::spoke::{Keys, Secret, Server};
use rand_core::Rng;

use super::packet::{Packet, Parser};
use crate::rng::{Domain, stream};

/// Bytes of salt that a sender draws first.
const SALT: usize = 16;
/// Bytes that it draws for each answer.
const DRAW: usize = 32;

/// What was said to and by one sender at the handshake port.
#[derive(Debug, Default)]
pub(super) struct Transcript {
    to: Parser,
    by: Parser,
    public: Vec<u8>,
    name: Vec<u8>,
    /// Handshakes by the client's uid; of several the latest.
    runs: BTreeMap<u16, Run>,
    answers: usize,
    accepted: Option<u16>,
}

#[derive(Debug)]
struct Run {
    share: Vec<u8>,
    name: Vec<u8>,
    /// How many answers were made before the one to this, and that answer's share.
    answer: Option<(usize, Vec<u8>)>,
    proof: Vec<u8>,
}

/// The client's invalid share, which is answered after a draw.
const INVALID_SHARE: u8 = 0;

impl Transcript {
    /// The sender received bytes: the packets.
    pub(super) fn received(&mut self, bytes: &[u8]) -> Vec<Packet> {
        let packets = self.to.push(bytes);
        for packet in &packets {
            match packet.kind {
                0x02 => self.name = packet.name().unwrap_or_default().to_vec(),
                0x07 => {
                    let share = packet.body.get(..32).unwrap_or_default().to_vec();
                    let name = packet.name().unwrap_or_default().to_vec();
                    self.runs.insert(packet.uid, Run { share, name, answer: None, proof: Vec::new() });
                }
                0x05 => {
                    if let Some(run) = self.runs.get_mut(&packet.uid) {
                        run.proof.clone_from(&packet.body);
                    }
                }
                0x0a => self.accepted = Some(packet.uid),
                _ => {}
            }
        }
        packets
    }

    /// The sender sent bytes: the packets.
    pub(super) fn sent(&mut self, bytes: &[u8]) -> Vec<Packet> {
        let packets = self.by.push(bytes);
        for packet in &packets {
            let is_answer = match packet.kind {
                0x00 => {
                    self.public.clone_from(&packet.body);
                    false
                }
                0x06 => {
                    if let Some(run) = self.runs.get_mut(&packet.uid) {
                        let share = packet.body.get(..32).unwrap_or_default().to_vec();
                        run.answer = Some((self.answers, share));
                    }
                    true
                }
                0x0d => packet.body.first() == Some(&INVALID_SHARE),
                _ => false,
            };
            self.answers += usize::from(is_answer);
        }
        packets
    }

    /// The keys that were agreed on with the client that accepted; none if the run cannot be repeated.
    pub(super) fn keys(&self, seed: u64, node: u32, password: &[u8]) -> Option<Keys> {
        let run = self.runs.get(&self.accepted?)?;
        let (before, answer) = run.answer.as_ref()?;
        let public = Public::decode(&self.public).ok()?;
        let mut rng = stream(seed, Domain::Machine, node);
        let mut salt = [0; SALT];
        rng.fill_bytes(&mut salt);
        if salt != *public.salt() {
            return None;
        }
        (0..*before).for_each(|_| rng.fill_bytes(&mut [0; DRAW]));
        let verifier = Secret::derive(public, password).verifier();
        let share = run.share.as_slice().try_into().ok()?;
        let (response, server) = Server::respond(&verifier, share, &run.name, &self.name, &mut rng).ok()?;
        if response.y.as_slice() != answer.as_slice() {
            return None;
        }
        server.finish(&run.proof).ok()
    }
}
