//! T-34: who guesses has to wait, and nobody else.

use alloc::vec::Vec;
use core::time::Duration;
use std::format;

use super::{Desk, Guest, PASSWORD, registered, registered_with};
use crate::bob::packet::{Body, Packet, SpokeFailure, Uid};
use crate::bob::peer::Stage;
use crate::bob::peer::tests::bench::{identity, packet};
use crate::bob::peer::tests::world::sends;
use crate::bob::public::Public;
use crate::bob::server::{Config, Event, Guesses};
use crate::machine::Machine;

const GUESSER: &str = "198.51.100.2:5000";

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn is_answered(said: &[Packet]) -> bool {
    matches!(said, [Packet { body: Body::ServerShare { .. }, .. }])
}

/// How long a guess of this address has to wait, in seconds; none if it is not answered at all.
fn waits(desk: &mut Desk, public: Public, uid: u16) -> Option<u64> {
    let mut guest = Guest::guesser(uid, GUESSER, public);
    let share = guest.share(desk);
    let mut said = desk.packets(&[share]);
    let mut waited = 0;
    while said.is_empty() && waited < 200 {
        desk.advance(seconds(1));
        said = desk.said();
        waited += 1;
    }
    if said.is_empty() {
        return None;
    }
    let proof = guest.prove(&said);
    desk.packets(&[proof]);
    Some(waited)
}

#[test]
fn t_34_the_first_guess_is_free_and_each_waits_twice_as_long_up_to_a_minute() {
    let (mut desk, public) = registered();
    let waited: Vec<_> = (2..11).map(|uid| waits(&mut desk, public, uid)).collect();
    assert_eq!(waited, [0, 1, 2, 4, 8, 16, 32, 60, 60].map(Some));
}

#[test]
fn t_34_an_address_that_failed_too_often_is_cut_off() {
    let guesses = Guesses { failures_max: 3, ..Guesses::default() };
    let (mut desk, public) = registered_with(Config { guesses, ..sends(PASSWORD, b"beech") });
    let waited: Vec<_> = (2..7).map(|uid| waits(&mut desk, public, uid)).collect();
    assert_eq!(waited, [Some(0), Some(1), Some(2), None, None]);
    assert_eq!(desk.machine.stats().cut_off, 2);
    assert_eq!(desk.machine.stats().failed, 3);
    // Long after, it is forgotten.
    desk.advance(seconds(3600));
    assert_eq!(waits(&mut desk, public, 9), Some(0));
}

#[test]
fn t_34_nobody_waits_for_the_guesses_of_another_address() {
    let (mut desk, public) = registered();
    for uid in 2..6 {
        waits(&mut desk, public, uid);
    }
    let waiting = Guest::guesser(7, GUESSER, public).share(&mut desk);
    assert_eq!(desk.packets(&[waiting]), []);
    Guest::friend(8, "198.51.100.3:5000", public).agrees(&mut desk);
    Guest::friend(9, "2001:db8::1:4000", public).agrees(&mut desk);
}

#[test]
fn t_34_who_has_many_ipv6_addresses_is_one_guesser() {
    let same = [
        ["2001:db8::1:4000", "2001:db8::2:4000"],
        ["198.51.100.2:5000", "::ffff:198.51.100.2:5000"],
        ["somewhere:1", "somewhere:2"],
    ];
    let others = [
        ["2001:db8::1:4000", "2001:db8:0:1::1:4000"],
        ["198.51.100.2:5000", "198.51.100.3:5000"],
        ["somewhere:1", "elsewhere:1"],
    ];
    let pairs = same.map(|pair| (pair, false)).into_iter().chain(others.map(|pair| (pair, true)));
    for ([first, second], is_free) in pairs {
        let (mut desk, public) = registered();
        Guest::guesser(2, first, public).fails(&mut desk);
        let share = Guest::guesser(3, second, public).share(&mut desk);
        assert_eq!(is_answered(&desk.packets(&[share])), is_free, "{first} {second}");
    }
}

#[test]
fn t_34_the_application_hears_of_each_failure() {
    let (mut desk, public) = registered();
    Guest::guesser(2, GUESSER, public).fails(&mut desk);
    let failed = |failures| Event::WrongPassword { identity: identity(GUESSER), failures };
    assert!(desk.events().contains(&failed(1)));
    waits(&mut desk, public, 3);
    assert!(desk.events().contains(&failed(2)));
}

