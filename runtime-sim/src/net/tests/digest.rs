//! What the digest tells apart.

use super::*;

/// The digest after node 0 was given `orders`, on a link that stands.
fn digest(orders: Vec<Order>) -> String {
    let mut world = world(DeadDials::Refused, false);
    world.dial();
    world.run(30);
    world.net.command(0, orders);
    world.run(100);
    world.net.digest().to_string()
}

#[test]
fn received_bytes_count_and_not_only_their_number() {
    let sent = |byte: u8| digest(vec![send(LINK, vec![byte; 16])]);
    assert_eq!(sent(1), sent(1));
    assert_ne!(sent(1), sent(2));
}

#[test]
fn commands_answers_and_listeners_count() {
    let ask = |query, question| Output::Query { query: QueryId(query), question };
    let stored = |record: &'static [u8]| {
        let value = Some(Bytes::from_static(record));
        let store = ask(0, Question::Store { key: "key".into(), value });
        digest(vec![store, ask(1, Question::Load { key: "key".into() })])
    };
    let listen =
        |listener| digest(vec![Output::Listen { listener: ListenerId(listener), address: any_port() }]);
    let digests = [
        digest(Vec::new()),
        stored(b"one"),
        stored(b"two"),
        digest(vec![ask(0, Question::Load { key: "key".into() })]),
        listen(0),
        listen(1),
    ];
    let distinct: std::collections::BTreeSet<_> = digests.iter().collect();
    assert_eq!(distinct.len(), digests.len());
    let mut world = world(DeadDials::Refused, false);
    let before = world.net.digest();
    world.net.command(0, Vec::new());
    world.run(1);
    assert_ne!(world.net.digest(), before, "an order to do nothing");
}
