//! Links that have not proven a key.

use core::net::Ipv4Addr;

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use super::super::{Input, Node, Output};
use super::network::{keypair, native};
use crate::link::{Address, How, LinkId, ListenerId, Via};
use crate::machine::{At, Driver};
use crate::mesh::Snapshot;

/// T-20, T-21: a link that is evicted before it has proven a key is torn down at once: whoever says nothing would not
/// read a goodbye either, and the driver would wait for it.
#[test]
fn an_evicted_half_open_link_is_torn_down_at_once() {
    let mut config = native(0, &[]);
    config.admission.unauthenticated_max = 1;
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let node = Node::new(config, keypair(0), &Snapshot::default(), At::default(), &mut rng).unwrap();
    let mut driver = Driver::new(node, rng);
    let [oldest, newest] = [LinkId(LinkId::ACCEPTED), LinkId(LinkId::ACCEPTED + 1)];
    for (link, last) in [(oldest, 1), (newest, 2)] {
        let at = |last| Address::Socket((Ipv4Addr::new(192, 0, 2, last), 9).into());
        let via = Via::Accepted { listener: ListenerId(0) };
        driver.handle(At::default(), Input::Opened { link, via, local: at(9), remote: at(last) });
    }
    let mut closed =
        core::iter::from_fn(|| driver.poll_output()).filter(|output| matches!(output, Output::Close { .. }));
    assert_eq!(closed.next(), Some(Output::Close { link: oldest, how: How::Abort }));
    assert_eq!(closed.next(), None);
    assert_eq!(driver.machine().totals().admission.evicted_handshake, 1);
}
