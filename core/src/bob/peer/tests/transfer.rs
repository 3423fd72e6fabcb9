//! Sections 7 to 9: a file goes from one to the other.

use alloc::vec::Vec;

use super::world::{Mind, World, sends, takes};
use crate::bob::client;
use crate::bob::pack::Compression;
use crate::bob::server::Sent;

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from(at * at / 7 % 251).unwrap()).collect()
}

#[test]
fn section_9_files_of_all_sizes_arrive_in_both_compressions() {
    for compression in [Compression::None, Compression::Level4] {
        for length in [0, 1, 32_767, 32_768, 70_000] {
            let mut world = World::new(u64::try_from(length).unwrap());
            let content = content(length);
            let config = super::world::sends("pear-hedge", &content);
            let server = world.server(crate::bob::server::Config { compression, ..config }, &content);
            let client = world.client(takes("pear-hedge"), Mind::Accepts);
            world.run();
            assert_eq!(world.sent(server), Some(Ok(Sent { confirmed: true })), "{length} {compression:?}");
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
fn section_9_the_client_may_come_first() {
    let mut world = World::new(1);
    let client = world.client(takes("pear-hedge"), Mind::Accepts);
    world.run();
    let server = world.server(sends("pear-hedge", b"beech"), b"beech");
    world.run();
    assert_eq!(world.sent(server), Some(Ok(Sent { confirmed: true })));
    assert_eq!(world.content(client), b"beech");
}
