//! SPOKE, the handshake: a variant of SPAKE2+EE in the prime-order subgroup of edwards25519 (`bob-relay` 4).
//!
//! ```text
//! server -> client   public                       parameters, not secret
//! client -> server   X = x B + M
//! server -> client   Y = y B + N, validator K_2
//! client -> server   validator K_3
//! ```
//!
//! M and N come from the password, so that whoever listens or guesses learns no more than whether one guess was right.
//! Both sides get [`Keys`], but only of a peer that has proven to know the password. A run is one guess: its states are
//! consumed.
//!
//! Each object of the specification has its file, public so that the published vectors can follow a run step by step:
//! [`derivation`], [`map`], [`group`], [`schedule`]. A network needs only what is exported here.
//!
//! ```
//! # use pleach_core::bob::public::{Cipher, Public};
//! # use pleach_core::bob::spoke::{Client, Secret, Server};
//! # use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
//! # let rng = &mut ChaCha8Rng::from_seed([1; 32]);
//! let public = Public::new(16, [Cipher::Aes256Gcm, Cipher::ChaCha20Poly1305], [7; 16])?;
//! let verifier = Secret::derive(public, b"pear-hedge").verifier();
//! let secret = Secret::derive(Public::decode(&public.encode())?, b"pear-hedge");
//! let (us, them) = (b"192.0.2.1:4000", b"198.51.100.7:5000");
//!
//! let (x, client) = Client::start(&secret, rng);
//! let (response, server) = Server::respond(&verifier, &x, us, them, rng)?;
//! let (validator, ours) = client.finish(&response.y, &response.validator, us, them)?;
//! let theirs = server.finish(&validator)?;
//! assert_eq!(ours.of_server(), theirs.of_server());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod client;
pub mod derivation;
mod failure;
mod field;
pub mod group;
mod keys;
pub mod map;
pub mod schedule;
mod secret;
mod server;

pub use client::Client;
pub use failure::Failure;
pub use keys::Keys;
pub use secret::{Deriving, Secret, VERIFIER_LENGTH, Verifier};
pub use server::{Response, Server};

/// The number of the subkey that the server sends. Upstream's names of both validators cross over; numbers do not.
const SERVER_VALIDATOR: u64 = 2;
/// The number of the subkey that the client sends.
const CLIENT_VALIDATOR: u64 = 3;

#[cfg(test)]
mod tests;
