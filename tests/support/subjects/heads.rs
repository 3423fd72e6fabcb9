//! Drives [`Heads`] with the rules of the mesh: five keys of two nodes each, HEADs signed well and ill, a small table.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use pleach_core::WallTime;
use pleach_core::heads::{Admission, Announced, Config, Event, Heads, Input, Output, Violation};
use pleach_core::identity::{Keypair, PeerId};
use pleach_core::mesh::heads::{Fields, Head, HeadRules, NodeKey, Own, Tip};

use crate::choices::Choices;
use crate::laws::Subject;
use crate::variants;

const NETWORK: &str = "laws";
/// Keys that occur; the first is our own.
const KEYS: u8 = 5;
const NODES: u8 = 2;
/// HEADs of one node that occur.
const HEIGHTS: u8 = 4;
const ENTRIES: usize = 6;
const FRAME: usize = 3;
const RECEIVED_MAX: usize = 6;
const WALL: u64 = 1_800_000_000_000;
const HOUR_MS: u64 = 3_600_000;

/// What surrounds one table.
#[derive(Debug)]
pub struct Announcers {
    linked: BTreeSet<PeerId>,
    /// Asked for and not answered.
    questions: Vec<PeerId>,
    /// Frames on their way.
    sent: Vec<PeerId>,
    /// Our own HEADs, as they were sent.
    own: Option<Head>,
}

fn keypair(number: u8) -> Keypair {
    Keypair::from_seed(&seed(number))
}

/// Bytes that nothing public shows by chance.
const fn seed(number: u8) -> [u8; 32] {
    let mut seed = *b"the seed of a key of these tests";
    seed[31] = number;
    seed
}

fn fields(key: u8, node: u8, height: u8, issued: u64) -> Fields {
    Fields {
        node: u32::from(node),
        peer: keypair(key).peer_id(),
        height: u64::from(height),
        tip: Tip::new(),
        software: "pleach".try_into().unwrap_or_default(),
        version: "0.1.0".try_into().unwrap_or_default(),
        free_member_rooms: 1,
        free_mirror_rooms: 2,
        issued: WallTime::from_unix_ms(issued),
    }
}

/// Dates of HEADs that occur, each in a variant: one too early, one too late.
const DATES: [u64; 4] = [WALL, WALL + HOUR_MS / 10, WALL + 2 * HOUR_MS, WALL - 25 * HOUR_MS];

/// Signing is slow: every HEAD is made once, by key, node, height and date.
static HEADS: LazyLock<Vec<Head>> = LazyLock::new(|| {
    let all = (0..KEYS).flat_map(|key| {
        (0..NODES).flat_map(move |node| {
            (0..HEIGHTS).flat_map(move |height| DATES.map(move |issued| (key, node, height, issued)))
        })
    });
    all.map(|(key, node, height, issued)| {
        Head::sign(fields(key, node, height, issued), NETWORK, &keypair(key))
    })
    .collect()
});

static PEERS: LazyLock<Vec<PeerId>> = LazyLock::new(|| (0..KEYS).map(|key| keypair(key).peer_id()).collect());

impl Announcers {
    /// Anybody but ourselves.
    fn anybody(choices: &mut Choices<'_>) -> PeerId {
        let others = PEERS.get(1..).unwrap_or_default();
        choices.pick(others).unwrap_or_else(|| keypair(1).peer_id())
    }

    /// Mostly somebody linked.
    fn peer(&self, choices: &mut Choices<'_>) -> PeerId {
        let linked: Vec<_> = self.linked.iter().copied().collect();
        let anybody = Self::anybody(choices);
        if choices.once_in(16) { anybody } else { choices.pick(&linked).unwrap_or(anybody) }
    }

    fn announced(&self, choices: &mut Choices<'_>) -> Option<Announced<Head>> {
        let at = choices.below(HEADS.len());
        // Most are timely.
        let at = if choices.once_in(8) { at } else { at & !2 };
        let head = match choices.byte() % 32 {
            0 => HEADS.get(at).and_then(|known| Head::from_parts(known.body(), [0; 64]).ok()),
            1 => self.own.clone(),
            _ => HEADS.get(at).cloned(),
        };
        let step = if choices.once_in(3) { 0 } else { choices.edgy32(255) };
        Some(Announced { head: head?, step })
    }
}

impl Subject for Announcers {
    type Input = Input<PeerId, Head, Own>;
    type Output = Output<PeerId, NodeKey, Head>;
    type Machine = Heads<HeadRules>;

