//! Sections 7 to 9: a file goes from one to the other.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use super::world::{Mind, World, sends, takes};
use crate::bob::client::{self, Command};
use crate::bob::pack::Compression;
use crate::bob::peer;
use crate::bob::server::{self, Sent};

const PASSWORD: &str = "pear-hedge";
const CONFIRMED: Option<Result<Sent, server::Failure>> = Some(Ok(Sent { confirmed: true }));

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from(at * at / 7 % 251).unwrap()).collect()
}

/// A pair, both with the password.
fn pair(world: &mut World, content: &[u8], compression: Compression) -> (usize, usize) {
    let config = server::Config { compression, ..sends(PASSWORD, content) };
    (world.server(config, content), world.client(takes(PASSWORD), Mind::Accepts))
}

#[test]
fn section_9_files_of_all_sizes_arrive_in_both_compressions() {
    for compression in [Compression::None, Compression::Level4] {
        for length in [0, 1, 32_767, 32_768, 70_000] {
            let (mut world, content) = (World::new(u64::try_from(length).unwrap()), content(length));
            let (server, client) = pair(&mut world, &content, compression);
            world.run();
            assert_eq!(world.sent(server), CONFIRMED, "{length} {compression:?}");
            assert_eq!(world.received(client), Some(Ok(())));
            assert!(world.content(client) == content);
            let file = world.client_events(client).iter().find_map(|event| match event {
                client::Event::File { name, size } => Some((name.as_bytes().to_vec(), *size)),
                _ => None,
            });
            assert_eq!(file, Some((b"hedge.txt".to_vec(), u64::try_from(length).unwrap())));
        }
    }
}

#[test]
fn section_2_any_fragmentation_is_legal() {
    for (seed, piece_max) in [(1, 1), (2, 2), (3, 7), (4, 200), (5, 100_000)] {
        let (mut world, content) = (World::new(seed), content(3000));
        world.piece_max = piece_max;
        let (server, client) = pair(&mut world, &content, Compression::Level4);
        world.run();
        assert_eq!(world.sent(server), CONFIRMED);
        assert!(world.content(client) == content);
    }
}

#[test]
fn section_9_the_client_may_come_first() {
    let mut world = World::new(1);
    let client = world.client(takes(PASSWORD), Mind::Accepts);
    world.run();
    let server = world.server(sends(PASSWORD, b"beech"), b"beech");
    world.run();
    assert_eq!(world.sent(server), CONFIRMED);
    assert_eq!(world.content(client), b"beech");
}

#[test]
fn section_5_two_clients_with_the_right_password_at_once_and_nobody_loses() {
    for seed in 0..20 {
        let mut world = World::new(seed);
        let clients = [takes(PASSWORD), takes(PASSWORD)].map(|config| world.client(config, Mind::Accepts));
        world.run();
        let server = world.server(sends(PASSWORD, b"beech"), b"beech");
        world.run();
        assert_eq!(world.sent(server), CONFIRMED);
        let ended = clients.map(|client| world.received(client));
        assert!([[Some(Ok(())), None], [None, Some(Ok(()))]].contains(&ended), "{ended:?}");
        // The other goes on, and gets the next file.
        let other = clients[usize::from(ended[0].is_some())];
        world.advance(Duration::from_secs(60));
        let server = world.server(sends(PASSWORD, b"oak"), b"oak");
        world.run();
        assert_eq!(world.sent(server), CONFIRMED);
        assert_eq!(world.content(other), b"oak");
    }
}

#[test]
fn section_5_a_client_that_refuses_goes_on_and_so_does_the_server() {
    let mut world = World::new(1);
    let (first, second) = (sends(PASSWORD, b"beech"), sends(PASSWORD, b"oak"));
    let server = world.server(first, b"beech");
    let refuses = world.client(takes(PASSWORD), Mind::Refuses);
    world.run();
    assert_eq!((world.sent(server), world.received(refuses)), (None, None));
    let accepts = world.client(takes(PASSWORD), Mind::Accepts);
    world.run();
    assert_eq!(world.content(accepts), b"beech");
    world.server(second, b"oak");
    world.run();
    let offers = |event: &&client::Event| matches!(event, client::Event::Offered { .. });
    assert_eq!(world.client_events(refuses).iter().filter(offers).count(), 2);
}

