//! Support for the tests of all packages: the law checker, the machines it checks, and an allocator that counts.
//!
//! A [`laws::Subject`] says how to drive one machine with random but telling inputs. The same subject serves the laws
//! (`tests/laws.rs`), the replay of the fuzzing corpus, and libFuzzer: all three only choose bytes.

pub mod allocations;
pub mod choices;
pub mod laws;
pub mod subjects;

/// The examples of the front page compile and run.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
