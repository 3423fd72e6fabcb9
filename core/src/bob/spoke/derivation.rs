//! PBKDF2 with HMAC-SHA-256 as Bob has it: the block index is little endian (`bob-relay` 4.1).

use alloc::vec::Vec;
use core::fmt;
use core::num::NonZeroU32;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Bytes of a block: those of a hash.
const BLOCK: usize = 32;

/// A derivation under way. The peer says how long it takes, so the work can be spread over many calls.
pub struct Derivation {
    /// HMAC with the password as its key.
    keyed: Hmac<Sha256>,
    salt: Vec<u8>,
    count: u32,
    length: usize,
    /// The number of the block under way, from 1.
    index: u32,
    /// How many iterations of it are done.
    done: u32,
    /// Its last iteration, and all of them added up.
    last: [u8; BLOCK],
    sum: [u8; BLOCK],
    /// What is complete; nothing once it has been handed out.
    output: Option<Zeroizing<Vec<u8>>>,
}

impl Derivation {
    /// `length` bytes from the raw bytes of a password, after `count` iterations for each 32 of them.
    #[must_use]
    pub fn new(password: &[u8], salt: &[u8], count: NonZeroU32, length: usize) -> Self {
        Self {
            keyed: keyed(password),
            salt: salt.to_vec(),
            count: count.get(),
            length,
            index: 1,
            done: 0,
            last: [0; BLOCK],
            sum: [0; BLOCK],
            output: Some(Zeroizing::new(Vec::with_capacity(length))),
        }
    }

    /// Does at most so many iterations, each of two compressions. Returns the bytes from the call that completes them,
    /// and nothing ever after.
    pub fn advance(&mut self, iterations: u32) -> Option<Zeroizing<Vec<u8>>> {
        for _ in 0..iterations {
            let missing = self.length.saturating_sub(self.output.as_ref()?.len());
            self.iterate();
            if self.done < self.count {
                continue;
            }
            self.done = 0;
            self.index = self.index.wrapping_add(1);
            self.output.as_mut()?.extend(self.sum.iter().take(missing));
            if missing <= BLOCK {
                return self.output.take();
            }
        }
        None
    }

    fn iterate(&mut self) {
        let mut mac = self.keyed.clone();
        if self.done == 0 {
            mac.update(&self.salt);
            mac.update(&self.index.to_le_bytes());
            self.sum = [0; BLOCK];
        } else {
            mac.update(&self.last);
        }
        self.last = mac.finalize().into_bytes().into();
        for (sum, last) in self.sum.iter_mut().zip(self.last) {
            *sum ^= last;
        }
        self.done = self.done.saturating_add(1);
    }
}

impl Drop for Derivation {
    fn drop(&mut self) {
        self.last.zeroize();
        self.sum.zeroize();
    }
}

impl ZeroizeOnDrop for Derivation {}

impl fmt::Debug for Derivation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Derivation")
            .field("index", &self.index)
            .field("done", &self.done)
            .finish_non_exhaustive()
    }
}

/// HMAC under a key of any length: one longer than a block is hashed, a shorter one is filled with zeros.
fn keyed(key: &[u8]) -> Hmac<Sha256> {
    let mut block = Zeroizing::new([0; 64]);
    if key.len() > block.len() {
        let (hash, _) = block.split_at_mut(BLOCK);
        hash.copy_from_slice(&Sha256::digest(key));
    } else {
        block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    }
    Hmac::new((&*block).into())
}
