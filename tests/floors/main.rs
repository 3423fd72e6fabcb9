//! The shape of the workspace, read from its sources: floors of `core`, habits of all files, the release profile.
#![allow(clippy::expect_used, clippy::panic)] // Helpers of tests: a panic is how they report.

mod covered;
mod habits;
mod no_std;
mod paths;
mod poll;
mod profile;
mod source;
