//! The relay, between hand-made peers.
