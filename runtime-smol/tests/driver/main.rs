//! The driver on loopback, with a machine that does what the test says.

mod limits;
mod links;
mod probe;
mod questions;