#[test]
fn section_5_other_passwords_fail_and_the_right_one_succeeds() {
    let mut world = World::new(1);
    let server = world.server(sends(PASSWORD, b"beech"), b"beech");
    let wrong = ["", "pear", "pear-hedge ", "Pear-hedge"]
        .map(|password| world.client(takes(password), Mind::Accepts));
    world.run();
    let failed = |event: &&server::Event| matches!(event, server::Event::WrongPassword { failures: 1, .. });
    assert_eq!(
        world.server_events(server).iter().filter(failed).count(),
        4,
        "each from an address of its own"
    );
    let right = world.client(takes(PASSWORD), Mind::Accepts);
    world.run();
    assert_eq!(world.content(right), b"beech");
    for client in wrong {
        let events = world.client_events(client);
        assert!(events.contains(&client::Event::Servers { present: 0, failed: 1 }));
        assert!(!events.iter().any(|event| matches!(event, client::Event::Offered { .. })));
    }
}

#[test]
fn section_5_many_pairs_find_each_other() {
    let (mut world, words) = (World::new(3), ["beech", "oak", "ash", "elm", "yew", "fir", "lime", "pear"]);
    let servers = words.map(|word| world.server(sends(word, word.as_bytes()), word.as_bytes()));
    let clients = words.map(|word| world.client(takes(word), Mind::Accepts));
    world.advance(Duration::from_secs(5));
    for at in 0..words.len() {
        assert_eq!(world.sent(servers[at]), CONFIRMED);
        assert_eq!(world.content(clients[at]), words[at].as_bytes());
    }
}

#[test]
fn section_8_a_byte_changed_anywhere_is_found_by_the_client_and_said_to_the_server() {
    let content = content(200);
    for at in (0..430).step_by(3) {
        let mut world = World::new(1);
        let (server, client) = pair(&mut world, &content, Compression::None);
        let mut seen = 0;
        world.tamper = Some(Box::new(move |to, bytes: Bytes| {
            let mut bytes = bytes.to_vec();
            if to == client {
                bytes
                    .iter_mut()
                    .skip(at - seen.min(at))
                    .take(usize::from(seen <= at))
                    .for_each(|byte| *byte ^= 0x40);
                seen += bytes.len();
            }
            bytes.into()
        }));
        world.advance(Duration::from_secs(1000));
        let (sent, received) = (world.sent(server).unwrap(), world.received(client).unwrap());
        if received.is_ok() {
            assert!(at >= 290, "only behind the file: {at}");
            continue;
        }
        // A length that was made longer is waited for in vain.
        assert!(
            [peer::Failure::Corrupted, peer::Failure::Stalled].contains(&received.unwrap_err()),
            "{at}: {received:?}"
        );
        assert_eq!(sent, Err(peer::Failure::PartnerGaveUp), "{at}");
    }
}

#[test]
fn each_end_of_the_relay_has_a_name_and_nothing_is_half_received() {
    let content = content(2000);
    for steps in 0.. {
        let mut world = World::new(1);
        let (server, client) = pair(&mut world, &content, Compression::None);
        let moved = (0..steps).take_while(|_| world.step()).count();
        world.relay_dies();
        world.advance(Duration::from_secs(1000));
        let (sent, received) = (world.sent(server).unwrap(), world.received(client).unwrap());
        if moved < steps {
            assert_eq!((sent, received), (Ok(Sent { confirmed: true }), Ok(())));
            break;
        }
        let expected = [
            peer::Failure::RelayClosed,
            peer::Failure::Room(crate::link::Cause::Reset),
            peer::Failure::Interrupted,
        ];
        assert!(sent.is_ok() || expected.contains(&sent.unwrap_err()), "{steps}: {sent:?}");
        match received {
            Ok(()) => assert!(world.content(client) == content),
            Err(failure) => assert!(
                matches!(
                    failure,
                    peer::Failure::RelayClosed | peer::Failure::Room(_) | peer::Failure::Interrupted
                ),
                "{steps}: {received:?}"
            ),
        }
        // The server believes in a success only if the client had it all.
        assert!(sent.is_err() || world.content(client) == content, "{steps}");
    }
}

