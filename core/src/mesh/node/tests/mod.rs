//! The composed node, in a small network of whole nodes and hand-made peers.

mod half_open;
mod joining;
mod network;
mod raw;
