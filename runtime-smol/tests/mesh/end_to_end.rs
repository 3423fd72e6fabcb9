//! One message from publish to delivery, and the beginning and the end of a node.

use std::sync::Arc;

use pleach_core::broadcast::{Id, Outcome};
use pleach_core::identity::{Keypair, PeerId};
use pleach_core::mesh::{Command, Event};
use pleach_core::overlay::DownReason;
use pleach_smol::identity;
use pleach_smol::store::FileStore;

use crate::peer::{Peer, TOPIC, is_message};

/// What a message must look like where it arrives.
struct Sent<'a> {
    content: &'a str,
    id: Id,
    author: PeerId,
}

impl Sent<'_> {
    /// It arrived once, as it was sent, over `via` after so many hops.
    async fn arrived(&self, at: &Peer, via: PeerId, hops: u32) {
        let expected = Event::Message {
            topic: TOPIC.into(),
            id: self.id,
            author: Some(self.author),
            from: via,
            hop: hops,
            payload: self.content.to_owned().into(),
        };
        assert_eq!(at.message(self.content).await, expected);
        let times = at.events().await.iter().filter(|event| is_message(event, self.content)).count();
        assert_eq!(times, 1, "{}", self.content);
    }
}

async fn publish<'a>(from: &Peer, content: &'a str) -> Sent<'a> {
    let (id, outcome) = from.publish(content).await;
    assert_eq!(outcome, Outcome::Sent);
    Sent { content, id, author: from.id }
}

#[test]
fn a_message_travels_from_publish_to_delivery() {
    smol::block_on(async {
        let one = Peer::start(1, &[]).await;
        let (_, outcome) = one.publish("alone").await;
        assert_eq!(outcome, Outcome::NoNeighbours);
        let other = Peer::start(2, &[&one]).await;
        one.neighbor(other.id).await;
        other.neighbor(one.id).await;
        for content in ["there", "and again"] {
            publish(&one, content).await.arrived(&other, one.id, 1).await;
        }
        publish(&other, "back").await.arrived(&one, other.id, 1).await;
        assert!(!one.events().await.iter().any(|event| is_message(event, "there")), "not to its own author");
        // What was published to nobody is announced to the first neighbour.
        other.message("alone").await;
    });
}

/// The ends hear of each other through the relay, but each has room for one neighbour only.
#[test]
fn a_message_travels_over_a_relay() {
    smol::block_on(async {
        // It tells nobody's neighbours of a joiner in a way that would make them drop it.
        let relay = Peer::with(1, &[], |config| config.overlay.join_walk = 1).await;
        let mut ends = Vec::new();
        for seed in [2, 3] {
            let end = Peer::with(seed, &[&relay], |config| config.overlay.active_capacity = Some(1)).await;
            relay.neighbor(end.id).await;
            end.neighbor(relay.id).await;
            ends.push(end);
        }
        let [one, other] = &ends[..] else { panic!("two ends") };
        for round in ["first", "second", "third"] {
            let sent = publish(one, round).await;
            sent.arrived(&relay, one.id, 1).await;
            sent.arrived(other, relay.id, 2).await;
        }
        assert_eq!(one.neighbors().await, [relay.id]);
        assert_eq!(other.neighbors().await, [relay.id]);
    });
}

#[test]
fn a_node_that_shuts_down_says_goodbye() {
    smol::block_on(async {
        let stays = Peer::start(1, &[]).await;
        let goes = Peer::start(2, &[&stays]).await;
        let gone = goes.id;
        stays.neighbor(gone).await;
        goes.neighbor(stays.id).await;
        goes.shut_down().await;
        let departure = |event: &Event| match event {
            Event::NeighborDown { peer, reason, .. } if *peer == gone => Some(*reason),
            _ => None,
        };
        assert_eq!(stays.hears("its departure", departure).await, DownReason::Left);
        let down = |event: &Event| matches!(event, Event::PeerDown { peer } if *peer == gone).then_some(());
        stays.hears("the end of its link", down).await;
        assert_eq!(stays.totals().await.mesh.byes_received, 1);
    });
}

#[test]
fn a_restarted_node_keeps_its_identity_and_its_bans() {
    let folder = std::env::temp_dir().join(format!("pleach-mesh-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (key, path) = (folder.join("identity"), folder.join("store.redb"));
    smol::block_on(async {
        let banned = Peer::start(9, &[]).await.id;
        let run = async |others: &[&Peer], seed| {
            let key = identity::load_or_create(&key, || Keypair::from_seed(&[seed; 32])).unwrap();
            Peer::restored(key, Arc::new(FileStore::open(&path).unwrap()), others, |_| {}).await
        };
        let node = run(&[], 1).await;
        let id = node.id;
        node.command(|token| Command::Ban { token, peer: banned, lifetime: None }).await;
        node.shut_down().await;

        let node = run(&[], 2).await;
        assert_eq!(node.id, id);
        assert_eq!(node.totals().await.mesh.records_unreadable, 0);
        // The banned peer proves its key, and nothing more is said to it.
        let again = Peer::start(9, &[&node]).await;
        assert_eq!(again.id, banned);
        let friend = Peer::start(3, &[&node]).await;
        node.neighbor(friend.id).await;
        node.counts("the handshake of the banned peer", |totals| totals.mesh.handshakes >= 2).await;
        let up = |event: &Event| matches!(event, Event::PeerUp { peer } if *peer == banned);
        assert!(!node.events().await.iter().any(up));
        assert_eq!(node.neighbors().await, [friend.id]);
    });
    std::fs::remove_dir_all(folder).unwrap();
}
