//! Bytes to values and back: readers that cannot run past their input, and the encodings that networks share.
//!
//! Decoders here are strict, never allocate for bytes that are not there, and report what was wrong as a small enum.
#![deny(clippy::arithmetic_side_effects)]

pub mod base58;
pub mod cbor;
pub mod frame;
pub mod multiaddr;
pub mod protobuf;
mod reader;
pub mod varint;

pub use reader::{Reader, Short};
