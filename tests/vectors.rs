//! Published vectors, a module a topic.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // Helpers of tests: a panic is how they report.

#[path = "topics/bob_relay/mod.rs"]
mod bob_relay;
#[path = "support/vectors.rs"]
mod harness;
#[path = "topics/mesh.rs"]
mod mesh;
#[path = "topics/overlay.rs"]
mod overlay;
#[path = "topics/solcial_content/mod.rs"]
mod solcial_content;
