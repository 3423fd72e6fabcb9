//! Unit tests by rule, and whole networks.

mod network;
mod networks;
mod scratch;
