//! One test per rule of `broadcast.md`, and the trees that grow on a fixed random graph.

mod links;
mod network;
mod node;
mod payloads;
mod trees;
