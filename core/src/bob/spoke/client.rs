//! The side that begins: it wants the file.

use core::fmt;

use rand_core::CryptoRng;
use subtle::ConstantTimeEq;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::group::{Element, Exponent};
use super::schedule::Transcript;
use super::secret::Shared;
use super::{CLIENT_VALIDATOR, Failure, Keys, SERVER_VALIDATOR, Secret};

/// A client that has sent X and awaits the server's response.
pub struct Client {
    shared: Shared,
    h_l: Exponent,
    exponent: Exponent,
    x: [u8; 32],
}

impl Client {
    /// Begins a run: X, to be sent. Draws 32 bytes.
    pub fn start(secret: &Secret, rng: &mut (impl CryptoRng + ?Sized)) -> ([u8; 32], Self) {
        let exponent = Exponent::random(rng);
        let x = Element::base_times(&exponent).plus(&secret.shared.m).encode();
        (x, Self { shared: secret.shared.clone(), h_l: secret.h_l.clone(), exponent, x })
    }

    /// Checks the response of the server, the validator in constant time, and gives out the validator to be sent and
    /// the keys. The identities are what the relay said, byte for byte. The server has one try. Fails with
    /// [`Failure::NotInSubgroup`] or [`Failure::InvalidClientValidator`].
    pub fn finish(
        self,
        y: &[u8; 32],
        validator: &[u8],
        client_identity: &[u8],
        server_identity: &[u8],
    ) -> Result<([u8; 64], Keys), Failure> {
        let Self { shared, h_l, exponent, x } = &self;
        let theirs = Element::decode(y).ok_or(Failure::NotInSubgroup)?.minus(&shared.n);
        let z = theirs.times(exponent).ok_or(Failure::NotInSubgroup)?;
        let v = theirs.times(h_l).ok_or(Failure::NotInSubgroup)?;
        let (z, v) = (Zeroizing::new(z.encode()), Zeroizing::new(v.encode()));
        let main =
            Transcript { client_identity, server_identity, x, y, z: &z, h_k: &shared.h_k, v: &v }.main_key();
        let equal = main.subkey(SERVER_VALIDATOR).as_slice().ct_eq(validator);
        if bool::from(equal) {
            Ok((*main.subkey(CLIENT_VALIDATOR), Keys::of(&main)))
        } else {
            Err(Failure::InvalidClientValidator)
        }
    }
}

impl ZeroizeOnDrop for Client {}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}
