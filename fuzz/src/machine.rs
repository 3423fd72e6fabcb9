//! Machines: bytes decide configuration and steps, the law checker watches.
//!
//! That each subject reaches every state, input and output of its machine is shown by `tests/laws.rs`, which counts them.

use pleach_tests::laws::{self, Subject, Tally};
use pleach_tests::subjects::bob_client::Hosts;
use pleach_tests::subjects::bob_relay::Guests;
use pleach_tests::subjects::bob_server::Callers;
use pleach_tests::subjects::book::Acquaintances;
use pleach_tests::subjects::broadcast::Swarm;
use pleach_tests::subjects::channel::Line;
use pleach_tests::subjects::dialler::Carriers;
use pleach_tests::subjects::heads::Announcers;
use pleach_tests::subjects::node::World;
use pleach_tests::subjects::overlay::Neighbourhood;
use pleach_tests::subjects::session::Link;

/// `broadcast`.
pub fn broadcast(data: &[u8]) {
    obeys::<Swarm>(data);
}

/// `overlay`.
pub fn overlay(data: &[u8]) {
    obeys::<Neighbourhood>(data);
}

/// `session`.
pub fn session(data: &[u8]) {
    obeys::<Link>(data);
}

/// `peers`.
pub fn book(data: &[u8]) {
    obeys::<Acquaintances>(data);
}

/// `peers::dial`.
pub fn dialler(data: &[u8]) {
    obeys::<Carriers>(data);
}

/// `heads`.
pub fn heads(data: &[u8]) {
    obeys::<Announcers>(data);
}

/// `bob::client`.
pub fn bob_client(data: &[u8]) {
    obeys::<Hosts>(data);
}

/// `bob::server`.
pub fn bob_server(data: &[u8]) {
    obeys::<Callers>(data);
}

/// `bob::relay`.
pub fn bob_relay(data: &[u8]) {
    obeys::<Guests>(data);
}

/// `channel`.
pub fn channel(data: &[u8]) {
    obeys::<Line>(data);
}

/// `mesh::node`.
pub fn node(data: &[u8]) {
    obeys::<World>(data);
}

/// Plays the run that `data` decides; a broken law is a panic.
fn obeys<S: Subject>(data: &[u8]) {
    let checked = laws::check::<S>(data, &mut Tally::default());
    assert!(checked.is_ok(), "{}: {checked:?}", S::NAME);
}
