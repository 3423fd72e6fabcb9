//! What the password becomes (`bob-relay` 4.1).

use core::fmt;
use core::num::NonZeroU32;

use bytes::BufMut;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::Failure;
use super::derivation::Derivation;
use super::group::{Element, Exponent};
use super::map::from_uniform;
use crate::bob::public::{self, Public};

/// Bytes that are derived from a password.
const DERIVED: usize = 128;
/// Bytes of an encoded [`Verifier`].
pub const VERIFIER_LENGTH: usize = public::LENGTH + 128;

/// A [`Secret`] under way. Its work is four times the count of the public, which a peer has chosen.
#[derive(Debug)]
pub struct Deriving {
    public: Public,
    derivation: Derivation,
}

impl Deriving {
    /// From the raw bytes of a password: nothing is trimmed or normalised, and none at all will do.
    #[must_use]
    pub fn new(public: Public, password: &[u8]) -> Self {
        // A public has no count of 0.
        let count = NonZeroU32::new(public.count()).unwrap_or(NonZeroU32::MIN);
        Self { public, derivation: Derivation::new(password, public.salt(), count, DERIVED) }
    }

    /// Does at most so many iterations, of which there are `4 * public.count()`. Returns the secret from the call that
    /// completes it, and nothing ever after. A processor with instructions for SHA-256 takes some 0.2 microseconds for
    /// one, so the largest count takes it most of a second.
    pub fn advance(&mut self, iterations: u32) -> Option<Secret> {
        let derived = self.derivation.advance(iterations)?;
        Secret::from_derived(self.public, &derived)
    }

    /// The parameters.
    #[must_use]
    pub const fn public(&self) -> &Public {
        &self.public
    }
}

/// What a client needs of the password. A server needs a [`Verifier`], which can be made of it.
pub struct Secret {
    public: Public,
    pub(super) shared: Shared,
    /// The exponent of L: what a client proves to know, and a server does not keep.
    pub(super) h_l: Exponent,
}

/// What both sides need.
#[derive(Clone)]
pub(super) struct Shared {
    /// M hides what the client sends.
    pub(super) m: Element,
    /// N hides what the server sends.
    pub(super) n: Element,
    pub(super) h_k: [u8; 32],
}

impl Secret {
    /// All the work at once: for a count that is known to be small.
    #[must_use]
    pub fn derive(public: Public, password: &[u8]) -> Self {
        let mut deriving = Deriving::new(public, password);
        loop {
            if let Some(secret) = deriving.advance(u32::MAX) {
                return secret;
            }
        }
    }

    /// What a server needs.
    #[must_use]
    pub fn verifier(&self) -> Verifier {
        Verifier { public: self.public, shared: self.shared.clone(), l: Element::base_times(&self.h_l) }
    }

    /// The parameters.
    #[must_use]
    pub const fn public(&self) -> &Public {
        &self.public
    }

    fn from_derived(public: Public, derived: &[u8]) -> Option<Self> {
        let ([m, n, h_k, h_l], []) = derived.as_chunks() else { return None };
        let shared = Shared { m: from_uniform(m), n: from_uniform(n), h_k: *h_k };
        Some(Self { public, shared, h_l: Exponent::clamped(*h_l) })
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").field("public", &self.public).finish_non_exhaustive()
    }
}

/// What a server needs of the password: enough to check a client, and to look for the password at leisure, but not to
/// pose as a client at once. The other implementation calls it the secret; it is never sent.
pub struct Verifier {
    public: Public,
    pub(super) shared: Shared,
    pub(super) l: Element,
}

impl Verifier {
    /// Reads what [`Verifier::encode`] wrote. Fails with [`Failure::InvalidSecret`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Failure> {
        let bytes: &[u8; VERIFIER_LENGTH] = bytes.try_into().map_err(|_| Failure::InvalidSecret)?;
        let (public, parts) = bytes.split_at(public::LENGTH);
        let public = Public::decode(public).map_err(|_| Failure::InvalidSecret)?;
        let ([m, n, h_k, l], []) = parts.as_chunks() else { return Err(Failure::InvalidSecret) };
        let element = |bytes| Element::decode(bytes).ok_or(Failure::InvalidSecret);
        let shared = Shared { m: element(m)?, n: element(n)?, h_k: *h_k };
        Ok(Self { public, shared, l: element(l)? })
    }

    /// The public, M, N, h_K, L.
    #[must_use]
    pub fn encode(&self) -> Zeroizing<[u8; VERIFIER_LENGTH]> {
        let Shared { m, n, h_k } = &self.shared;
        let mut encoded = Zeroizing::new([0; VERIFIER_LENGTH]);
        let mut out = encoded.as_mut_slice();
        out.put_slice(&self.public.encode());
        for part in [&m.encode(), &n.encode(), h_k, &self.l.encode()] {
            out.put_slice(part);
        }
        encoded
    }

    /// The parameters.
    #[must_use]
    pub const fn public(&self) -> &Public {
        &self.public
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("public", &self.public).finish_non_exhaustive()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.m.zeroize();
        self.n.zeroize();
        self.h_k.zeroize();
    }
}

impl Drop for Verifier {
    fn drop(&mut self) {
        self.l.zeroize();
    }
}

impl ZeroizeOnDrop for Secret {}
impl ZeroizeOnDrop for Shared {}
impl ZeroizeOnDrop for Verifier {}