#[test]
fn section_7_a_client_that_stops_reading_stops_the_server() {
    let mut world = World::new(1);
    world.piece_max = 100_000;
    let content = vec![7; 4 << 20];
    let (server, client) = pair(&mut world, &content, Compression::None);
    world.reads(client, false);
    world.run();
    let wanted = |world: &World| {
        let events = world.server_events(server).iter();
        events
            .map(|event| if let server::Event::Wanted { bytes } = event { *bytes } else { 0 })
            .sum::<usize>()
    };
    // What the client holds, what the relay holds, what is in flight, and a record and a read at each place.
    let bound = (1 << 20) + (64 << 10) + (256 << 10) + 3 * (100 << 10);
    assert!((1 << 20..bound).contains(&wanted(&world)), "{}", wanted(&world));
    let untaken = world.content(client).len();
    assert!(untaken < (1 << 20) + (32 << 10), "{untaken}");
    world.reads(client, true);
    world.tell_client(client, Command::Taken { bytes: untaken });
    world.run();
    assert_eq!(world.sent(server), CONFIRMED);
    assert!(world.content(client) == content);
}

#[test]
fn who_calls_it_off_tells_the_other() {
    let mut world = World::new(1);
    let (server, client) = pair(&mut world, &content(100), Compression::None);
    world.reads(client, false);
    world.run();
    world.tell_client(client, Command::Cancel);
    world.run();
    assert_eq!(world.sent(server), Some(Err(peer::Failure::PartnerGaveUp)));
    assert_eq!(world.received(client), Some(Err(peer::Failure::Cancelled)));

    let mut world = World::new(1);
    let content = vec![7; 4 << 20];
    let (server, client) = pair(&mut world, &content, Compression::None);
    world.reads(client, false);
    world.run();
    world.tell_server(server, server::Command::Cancel);
    world.reads(client, true);
    world.tell_client(client, Command::Taken { bytes: 2 << 20 });
    world.advance(Duration::from_secs(1));
    assert_eq!(world.sent(server), Some(Err(peer::Failure::Cancelled)));
    assert_eq!(world.received(client), Some(Err(peer::Failure::PartnerGaveUp)));
}

#[test]
fn section_6_7_the_relays_patience_ends_it() {
    let mut world = World::new(1);
    let server = world.server(sends(PASSWORD, b"beech"), b"beech");
    let client = world.client(takes("plum-fence"), Mind::Waits);
    world.advance(Duration::from_secs(3599));
    assert_eq!((world.sent(server), world.received(client)), (None, None));
    world.advance(Duration::from_secs(2));
    assert_eq!(world.sent(server), Some(Err(peer::Failure::TimedOut)));
    assert_eq!(world.received(client), Some(Err(peer::Failure::TimedOut)));
}

#[test]
fn section_6_8_a_server_that_goes_is_withdrawn() {
    let mut world = World::new(1);
    let server = world.server(sends(PASSWORD, b"beech"), b"beech");
    let client = world.client(takes(PASSWORD), Mind::Waits);
    world.run();
    world.tell_server(server, server::Command::Cancel);
    world.run();
    let events = world.client_events(client);
    assert!(events.iter().any(|event| matches!(event, client::Event::Withdrawn { .. })));
}