#[test]
fn t_34_a_client_that_leaves_with_the_answer_has_guessed() {
    let (mut desk, public) = registered();
    let share = Guest::guesser(2, GUESSER, public).share(&mut desk);
    assert!(is_answered(&desk.packets(&[share])));
    desk.packet(0, Body::Closed { peer: Uid(2) });
    assert_eq!(desk.machine.stats().failed, 1);
    assert_eq!(waits(&mut desk, public, 3), Some(1));
}

#[test]
fn t_34_an_answer_that_no_proof_follows_was_a_guess() {
    let (mut desk, public) = registered();
    let share = Guest::guesser(2, GUESSER, public).share(&mut desk);
    assert!(is_answered(&desk.packets(&[share])));
    desk.events();
    desk.advance(seconds(60) - Duration::from_micros(1));
    assert_eq!((desk.said(), desk.events()), (Vec::new(), Vec::new()));
    desk.advance(Duration::from_micros(1));
    let failure = Body::SpokeFailure(SpokeFailure::InvalidServerValidator);
    assert_eq!(desk.said(), [packet(2, failure)]);
    let failed = Event::WrongPassword { identity: identity(GUESSER), failures: 1 };
    assert_eq!(desk.events(), [failed, Event::Stage(Stage::WaitPeer)]);
    assert_eq!(waits(&mut desk, public, 3), Some(1));
    assert_eq!(desk.machine.stats().failed, 2);
}

#[test]
fn t_34_who_takes_the_place_of_the_last_guess_of_its_address_does_not_wait() {
    let guesses = Guesses { failures_max: 1, ..Guesses::default() };
    let (mut desk, public) = registered_with(Config { guesses, clients_max: 1, ..sends(PASSWORD, b"beech") });
    for uid in [2, 3] {
        let share = Guest::guesser(uid, GUESSER, public).share(&mut desk);
        assert_eq!(is_answered(&desk.packets(&[share])), uid == 2);
    }
    assert_eq!(desk.machine.stage(), Some(Stage::WaitPeer));
    assert_eq!(desk.machine.stats().cut_off, 1);
}

#[test]
fn t_34_a_person_may_think_for_long() {
    let (mut desk, public) = registered();
    Guest::friend(2, GUESSER, public).agrees(&mut desk);
    desk.advance(seconds(100_000));
    assert_eq!((desk.said(), desk.machine.stage()), (Vec::new(), Some(Stage::Confirm)));
    desk.packet(2, Body::Accepted);
    assert_eq!(desk.machine.stage(), Some(Stage::Meet));
}

#[test]
fn t_34_a_client_that_leaves_before_the_answer_has_not_guessed() {
    let (mut desk, public) = registered();
    Guest::guesser(2, GUESSER, public).fails(&mut desk);
    let share = Guest::guesser(3, GUESSER, public).share(&mut desk);
    assert_eq!(desk.packets(&[share]), []);
    desk.packet(0, Body::Closed { peer: Uid(3) });
    assert_eq!(desk.machine.stats().failed, 1);
    desk.advance(seconds(5));
    assert_eq!(desk.said(), [], "who is gone is not answered");
}

#[test]
fn t_34_some_of_one_address_may_try_at_once_until_one_fails() {
    let (mut desk, public) = registered();
    let mut guests: Vec<_> = (2..8).map(|uid| Guest::friend(uid, GUESSER, public)).collect();
    let shares: Vec<_> = guests.iter_mut().map(|guest| guest.share(&mut desk)).collect();
    let answers = desk.packets(&shares);
    assert_eq!(answers.len(), 4);
    // One succeeds: the fifth has its turn.
    let proof = guests[0].prove(&answers[..1]);
    let said = desk.packets(&[proof]);
    assert_eq!(said.len(), 2, "{said:?}");
    assert_eq!(said[0], packet(2, Body::Agreement));
    assert!(is_answered(&said[1..]));
    // One fails: the sixth waits, and longer, as three others may turn out to be guesses as well.
    assert_eq!(desk.packet(3, Body::Refused), []);
    desk.advance(seconds(7));
    assert_eq!(desk.said(), []);
    desk.advance(seconds(1));
    assert!(is_answered(&desk.said()));
}

#[test]
fn t_34_right_passwords_are_no_guesses() {
    let (mut desk, public) = registered();
    for uid in 2..30 {
        Guest::friend(uid, GUESSER, public).agrees(&mut desk);
    }
    assert_eq!(desk.machine.stats().failed, 0);
}

