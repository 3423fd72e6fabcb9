//! The three messages of XX.

use alloc::sync::Arc;
use core::fmt;

use bytes::BytesMut;
use rand_core::CryptoRng;
use x25519_dalek::{PublicKey as Point, StaticSecret};
use zeroize::Zeroizing;

use super::symmetric::SymmetricState;
use super::{HANDSHAKE_MESSAGE_MAX, KEY, NoiseError, Opener, Payload, Sealer, StaticKey, TAG, key_pair};
use crate::link::Role;

/// What the next message is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    /// We write it.
    Write,
    /// The peer does.
    Read,
    /// There is none: split.
    Done,
}

/// One side of a handshake. The initiator is the dialler of the link.
pub struct Handshake {
    role: Role,
    /// How many messages have been written and read.
    messages: u8,
    symmetric: SymmetricState,
    local: Arc<StaticKey>,
    ephemeral: StaticSecret,
    ephemeral_public: [u8; 32],
    remote_ephemeral: Option<Point>,
    remote_static: Option<Point>,
}

impl Handshake {
    /// A handshake with a fresh ephemeral key.
    pub fn new(role: Role, local: Arc<StaticKey>, rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        let mut secret = Zeroizing::new([0; 32]);
        rng.fill_bytes(secret.as_mut_slice());
        Self::with_ephemeral(role, local, &secret, &[])
    }

    /// A handshake with a given ephemeral secret and prologue: for test vectors only. An ephemeral secret that is used
    /// twice breaks the protocol.
    #[must_use]
    pub fn with_ephemeral(role: Role, local: Arc<StaticKey>, secret: &[u8; 32], prologue: &[u8]) -> Self {
        let (ephemeral, ephemeral_public) = key_pair(secret);
        Self {
            role,
            messages: 0,
            symmetric: SymmetricState::new(prologue),
            local,
            ephemeral,
            ephemeral_public,
            remote_ephemeral: None,
            remote_static: None,
        }
    }

    /// Whose turn it is.
    #[must_use]
    pub const fn step(&self) -> Step {
        match (self.role, self.messages) {
            (Role::Dialler, 0 | 2) | (Role::Listener, 1) => Step::Write,
            (Role::Dialler, 1) | (Role::Listener, 0 | 2) => Step::Read,
            (Role::Dialler | Role::Listener, _) => Step::Done,
        }
    }

    /// The longest next message of the peer that can be one, in bytes: the first is an ephemeral key and nothing else.
    #[must_use]
    pub const fn message_max(&self) -> usize {
        if self.messages == 0 { KEY } else { HANDSHAKE_MESSAGE_MAX }
    }

    /// Writes our next message, with our payload in it where the pattern allows one; length prefix included.
    pub fn write(&mut self) -> Result<BytesMut, NoiseError> {
        if self.step() != Step::Write {
            return Err(NoiseError::OutOfTurn);
        }
        let local = Arc::clone(&self.local);
        let mut out = BytesMut::new();
        out.extend_from_slice(&[0, 0]);
        match self.messages {
            0 => {
                self.put_ephemeral(&mut out);
                self.symmetric.encrypt_and_hash(&[], &mut out)?;
            }
            1 => {
                self.put_ephemeral(&mut out);
                self.mix_ephemerals()?;
                self.symmetric.encrypt_and_hash(&local.public, &mut out)?;
                self.mix_responder_static()?;
                self.symmetric.encrypt_and_hash(&local.payload, &mut out)?;
            }
            _ => {
                self.symmetric.encrypt_and_hash(&local.public, &mut out)?;
                self.mix_initiator_static()?;
                self.symmetric.encrypt_and_hash(&local.payload, &mut out)?;
            }
        }
        self.messages = self.messages.saturating_add(1);
        let length = u16::try_from(out.len().saturating_sub(2)).map_err(|_| NoiseError::BadLength)?;
        if let Some(prefix) = out.first_chunk_mut() {
            *prefix = length.to_be_bytes();
        }
        Ok(out)
    }

