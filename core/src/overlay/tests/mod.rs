//! Unit tests by rule, and whole networks.

mod admission;
mod bench;
mod joining;
mod linking;
mod network;
mod networks;
mod plain;
mod probes;
mod repairing;
mod shuffling;
