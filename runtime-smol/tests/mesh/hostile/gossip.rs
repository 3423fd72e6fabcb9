//! Attackers that are established: strangers that gossip, forgers, and a flood of JOINs.

use pleach_core::WallTime;
use pleach_core::broadcast::{self, Announcement, Id};
use pleach_core::heads::Announced;
use pleach_core::identity::{Keypair, PeerId};
use pleach_core::mesh::Event;
use pleach_core::mesh::heads::{self, Fields, Head, Tip};
use pleach_core::mesh::rpc::{self, Action};
use pleach_core::mesh::signed::Signed;
use pleach_core::overlay;

use super::Scene;
use super::attacker::{Attacker, NETWORK};
use crate::peer::{Peer, TOPIC};

/// The keys of attackers begin here.
const SEED: u8 = 90;

fn attacker_id(seed: u8) -> PeerId {
    Keypair::from_seed(&[seed; 32]).peer_id()
}

fn seal(content: &str) -> bytes::Bytes {
    let key = Keypair::from_seed(&[SEED; 32]);
    Signed::seal(&key, NETWORK, TOPIC, WallTime::of_system(), 0, content.as_bytes())
}

fn payload(payload: bytes::Bytes) -> Action {
    Action::Broadcast(broadcast::Message::Payload { id: Id::of(&payload), hop: 1, payload })
}

async fn is_banned_for_good(victim: &Peer, who: PeerId) {
    let banned = |event: &Event| match event {
        Event::Banned { peer, permanent } if *peer == who => Some(*permanent),
        _ => None,
    };
    assert!(victim.hears("a ban", banned).await, "for good");
}

/// `overlay` 5 and `mesh` 4: who is no neighbour is not listened to, told so once a second, and not blamed.
#[test]
fn a_strangers_gossip_is_ignored() {
    smol::block_on(async {
        let scene = Scene::start(|_| {}).await;
        let before = scene.victim.totals().await;
        scene
            .during(|victim| {
                let mut attacker = Attacker::establish(victim, SEED).unwrap();
                let stream = attacker.open(rpc::PROTOCOL).unwrap();
                let unknown = Id::of(b"never published");
                attacker.gossip_at_once(
                    stream,
                    &[
                        payload(seal("a stranger's message")),
                        Action::Broadcast(broadcast::Message::IHave(vec![Announcement {
                            id: unknown,
                            hop: 1,
                        }])),
                        Action::Broadcast(broadcast::Message::Graft(vec![unknown])),
                    ],
                );
                attacker.wait_for_bytes_on(rpc::PROTOCOL).expect("a DISCONNECT");
                attacker.open(heads::PROTOCOL).expect("the link stays");
            })
            .await;
        scene.victim.counts("three strangers", |totals| totals.broadcast.strangers >= 3).await;
        let totals = scene.victim.totals().await;
        assert_eq!(totals.broadcast.strangers - before.broadcast.strangers, 3);
        assert_eq!(totals.overlay.refusals_limited - before.overlay.refusals_limited, 2);
        assert_eq!(
            (totals.broadcast.grafts_answered, totals.mesh.bans),
            (before.broadcast.grafts_answered, 0)
        );
        scene.nobody_heard("a stranger's message").await;
        scene.finish().await;
    });
}

/// T-48: a forged payload reaches the first honest hop and bans its sender there, nobody else anywhere.
#[test]
fn t_48_a_forged_payload_bans_its_sender() {
    smol::block_on(async {
        let scene = Scene::start(|_| {}).await;
        scene
            .during(|victim| {
                let mut attacker = Attacker::establish(victim, SEED).unwrap();
                let stream = attacker.become_neighbor().unwrap();
                let forged: Vec<u8> = seal("true").to_vec();
                let at = forged.windows(4).position(|piece| piece == b"true").unwrap();
                let forged = [&forged[..at], b"fake", &forged[at + 4..]].concat();
                attacker.gossip(stream, &payload(forged.into()));
                attacker.wait_for_end();
                assert!(Attacker::establish(victim, SEED).is_none(), "its key is not let in again");
            })
            .await;
        is_banned_for_good(&scene.victim, attacker_id(SEED)).await;
        let totals = scene.victim.totals().await;
        assert_eq!((totals.broadcast.rejected, totals.mesh.payloads_not_accepted), (1, 1));
        assert_eq!((totals.mesh.bans, totals.peers.bans_permanent), (1, 1));
        for honest in &scene.honest {
            let totals = honest.totals().await;
            assert_eq!((totals.broadcast.rejected, totals.mesh.bans), (0, 0), "it went no further");
        }
        scene.nobody_heard("fake").await;
        scene.finish().await;
    });
}