    /// Reads the peer's next message, without its length prefix. Of the second and third it returns the payload, whose
    /// signature over the static key it came with has been verified. A handshake that failed is to be dropped.
    pub fn read(&mut self, mut message: BytesMut) -> Result<Option<Payload>, NoiseError> {
        if self.step() != Step::Read {
            return Err(NoiseError::OutOfTurn);
        }
        match self.messages {
            0 => {
                self.take_ephemeral(&mut message)?;
                if !message.is_empty() {
                    return Err(NoiseError::UnexpectedPayload);
                }
                self.symmetric.decrypt_and_hash(&mut message)?;
                self.messages = 1;
                return Ok(None);
            }
            1 => {
                self.take_ephemeral(&mut message)?;
                self.mix_ephemerals()?;
                self.take_static(&mut message)?;
                self.mix_responder_static()?;
            }
            _ => {
                self.take_static(&mut message)?;
                self.mix_initiator_static()?;
            }
        }
        self.symmetric.decrypt_and_hash(&mut message)?;
        self.messages = self.messages.saturating_add(1);
        let payload = Payload::decode(&message)?;
        let static_key = self.remote_static.as_ref().ok_or(NoiseError::OutOfTurn)?;
        if payload.vouches_for(static_key.as_bytes()) {
            Ok(Some(payload))
        } else {
            Err(NoiseError::BadSignature)
        }
    }

    /// The transcript hash: the same on both sides, once the handshake is done.
    #[must_use]
    pub const fn hash(&self) -> &[u8; 32] {
        self.symmetric.hash()
    }

    /// The two directions of the transport, when the handshake is done.
    pub fn split(self) -> Result<(Sealer, Opener), NoiseError> {
        if self.step() != Step::Done {
            return Err(NoiseError::OutOfTurn);
        }
        let (forth, back) = self.symmetric.split()?;
        Ok(match self.role {
            Role::Dialler => (Sealer::new(forth), Opener::new(back)),
            Role::Listener => (Sealer::new(back), Opener::new(forth)),
        })
    }

    fn put_ephemeral(&mut self, out: &mut BytesMut) {
        out.extend_from_slice(&self.ephemeral_public);
        self.symmetric.mix_hash(&self.ephemeral_public);
    }

    fn take_ephemeral(&mut self, message: &mut BytesMut) -> Result<(), NoiseError> {
        let key = *message.first_chunk::<KEY>().ok_or(NoiseError::BadLength)?;
        let _ = message.split_to(key.len());
        self.symmetric.mix_hash(&key);
        self.remote_ephemeral = Some(Point::from(key));
        Ok(())
    }

    fn take_static(&mut self, message: &mut BytesMut) -> Result<(), NoiseError> {
        let sealed = KEY.saturating_add(TAG);
        if message.len() < sealed {
            return Err(NoiseError::BadLength);
        }
        let mut key = message.split_to(sealed);
        self.symmetric.decrypt_and_hash(&mut key)?;
        let key: [u8; 32] = key.as_ref().try_into().map_err(|_| NoiseError::BadLength)?;
        self.remote_static = Some(Point::from(key));
        Ok(())
    }

    /// `ee`
    fn mix_ephemerals(&mut self) -> Result<(), NoiseError> {
        let remote = self.remote_ephemeral;
        agree(&mut self.symmetric, &self.ephemeral, remote)
    }

    /// `es`: the responder's static key with the initiator's ephemeral one.
    fn mix_responder_static(&mut self) -> Result<(), NoiseError> {
        match self.role {
            Role::Dialler => agree(&mut self.symmetric, &self.ephemeral, self.remote_static),
            Role::Listener => agree(&mut self.symmetric, &self.local.secret, self.remote_ephemeral),
        }
    }

    /// `se`: the initiator's static key with the responder's ephemeral one.
    fn mix_initiator_static(&mut self) -> Result<(), NoiseError> {
        match self.role {
            Role::Dialler => agree(&mut self.symmetric, &self.local.secret, self.remote_ephemeral),
            Role::Listener => agree(&mut self.symmetric, &self.ephemeral, self.remote_static),
        }
    }
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake")
            .field("role", &self.role)
            .field("messages", &self.messages)
            .finish_non_exhaustive()
    }
}

/// Mixes a key agreement in. Zero, the result of every point of small order, ends the handshake (T-30).
fn agree(
    symmetric: &mut SymmetricState,
    ours: &StaticSecret,
    theirs: Option<Point>,
) -> Result<(), NoiseError> {
    let secret = ours.diffie_hellman(&theirs.ok_or(NoiseError::OutOfTurn)?);
    if secret.was_contributory() { symmetric.mix_key(secret.as_bytes()) } else { Err(NoiseError::ZeroSecret) }
}
