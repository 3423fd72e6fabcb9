//! The nodes of the network, and what they are told.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_channel::{Receiver, Sender};
use bytes::Bytes;
use pleach_core::broadcast::Scope;
use pleach_core::identity::PeerId;
use pleach_core::link::Address;
use pleach_core::mesh::{Command, Event};
use pleach_smol::driver::Descriptors;
use pleach_smol::store::MemoryStore;
use pleach_smol::{Options, Stopped};
use smol::{Executor, Task};

use super::topology::Topology;
use crate::cli::error::{Exit, Failure};
use crate::cli::id;
use crate::cli::peer::{self, Handle, Observation, Preset};
use crate::cli::signals::{self, HangUp};

/// The topic of the run.
const TOPIC: &str = "/pleach/main";
/// On loopback, who is silent for so long is probed, and who then does not answer for as long is gone. (Over the internet
/// the defaults are more patient.)
const KEEP_ALIVE: Duration = Duration::from_secs(4);
/// How long the nodes may take to be looked at.
const LOOK_TIMEOUT: Duration = Duration::from_secs(2);

/// What happens in the network.
pub(super) enum Happening {
    /// A node has an event for its application.
    Event(usize, Instant, Event),
    /// Somebody wants the run to end.
    Signal(Exit),
}

/// All nodes, live and dead.
pub(super) struct Network {
    members: Vec<Member>,
    numbers: BTreeMap<PeerId, usize>,
    happenings: Receiver<Happening>,
    sender: Sender<Happening>,
    descriptors: Descriptors,
    executor: Arc<Executor<'static>>,
    size: usize,
}

struct Member {
    handle: Handle,
    fate: Fate,
    seen: Observation,
    _task: Task<()>,
    _events: Task<()>,
}

/// What became of a node.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fate {
    Live,
    Killed,
    Frozen,
}

impl Network {
    /// A network that will have `size` nodes.
    pub(super) fn new(size: usize, executor: Arc<Executor<'static>>) -> Self {
        let (sender, happenings) = async_channel::unbounded();
        let to = sender.clone();
        let signal = signals::watch(HangUp::Ends, &executor);
        executor
            .spawn(async move {
                if let Ok(exit) = signal.recv().await {
                    drop(to.send(Happening::Signal(exit)).await);
                }
            })
            .detach();
        let descriptors = Descriptors::of_process();
        Self {
            members: Vec::new(),
            numbers: BTreeMap::new(),
            happenings,
            sender,
            descriptors,
            executor,
            size,
        }
    }

    /// Starts one more node, which knows of nobody but `bootstrap`.
    pub(super) async fn add(&mut self, bootstrap: Option<Address>) -> Result<(), Failure> {
        let identity = id::fresh();
        let number = self.members.len();
        let mut config = peer::config(Preset::Native, Some("pleach-local"));
        config.listen = vec![Address::Socket((Ipv4Addr::LOCALHOST, 0).into())];
        config.bootstrap = bootstrap.into_iter().map(|address| (address, None)).collect();
        config.network_size = self.size as u64;
        config.channel.keep_alive_idle = KEEP_ALIVE;
        config.channel.keep_alive_answer = KEEP_ALIVE;
        let options = Options { descriptors: self.descriptors.clone(), ..Options::default() };
        self.numbers.insert(identity.peer_id(), number);
        let (handle, task) =
            peer::start(config, identity, Arc::new(MemoryStore::new()), options, &self.executor)?;
        handle.command(Command::Subscribe { token: 0, topic: TOPIC.to_owned() }).await?;
        let tip = Bytes::from(format!("local/{number}"));
        handle.command(Command::OwnHead { height: 1, tip }).await?;
        let events = self.executor.spawn(forward(number, handle.clone(), self.sender.clone()));
        let seen = Observation::default();
        self.members.push(Member { handle, fate: Fate::Live, seen, _task: task, _events: events });
        Ok(())
    }

    /// What happens next, or nothing until `deadline`.
    pub(super) async fn next(&self, deadline: Instant) -> Option<Happening> {
        let happening = async { self.happenings.recv().await.ok() };
        smol::future::or(happening, async {
            async_io::Timer::at(deadline).await;
            None
        })
        .await
    }

    /// What has happened and was not taken in yet.
    pub(super) fn waiting(&self) -> Option<Happening> {
        self.happenings.try_recv().ok()
    }

