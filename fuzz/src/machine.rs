//! Machines: bytes decide configuration and steps, the law checker watches.

use pleach_tests::laws::{self, Subject, Tally};
use pleach_tests::subjects::broadcast::Swarm;

/// `broadcast`.
pub fn broadcast(data: &[u8]) {
    obeys::<Swarm>(data);
}

/// Plays the run that `data` decides; a broken law is a panic.
fn obeys<S: Subject>(data: &[u8]) {
    let checked = laws::check::<S>(data, &mut Tally::default());
    assert!(checked.is_ok(), "{}: {checked:?}", S::NAME);
}
