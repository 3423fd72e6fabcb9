//! The network Bob: two peers who share a password meet at a relay, prove to each other that they do, and pass a file
//! through it, of which it learns nothing (`bob-relay`). [`pack`] is the form in which the file travels.

pub mod pack;

pub use pack::{Compression, Name};