#[test]
fn addresses_and_clients_are_bounded() {
    let guesses = Guesses { addresses_max: 3, ..Guesses::default() };
    let config = Config { guesses, clients_max: 4, ..sends(PASSWORD, b"beech") };
    let (mut desk, public) = registered_with(config);
    Guest::friend(1, "192.0.2.99:1", public).agrees(&mut desk);
    for uid in 2..40 {
        let name = format!("198.51.100.{uid}:5000").leak();
        let share = Guest::guesser(uid, name, public).share(&mut desk);
        assert!(is_answered(&desk.packets(&[share])), "{uid}");
    }
    assert_eq!(desk.machine.stats().clients_shed, 38 - 3);
    assert_eq!(desk.packet(1, Body::Accepted), [], "who has agreed is not shed");
}

#[test]
fn t_34_who_waits_when_its_address_is_cut_off_is_not_answered() {
    let guesses = Guesses { failures_max: 1, at_once: 1, ..Guesses::default() };
    let (mut desk, public) = registered_with(Config { guesses, ..sends(PASSWORD, b"beech") });
    let mut first = Guest::guesser(2, GUESSER, public);
    let share = first.share(&mut desk);
    let answer = desk.packets(&[share]);
    let second = Guest::guesser(3, GUESSER, public).share(&mut desk);
    assert_eq!(desk.packets(&[second]), []);
    let proof = first.prove(&answer);
    assert_eq!(desk.machine.stage(), Some(Stage::Authenticate));
    desk.packets(&[proof]);
    assert_eq!(desk.machine.stage(), Some(Stage::WaitPeer), "nor is it waited for");
    assert_eq!(desk.machine.stats().cut_off, 1);
    desk.advance(seconds(1000));
    assert_eq!(desk.said(), []);
}

#[test]
fn t_34_who_has_agreed_may_accept_although_its_address_is_cut_off() {
    let guesses = Guesses { failures_max: 1, at_once: 1, ..Guesses::default() };
    let (mut desk, public) = registered_with(Config { guesses, ..sends(PASSWORD, b"beech") });
    let mut friend = Guest::friend(2, GUESSER, public);
    friend.agrees(&mut desk);
    let mut guesser = Guest::guesser(3, GUESSER, public);
    let share = guesser.share(&mut desk);
    let answer = desk.packets(&[share]);
    let again = friend.share(&mut desk);
    assert_eq!(desk.packets(&[again]), []);
    let proof = guesser.prove(&answer);
    desk.packets(&[proof]);
    assert_eq!((desk.machine.stats().cut_off, desk.machine.stage()), (1, Some(Stage::Confirm)));
    desk.packet(2, Body::Accepted);
    assert_eq!(desk.machine.stage(), Some(Stage::Meet));
}

#[test]
fn t_34_who_is_cut_off_sheds_nobody() {
    let guesses = Guesses { failures_max: 1, ..Guesses::default() };
    let config = Config { guesses, clients_max: 1, ..sends(PASSWORD, b"beech") };
    let (mut desk, public) = registered_with(config);
    Guest::guesser(2, GUESSER, public).fails(&mut desk);
    let mut friend = Guest::friend(3, "198.51.100.3:5000", public);
    let share = friend.share(&mut desk);
    let answer = desk.packets(&[share]);
    let again = Guest::guesser(4, GUESSER, public).share(&mut desk);
    assert_eq!(desk.packets(&[again]), []);
    let proof = friend.prove(&answer);
    assert_eq!(desk.packets(&[proof]), [packet(3, Body::Agreement)]);
}

#[test]
fn answers_of_one_call_are_bounded_and_the_others_follow() {
    let config = Config { responses_per_call: 3, ..sends(PASSWORD, b"beech") };
    let (mut desk, public) = registered_with(config);
    let shares = (2..10).map(|uid| {
        let name = format!("198.51.100.{uid}:5000").leak();
        Guest::friend(uid, name, public).share(&mut desk)
    });
    let shares: Vec<_> = shares.collect();
    assert_eq!(desk.packets(&shares).len(), 3);
    // `packets` reports what has left, which is a call.
    let mut answered = 3;
    while answered < 8 {
        desk.now = desk.machine.poll_timeout().unwrap();
        desk.wake();
        let said = desk.said();
        assert!((1..=6).contains(&said.len()), "{}", said.len());
        answered += said.len();
    }
    assert_eq!(answered, 8);
}
