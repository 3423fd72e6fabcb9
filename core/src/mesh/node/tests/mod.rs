//! The composed node, in a small network of whole nodes and hand-made peers.

mod joining;
mod network;
mod raw;
