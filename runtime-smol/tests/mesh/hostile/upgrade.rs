//! Attackers that never prove a key: garbage, slow drip, half-open connections.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use pleach_core::channel::Role;
use pleach_core::channel::noise::{Handshake, StaticKey};
use pleach_core::identity::Keypair;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use socket2::{Domain, Socket, Type};

use super::Scene;
use super::raw::{connect, greeting, read_to_end};
use crate::peer::Peer;

#[test]
fn garbage_closes_its_link() {
    smol::block_on(async {
        let scene = Scene::start(|_| {}).await;
        scene
            .during(|victim| {
                let noise = [&greeting()[..], &[0, 32], &[0xff; 32]].concat();
                let no_noise = [&greeting()[..], &[0, 3], b"huh"].concat();
                for garbage in [vec![0x5a; 65_536], b"GET / HTTP/1.1\r\n\r\n".to_vec(), no_noise, noise] {
                    let mut socket = connect(victim);
                    // The node may end the link before it has taken everything.
                    drop(socket.write_all(&garbage));
                    drop(socket.write_all(&[0; 4096]));
                    read_to_end(&mut socket);
                }
            })
            .await;
        let totals = scene.victim.totals().await;
        assert_eq!((totals.channel.negotiations_broken, totals.channel.noise_broken), (2, 2));
        assert_eq!((totals.mesh.channels_broken, totals.mesh.bans), (4, 0));
        scene.finish().await;
    });
}

/// T-19: the deadline runs from accept, whatever drips in.
#[test]
fn t_19_a_slow_drip_does_not_renew_the_deadline() {
    smol::block_on(async {
        let deadline = Duration::from_secs(1);
        let scene = Scene::start(|config| config.channel.upgrade_timeout = deadline).await;
        let before = scene.victim.totals().await;
        let done = scene
            .during(move |victim| {
                let mut rng = ChaCha20Rng::seed_from_u64(1);
                let key = StaticKey::generate(&Keypair::from_seed(&[90; 32]), &[], &mut rng);
                let mut handshake = Handshake::new(Role::Dialler, key.into(), &mut rng);
                let mut hello = greeting();
                hello.extend_from_slice(&handshake.write().unwrap());
                let mut socket = connect(victim);
                socket.set_nodelay(true).unwrap();
                // Sixty-odd bytes, all of them good, in three times the time allowed.
                for byte in &hello {
                    if socket.write_all(&[*byte]).is_err() {
                        return false;
                    }
                    std::thread::sleep(deadline / 20);
                }
                read_to_end(&mut socket);
                true
            })
            .await;
        assert!(!done, "the link ended before the last byte");
        let totals = scene.victim.totals().await;
        assert_eq!(totals.channel.upgrades_timed_out - before.channel.upgrades_timed_out, 1);
        assert_eq!(totals.mesh.handshakes, before.mesh.handshakes);
        assert_eq!(totals.mesh.channels_broken, 0, "slow is no offence");
        scene.finish().await;
    });
}

/// T-20: silent connections evict one another, and never keep an honest one out. T-23: beyond the rate they are
/// refused unseen.
#[test]
fn t_20_half_open_connections_are_bounded_and_keep_nobody_out() {
    const TABLE: usize = 16;
    smol::block_on(async {
        let scene = Scene::start(|config| {
            config.admission.enforce_loopback = true;
            config.admission.per_range_max = usize::MAX;
            config.admission.unauthenticated_max = TABLE;
            config.admission.unauthenticated_per_subscriber = 4;
        })
        .await;
        let silent = scene
            .during(|victim| {
                let addresses = (1..=5).map(|last| Ipv4Addr::new(127, 9, 0, last));
                let attempts = addresses.flat_map(|address| core::iter::repeat_n(address, 40));
                attempts.map(|from| connect_from(from, victim)).collect::<Vec<TcpStream>>()
            })
            .await;
        assert_eq!(silent.len(), 200);
        let flood = |totals: &pleach_core::mesh::node::Totals| {
            totals.admission.refused_rate >= 50 && totals.admission.evicted_handshake >= 50
        };
        scene.victim.counts("refusals and evictions", flood).await;
        // While the rest of them sits there, somebody new is let in.
        let newcomer = Peer::start(50, &[&scene.victim]).await;
        scene.victim.neighbor(newcomer.id).await;
        let (accepted, established) = scene
            .victim
            .handle
            .inspect(|view| (view.links_accepted, view.machine.totals().mesh.links_established))
            .await
            .unwrap();
        assert!(accepted <= TABLE + usize::try_from(established).unwrap(), "{accepted} links");
        drop(silent);
        newcomer.shut_down().await;
        scene.finish().await;
    });
}

fn connect_from(from: Ipv4Addr, to: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((from, 0)).into()).unwrap();
    socket.connect(&to.into()).unwrap();
    socket.into()
}