    /// Looks at every live node. One that does not answer in time is seen as it was.
    pub(super) async fn look(&mut self) {
        let look = |member: &Member| {
            let handle = member.handle.clone();
            self.executor.spawn(async move {
                let seen = handle.inspect(|view| peer::observe(view.machine, TOPIC));
                let late = async {
                    async_io::Timer::after(LOOK_TIMEOUT).await;
                    Err(Stopped)
                };
                smol::future::or(seen, late).await
            })
        };
        let live = self.live();
        let looks: Vec<_> =
            live.iter().filter_map(|node| Some((*node, look(self.members.get(*node)?)))).collect();
        for (node, look) in looks {
            if let (Ok(seen), Some(member)) = (look.await, self.members.get_mut(node)) {
                member.seen = seen;
            }
        }
    }

    /// Publishes at `node`.
    pub(super) async fn publish(&self, node: usize, payload: Bytes) -> Result<(), Failure> {
        let Some(member) = self.members.get(node) else { return Ok(()) };
        let (topic, scope) = (TOPIC.to_owned(), Scope::Swarm);
        Ok(member.handle.command(Command::Publish { token: 1, topic, payload, scope }).await?)
    }

    /// Answers what `node` asks its application.
    pub(super) async fn command(&self, node: usize, command: Command) -> Result<(), Failure> {
        let Some(member) = self.members.get(node) else { return Ok(()) };
        Ok(member.handle.command(command).await?)
    }

    /// Kills `node` without a goodbye: its links are reset, or kept open and silent.
    pub(super) async fn kill(&mut self, node: usize, freeze: bool) -> Result<(), Failure> {
        let Some(member) = self.members.get_mut(node) else { return Ok(()) };
        if freeze {
            member.handle.freeze().await?;
            member.fate = Fate::Frozen;
        } else {
            member.handle.abort().await?;
            member.fate = Fate::Killed;
        }
        Ok(())
    }

    /// The nodes that live.
    pub(super) fn live(&self) -> BTreeSet<usize> {
        let members = self.members.iter().enumerate();
        members.filter(|(_, member)| member.fate == Fate::Live).map(|(node, _)| node).collect()
    }

    pub(super) fn fate(&self, node: usize) -> Fate {
        self.members.get(node).map_or(Fate::Killed, |member| member.fate)
    }

    /// The number of the node with this id.
    pub(super) fn number(&self, peer: &PeerId) -> Option<usize> {
        self.numbers.get(peer).copied()
    }

    /// The overlay of the live nodes, as they were last looked at.
    pub(super) fn topology(&self) -> Topology {
        let members = self.members.iter().enumerate().filter(|(_, member)| member.fate == Fate::Live);
        Topology::new(members.map(|(node, member)| {
            (node, member.seen.active.iter().filter_map(|peer| self.number(peer)).collect())
        }))
    }

    /// Of `of` (all nodes, or the live ones), how many HEADs `node` has, its own left out.
    pub(super) fn heads(&self, node: usize, of: &BTreeSet<usize>) -> usize {
        let Some(member) = self.members.get(node) else { return 0 };
        let known: BTreeSet<usize> = member.seen.heads.iter().filter_map(|peer| self.number(peer)).collect();
        known.iter().filter(|other| **other != node && of.contains(other)).count()
    }

    /// Whether every live node has the HEAD of every node in `of`.
    pub(super) fn heads_converged(&self, of: &BTreeSet<usize>) -> bool {
        let others = |node: &usize| of.len() - usize::from(of.contains(node));
        self.live().iter().all(|node| self.heads(*node, of) == others(node))
    }

    /// How many neighbours a node may have.
    pub(super) fn active_capacity(&self) -> usize {
        self.members.iter().map(|member| member.seen.active_capacity).max().unwrap_or(0)
    }

    /// Handshakes of all nodes, as they were last looked at.
    pub(super) fn handshakes(&self) -> u64 {
        self.members.iter().map(|member| member.seen.handshakes).sum()
    }

    /// Payloads that arrived though they were known, at all nodes.
    pub(super) fn redundant(&self) -> u64 {
        self.members.iter().map(|member| member.seen.redundant).sum()
    }
}

async fn forward(node: usize, handle: Handle, to: Sender<Happening>) {
    while let Some(event) = handle.event().await {
        if to.send(Happening::Event(node, Instant::now(), event)).await.is_err() {
            return;
        }
    }
}
