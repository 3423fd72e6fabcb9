//! The network Bob: two peers who share a password meet at a relay, prove to each other that they do, and pass a file
//! through it, of which it learns nothing (`bob-relay`). [`public`] and [`spoke`] are the handshake, [`channel`] the
//! records that carry the file.

pub mod channel;
pub mod public;
pub mod spoke;

pub use public::{Cipher, Public};