    const NAME: &'static str = "heads";
    const STATES: &'static [&'static str] = &["empty", "some", "full"];

    #[expect(clippy::expect_used, reason = "the names are constants")]
    fn build(choices: &mut Choices<'_>) -> (Self, Heads<HeadRules>) {
        let config = Config {
            entries: ENTRIES,
            protected_per_link: 2,
            frame: FRAME,
            rate: 5,
            new_keys_per_hour: 6,
            new_keys_peers: 3,
            network_size: 100,
            admission: if choices.once_in(2) { Admission::Ask } else { Admission::Open },
            waiting: 3,
            answers: 3,
            answer_lifetime: Duration::from_secs(60),
            ..Config::default()
        };
        // What is made on first use belongs to no machine.
        LazyLock::force(&HEADS);
        LazyLock::force(&PEERS);
        let rules = HeadRules::new(NETWORK, Arc::new(keypair(0)), 0, "pleach", "0.1.0");
        let machine = Heads::new(config, rules.expect("names of a usable length"));
        let this = Self { linked: BTreeSet::new(), questions: Vec::new(), sent: Vec::new(), own: None };
        (this, machine)
    }

    fn generate(&mut self, choices: &mut Choices<'_>) -> Self::Input {
        match choices.byte() % 32 {
            0..4 => {
                let peer = Self::anybody(choices);
                self.linked.insert(peer);
                Input::LinkUp { peer }
            }
            4 => {
                let peer = self.peer(choices);
                self.linked.remove(&peer);
                Input::LinkDown { peer }
            }
            5..18 => {
                let heads =
                    (0..choices.below(RECEIVED_MAX)).filter_map(|_| self.announced(choices)).collect();
                Input::Received { from: self.peer(choices), heads }
            }
            18..24 => Input::Drained { peer: self.sent.pop().unwrap_or_else(|| self.peer(choices)) },
            24 | 25 => Input::Own(Own {
                height: u64::from(choices.byte() % HEIGHTS),
                tip: Tip::from_slice(&[choices.byte() % 2; 4]).unwrap_or_default(),
                free_member_rooms: u16::from(choices.byte() % 4),
                free_mirror_rooms: 1,
            }),
            26 => Input::NetworkSize(choices.edgy(10_000)),
            _ => {
                let peer = self.questions.pop().unwrap_or_else(|| Self::anybody(choices));
                Input::Admitted { peer, admitted: !choices.once_in(4) }
            }
        }
    }

    fn observe(&mut self, output: &Self::Output) {
        match output {
            Output::Send { to, heads } => {
                self.sent.push(*to);
                let own = heads.iter().find(|announced| Some(&announced.head.key().peer) == PEERS.first());
                self.own = own.map(|announced| announced.head.clone()).or_else(|| self.own.take());
            }
            Output::CheckAdmitted { peer } => self.questions.push(*peer),
            Output::Violation { .. } | Output::Event(_) => {}
        }
        // Some frames never leave, some questions are never answered.
        self.sent.truncate(4);
        self.questions.truncate(4);
    }

    variants! { INPUTS, input_name(Input<PeerId, Head, Own>):
        Input::LinkUp { .. } => "LinkUp",
        Input::LinkDown { .. } => "LinkDown",
        Input::Received { .. } => "Received",
        Input::Drained { .. } => "Drained",
        Input::Own(_) => "Own",
        Input::NetworkSize(_) => "NetworkSize",
        Input::Admitted { admitted: true, .. } => "Admitted",
        Input::Admitted { admitted: false, .. } => "Admitted, not",
    }

    variants! { OUTPUTS, output_name(Output<PeerId, NodeKey, Head>):
        Output::Send { .. } => "Send",
        Output::CheckAdmitted { .. } => "CheckAdmitted",
        Output::Violation { violation: Violation::WrongSignature, .. } => "Violation WrongSignature",
        Output::Event(Event::Replaced { .. }) => "Replaced",
        Output::Event(Event::Recovered { .. }) => "Recovered",
    }

    fn state(&self, machine: &Heads<HeadRules>) -> &'static str {
        match machine.len() {
            0 => "empty",
            ENTRIES => "full",
            _ => "some",
        }
    }

    /// One frame for each link, and for each HEAD received at most one event, question or violation.
    fn outputs_max(&self, input: Option<&Self::Input>) -> usize {
        let received = if let Some(Input::Received { heads, .. }) = input { heads.len() } else { 0 };
        // An answer releases what waited for it.
        usize::from(KEYS) + received + 3
    }

    fn memory_max(&self) -> usize {
        64 * 1024
    }

    fn secrets(&self) -> Vec<Vec<u8>> {
        vec![seed(0).to_vec()]
    }
}
