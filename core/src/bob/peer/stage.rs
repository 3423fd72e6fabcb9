//! How far a peer has come.

/// How far it has come. Both people see the same.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Stage {
    /// Dialling the relay.
    Connect,
    /// Registered: nobody with this password is there yet.
    WaitPeer,
    /// A handshake is under way.
    Authenticate,
    /// The password is the same on both sides: the receiving person decides.
    Confirm,
    /// On the way to the room, and in it until the partner comes.
    Meet,
    /// The file travels.
    Transfer,
    /// All has been sent, or all has come: it is checked.
    Verify,
    /// The end is being said.
    Finish,
}

impl Stage {
    /// Its name in output for programs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::WaitPeer => "wait-peer",
            Self::Authenticate => "authenticate",
            Self::Confirm => "confirm",
            Self::Meet => "meet",
            Self::Transfer => "transfer",
            Self::Verify => "verify",
            Self::Finish => "finish",
        }
    }
}
