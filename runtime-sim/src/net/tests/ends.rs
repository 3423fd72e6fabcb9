//! How links end when an end has stopped.

use super::*;

/// Both ends of a link that stands, the first as [`LINK`].
fn linked(dead_dials: DeadDials) -> (World, LinkId) {
    let mut world = world(dead_dials, false);
    world.dial();
    world.run(30);
    let accepted = world.accepted();
    (world, accepted)
}

#[test]
fn a_frozen_host_answers_nothing_whatever_becomes_of_dials_to_the_dead() {
    for dead_dials in [DeadDials::Refused, DeadDials::Silent] {
        let (mut world, _) = linked(dead_dials);
        world.net.stop(1, Stop::Freeze);
        world.order(0, send(LINK, pattern(500)));
        let (address, from, role) = (Address::Socket(address(1)), From::Anywhere, Role::Dialler);
        world.order(0, Output::Dial { link: LinkId(2), address, from, role });
        world.order(0, Output::Finish { link: LINK });
        world.run(60_000);
        assert_eq!(world.ears.closed(0), [], "{dead_dials:?}");
    }
}
