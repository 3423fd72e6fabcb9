//! The side that answers: it has a file to send.

use core::fmt;

use rand_core::CryptoRng;
use subtle::ConstantTimeEq;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::group::{Element, Exponent};
use super::schedule::Transcript;
use super::{CLIENT_VALIDATOR, Failure, Keys, SERVER_VALIDATOR, Verifier};

/// What the server sends: proof that it knows the password.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Response {
    /// Y
    pub y: [u8; 32],
    /// K_2
    pub validator: [u8; 64],
}

/// A server that has responded and awaits the client's validator.
pub struct Server {
    keys: Keys,
    expected: Zeroizing<[u8; 64]>,
}

impl Server {
    /// Answers X. The identities are what the relay said, byte for byte: the client's came with X. Draws 32 bytes.
    /// Fails with [`Failure::NotInSubgroup`].
    pub fn respond(
        verifier: &Verifier,
        x: &[u8; 32],
        client_identity: &[u8],
        server_identity: &[u8],
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Result<(Response, Self), Failure> {
        let shared = &verifier.shared;
        let exponent = Exponent::random(rng);
        let y = Element::base_times(&exponent).plus(&shared.n).encode();
        let theirs = Element::decode(x).ok_or(Failure::NotInSubgroup)?.minus(&shared.m);
        let z = theirs.times(&exponent).ok_or(Failure::NotInSubgroup)?;
        let v = verifier.l.times(&exponent).ok_or(Failure::NotInSubgroup)?;
        let (z, v) = (Zeroizing::new(z.encode()), Zeroizing::new(v.encode()));
        let main = Transcript { client_identity, server_identity, x, y: &y, z: &z, h_k: &shared.h_k, v: &v }
            .main_key();
        let response = Response { y, validator: *main.subkey(SERVER_VALIDATOR) };
        Ok((response, Self { keys: Keys::of(&main), expected: main.subkey(CLIENT_VALIDATOR) }))
    }

    /// Checks the validator of the client, in constant time, and gives out the keys. The client has one try. Fails
    /// with [`Failure::InvalidServerValidator`].
    pub fn finish(self, validator: &[u8]) -> Result<Keys, Failure> {
        let equal = self.expected.as_slice().ct_eq(validator);
        if bool::from(equal) { Ok(self.keys) } else { Err(Failure::InvalidServerValidator) }
    }
}

impl ZeroizeOnDrop for Server {}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}