/// `mesh` H2.
#[test]
fn h2_a_forged_head_bans_its_sender() {
    smol::block_on(async {
        let scene = Scene::start(|_| {}).await;
        scene
            .during(|victim| {
                let mut attacker = Attacker::establish(victim, SEED).unwrap();
                // The victim takes HEADs from now on.
                attacker.wait_for_bytes_on(heads::PROTOCOL).unwrap();
                let stream = attacker.open(heads::PROTOCOL).unwrap();
                let fields = Fields {
                    node: 0,
                    peer: attacker_id(SEED + 1),
                    height: 7,
                    tip: Tip::new(),
                    software: "pleach".try_into().unwrap(),
                    version: "1".try_into().unwrap(),
                    free_member_rooms: 1,
                    free_mirror_rooms: 1,
                    issued: WallTime::of_system(),
                };
                // Signed by another than the one that it names.
                let head = Head::sign(fields, NETWORK, &attacker.key);
                attacker.send(stream, heads::encode_frame(&[Announced { head, step: 1 }]));
                attacker.wait_for_end();
                assert!(Attacker::establish(victim, SEED).is_none(), "its key is not let in again");
            })
            .await;
        is_banned_for_good(&scene.victim, attacker_id(SEED)).await;
        let totals = scene.victim.totals().await;
        assert_eq!((totals.heads.wrong_signature, totals.mesh.bans), (1, 1));
        for peer in scene.everybody() {
            let known = peer.handle.inspect(|view| {
                view.machine.heads().any(|row| row.head.fields().peer == attacker_id(SEED + 1))
            });
            assert!(!known.await.unwrap(), "nobody has the forged HEAD");
        }
        scene.finish().await;
    });
}

/// T-44: a JOIN evicts nobody where it arrives, one of a peer is heard in 5 s, and what FORWARD_JOIN brings back costs
/// at most half of the view.
#[test]
fn t_44_a_flood_of_joins_leaves_half_of_the_view() {
    const ATTACKERS: u8 = 20;
    const JOINS: u64 = 10;
    smol::block_on(async {
        let scene = Scene::with(5, |config| config.overlay.active_capacity = Some(5)).await;
        let view = scene.victim.neighbors().await;
        assert_eq!(view.len(), 5);
        let attackers = scene
            .during(|victim| {
                let establish = |index| Attacker::establish(victim, SEED + index).unwrap();
                let mut attackers: Vec<Attacker> = (0..ATTACKERS).map(establish).collect();
                for attacker in &mut attackers {
                    let stream = attacker.open(rpc::PROTOCOL).unwrap();
                    let peer = attacker.contact();
                    let join =
                        |nonce| overlay::Message::Join { ttl: 3, peer: peer.clone(), nonce: Some(nonce) };
                    let joins: Vec<_> = (0..JOINS).map(|nonce| Action::Overlay(join(nonce))).collect();
                    attacker.gossip_at_once(stream, &joins);
                }
                attackers
            })
            .await;
        let limited = u64::from(ATTACKERS) * (JOINS - 1);
        scene.victim.counts("the flood", move |totals| totals.overlay.joins_limited >= limited).await;
        let totals = scene.victim.totals().await;
        assert_eq!((totals.overlay.joins_limited, totals.mesh.bans), (limited, 0));
        let after = scene.victim.neighbors().await;
        let kept = view.iter().filter(|peer| after.contains(peer)).count();
        assert!(kept >= 3, "{kept} of 5 neighbours are left");
        scene.finish_with_losses().await;
        drop(attackers);
    });
}
