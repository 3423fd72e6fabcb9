//! How links end when an end does not read, has stopped, or closes twice over.

use super::*;

/// Both ends of a link that stands, the first as [`LINK`].
fn linked(dead_dials: DeadDials) -> (World, LinkId) {
    let mut world = world(dead_dials, false);
    world.dial();
    world.run(30);
    let accepted = world.accepted();
    (world, accepted)
}

fn flush(link: LinkId) -> Order {
    Output::Close { link, how: How::Flush }
}

impl World {
    fn causes(&self, node: u32) -> Vec<Cause> {
        self.ears.closed(node).into_iter().map(|(_, cause)| cause).collect()
    }

    fn finished(&self, node: u32) -> usize {
        self.ears.count(node, |input| matches!(input, Input::Finished { .. }))
    }
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

#[test]
fn a_flushed_close_is_given_up_when_the_peer_does_not_read() {
    for frozen in [false, true] {
        let (mut world, link) = linked(DeadDials::Refused);
        if frozen {
            world.net.stop(1, Stop::Freeze);
        } else {
            world.order(1, Output::Pause { link });
        }
        world.net.command(0, vec![send(LINK, pattern(200_000)), flush(LINK)]);
        world.run(4_990);
        assert_eq!(world.causes(0), [], "frozen: {frozen}");
        world.run(100);
        assert_eq!(world.causes(0), [Cause::TimedOut], "frozen: {frozen}");
        let told = if frozen { vec![] } else { vec![Cause::Reset] };
        assert_eq!(world.causes(1), told, "frozen: {frozen}");
        assert!(world.net.connections.is_empty(), "frozen: {frozen}");
    }
}

/// What the closing end has not read, and never will, must not hold up the other one.
#[test]
fn an_end_that_closes_over_unread_bytes_lets_the_other_end_close() {
    let (mut world, link) = linked(DeadDials::Refused);
    world.order(1, Output::Pause { link });
    world.order(0, send(LINK, pattern(70_000)));
    world.run(1_000);
    world.order(1, flush(link));
    world.run(100);
    assert_eq!((world.finished(0), world.causes(1)), (1, vec![Cause::Finished]));
    world.order(0, flush(LINK));
    world.run(1_000);
    assert_eq!(world.causes(0).len(), 1);
    assert!(world.ears.received(1).is_empty(), "nothing is told of a link that is closed");
    assert!(world.net.connections.is_empty());
}

#[test]
fn two_ends_that_both_flush_do_not_wait_for_each_other() {
    let (mut world, link) = linked(DeadDials::Refused);
    for (node, link) in [(0, LINK), (1, link)] {
        world.net.command(node, vec![send(link, pattern(200_000)), flush(link)]);
    }
    world.run(1_000);
    assert_eq!((world.causes(0).len(), world.causes(1).len()), (1, 1));
    assert!(world.net.connections.is_empty());
}

#[test]
fn a_half_that_is_closed_already_is_not_closed_again() {
    let (mut world, _) = linked(DeadDials::Refused);
    world.order(0, Output::Finish { link: LINK });
    world.run(100);
    world.order(0, flush(LINK));
    world.run(100);
    assert_eq!((world.finished(1), world.causes(0)), (1, vec![Cause::Finished]));
}
