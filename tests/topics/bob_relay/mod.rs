//! `bob-relay/`: packets, and the relay. A member that a test does not know is an error; where the other implementation
//! errs (`upstream_defect_or_laxity`), what ours is to do instead is asserted.

mod bench;
mod model;
mod relay_traces;

use crate::harness::topic;

#[test]
fn bob_relay() {
    topic("bob-relay", |topic| {
        relay_traces::relay_traces(topic);
    });
}
