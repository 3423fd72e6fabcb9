//! A running node and the verbs of its tests.

use std::cell::RefCell;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use pleach_core::broadcast::{Id, Outcome, Scope};
use pleach_core::identity::{Keypair, PeerId};
use pleach_core::link::Address;
use pleach_core::mesh::node::Totals;
use pleach_core::mesh::{Command, Config, Done, Event, Node, Snapshot};
use pleach_core::{At, WallTime};
use pleach_smol::store::{MemoryStore, Store};
use pleach_smol::{Handle, Options, Runtime};
use rand_core::UnwrapErr;

pub(crate) const TOPIC: &str = "/pleach/main";

/// A node on loopback that takes part in [`TOPIC`].
pub(crate) struct Peer {
    pub(crate) handle: Handle<Node>,
    pub(crate) id: PeerId,
    pub(crate) address: SocketAddr,
    task: smol::Task<()>,
    heard: RefCell<Vec<Event>>,
    tokens: RefCell<u64>,
}

impl Peer {
    /// A node of a fresh key that joins through `others`.
    pub(crate) async fn start(seed: u8, others: &[&Self]) -> Self {
        Self::with(seed, others, |_| {}).await
    }

    /// The same with another configuration than the preset's.
    pub(crate) async fn with(seed: u8, others: &[&Self], change: impl FnOnce(&mut Config)) -> Self {
        let key = Keypair::from_seed(&[seed; 32]);
        Self::restored(key, Arc::new(MemoryStore::new()), others, change).await
    }

    /// A node with the key and the store of an earlier run.
    pub(crate) async fn restored(
        key: Keypair,
        store: Arc<dyn Store>,
        others: &[&Self],
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let mut config = Config::native();
        config.listen = vec![Address::Socket((Ipv4Addr::LOCALHOST, 0).into())];
        config.bootstrap = others.iter().map(|other| (Address::Socket(other.address), None)).collect();
        change(&mut config);
        let snapshot = Snapshot { records: store.all().unwrap() };
        let at = At { wall: WallTime::of_system(), ..At::default() };
        let id = key.peer_id();
        let node = Node::new(config, key, &snapshot, at, &mut UnwrapErr(getrandom::SysRng)).unwrap();
        let (handle, runtime) = Runtime::new(node, store, Options::default()).unwrap();
        let task = smol::spawn(runtime.run());
        let nowhere = (Ipv4Addr::UNSPECIFIED, 0).into();
        let heard = RefCell::default();
        let mut peer = Self { handle, id, address: nowhere, task, heard, tokens: RefCell::default() };
        peer.address = peer
            .hears("a listener", |event| match event {
                Event::Listening { address: Address::Socket(address) } => Some(*address),
                _ => None,
            })
            .await;
        peer.command(|token| Command::Subscribe { token, topic: TOPIC.into() }).await;
        peer
    }

    /// Gives a command and waits until it is done.
    pub(crate) async fn command(&self, command: impl FnOnce(u64) -> Command) -> Done {
        let token = self.tokens.replace_with(|token| *token + 1);
        self.handle.command(command(token)).await.unwrap();
        self.hears("an outcome", |event| match event {
            Event::Done { token: of, result } if *of == token => Some(result.unwrap()),
            _ => None,
        })
        .await
    }

    /// Publishes to everybody; says the id and what became of it.
    pub(crate) async fn publish(&self, payload: &str) -> (Id, Outcome) {
        let payload = Bytes::copy_from_slice(payload.as_bytes());
        let publish = |token| Command::Publish { token, topic: TOPIC.into(), payload, scope: Scope::Swarm };
        match self.command(publish).await {
            Done::Published { id, outcome } => (id, outcome),
            Done::Ok => panic!("no outcome of a publication"),
        }
    }

    /// Waits for the first event, heard or to come, of which `seen` makes something.
    pub(crate) async fn hears<T>(&self, what: &str, mut seen: impl FnMut(&Event) -> Option<T>) -> T {
        let found = self.heard.borrow().iter().find_map(&mut seen);
        if let Some(found) = found {
            return found;
        }
        watch(what, async {
            loop {
                let event = self.handle.event().await.expect("the node has stopped");
                let found = seen(&event);
                self.heard.borrow_mut().push(event);
                if let Some(found) = found {
                    return found;
                }
            }
        })
        .await
    }

    /// Waits for a message of this content.
    pub(crate) async fn message(&self, content: &str) -> Event {
        self.hears(content, |event| is_message(event, content).then(|| event.clone())).await
    }

    pub(crate) async fn neighbor(&self, id: PeerId) {
        let up = |event: &Event| matches!(event, Event::NeighborUp { peer, .. } if *peer == id).then_some(());
        self.hears("a neighbour", up).await;
    }

    /// Everything heard so far, in order.
    pub(crate) async fn events(&self) -> Vec<Event> {
        // What the node said before it answered this command has been heard when the answer is.
        self.command(|token| Command::Unban { token, peer: unknown() }).await;
        self.heard.borrow().clone()
    }

    /// Looks at the node until `look` sees something.
    pub(crate) async fn sees<T: Send + 'static>(
        &self,
        what: &str,
        look: impl Fn(&Node) -> Option<T> + Clone + Send + 'static,
    ) -> T {
        watch(what, async {
            loop {
                let look = look.clone();
                if let Some(seen) = self.handle.inspect(move |view| look(view.machine)).await.unwrap() {
                    return seen;
                }
                async_io::Timer::after(Duration::from_millis(5)).await;
            }
        })
        .await
    }

    /// Waits until the counters are as `enough` wants them.
    pub(crate) async fn counts(&self, what: &str, enough: impl Fn(&Totals) -> bool + Clone + Send + 'static) {
        self.sees(what, move |node| enough(&node.totals()).then_some(())).await;
    }

    pub(crate) async fn totals(&self) -> Totals {
        self.handle.inspect(|view| view.machine.totals()).await.unwrap()
    }

    pub(crate) async fn neighbors(&self) -> Vec<PeerId> {
        self.handle.inspect(|view| view.machine.neighbors(TOPIC).collect()).await.unwrap()
    }

    /// Says goodbye to everybody and ends.
    pub(crate) async fn shut_down(self) {
        self.handle.command(Command::Shutdown).await.unwrap();
        self.hears("the end", |event| matches!(event, Event::Stopped).then_some(())).await;
        drop(self.handle);
        watch("the end of the runtime", self.task).await;
    }
}

pub(crate) fn is_message(event: &Event, content: &str) -> bool {
    matches!(event, Event::Message { payload, .. } if *payload == content.as_bytes())
}

/// A peer that takes part nowhere.
fn unknown() -> PeerId {
    Keypair::from_seed(&[0; 32]).peer_id()
}

/// Ends a test that would hang for ever.
pub(crate) async fn watch<T>(what: &str, future: impl Future<Output = T>) -> T {
    smol::future::or(future, async {
        async_io::Timer::after(Duration::from_secs(30)).await;
        panic!("waited 30 s for {what}")
    })
    .await
}
