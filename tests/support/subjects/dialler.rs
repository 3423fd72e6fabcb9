//! Drives [`Dialler`]: a few keys with places of every kind, attempts that open, complete, fail, or are never heard of.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use pleach_core::peers::dial::{Attempt, Config, Dialler, Input, Output};
use pleach_core::peers::{Place, Route, Surroundings};

use super::Peer;
use crate::choices::Choices;
use crate::laws::Subject;
use crate::variants;

/// Keys that occur.
const KEYS: u8 = 8;
const KEYS_MAX: usize = 6;
const ATTEMPTS_MAX: usize = 5;

/// What surrounds one dialler.
#[derive(Debug)]
pub struct Carriers {
    /// Under way.
    attempts: Vec<Attempt>,
}

/// A place of any kind; few of them differ.
pub(super) fn place(choices: &mut Choices<'_>) -> Place {
    let kind = choices.byte();
    let last = kind / 8 % 4;
    let v4 = |a, b| IpAddr::from(Ipv4Addr::new(a, b, 3, last));
    let port = if choices.once_in(16) { 0 } else { 9000 + u16::from(last) };
    let direct = |ip| Route::Direct(SocketAddr::new(ip, port));
    let route = match kind % 8 {
        0 => direct(v4(127, 0)),
        1 => direct(v4(192, 168)),
        2 | 3 => direct(v4(9, 9)),
        4 => direct(IpAddr::from(Ipv6Addr::new(0x2a01, 1, 1, 1, 1, 1, 1, u16::from(last)))),
        5 => Route::Named { port },
        6 => Route::Relayed,
        _ => direct(v4(224, 0)),
    };
    let length = if choices.once_in(32) { choices.below(80) } else { 4 };
    Place { address: vec![kind % 32; length].into(), route }
}

pub(super) fn surroundings(choices: &mut Choices<'_>) -> Surroundings {
    let own = (0..choices.below(3)).filter_map(|_| match place(choices).route {
        Route::Direct(address) => Some(address),
        Route::Named { .. } | Route::Relayed => None,
    });
    Surroundings {
        own: own.collect(),
        ipv4: !choices.once_in(8),
        ipv6: !choices.once_in(4),
        permit_private: choices.once_in(2),
    }
}

pub(super) fn places(choices: &mut Choices<'_>, limit: usize) -> Vec<Place> {
    (0..choices.below(limit)).map(|_| place(choices)).collect()
}

impl Carriers {
    /// Mostly one that is under way.
    fn attempt(&mut self, over: bool, choices: &mut Choices<'_>) -> Attempt {
        match choices.below(self.attempts.len()) {
            at if at < self.attempts.len() && !choices.once_in(16) => {
                if over {
                    self.attempts.remove(at)
                } else {
                    self.attempts.get(at).copied().unwrap_or(Attempt(0))
                }
            }
            _ => Attempt(choices.edgy(20)),
        }
    }
}

impl Subject for Carriers {
    type Input = Input<Peer>;
    type Output = Output<Peer>;
    type Machine = Dialler<Peer>;

    const NAME: &'static str = "peers::dial";
    const STATES: &'static [&'static str] = &["idle", "dialling", "no room"];

    fn build(choices: &mut Choices<'_>) -> (Self, Dialler<Peer>) {
        let machine = Dialler::new(Config {
            attempts_per_key: 3,
            attempts_max: ATTEMPTS_MAX,
            keys_max: KEYS_MAX,
            places_max: 5,
            open: Duration::from_secs(5),
            target_burst: 3,
            targets_max: 4,
            enforce_loopback: choices.once_in(2),
            ..Config::default()
        });
        (Self { attempts: Vec::new() }, machine)
    }

    fn generate(&mut self, choices: &mut Choices<'_>) -> Input<Peer> {
        match choices.byte() % 16 {
            0..7 => Input::Dial { key: choices.byte() % KEYS, places: places(choices, 8) },
            7..10 => Input::Opened { attempt: self.attempt(false, choices) },
            10 | 11 => Input::Completed { attempt: self.attempt(true, choices) },
            12 | 13 => Input::Failed { attempt: self.attempt(true, choices) },
            14 => Input::Cancel { key: choices.byte() % KEYS },
            _ => Input::Surroundings(surroundings(choices)),
        }
    }

    fn observe(&mut self, output: &Output<Peer>) {
        match output {
            Output::Start { attempt, .. } => self.attempts.push(*attempt),
            Output::Abort { attempt } => self.attempts.retain(|other| other != attempt),
            Output::Lost { .. } | Output::Won { .. } | Output::Exhausted { .. } => {}
        }
    }

    variants! { INPUTS, input_name(Input<Peer>):
        Input::Dial { .. } => "Dial",
        Input::Cancel { .. } => "Cancel",
        Input::Opened { .. } => "Opened",
        Input::Completed { .. } => "Completed",
        Input::Failed { .. } => "Failed",
        Input::Surroundings(_) => "Surroundings",
    }

    variants! { OUTPUTS, output_name(Output<Peer>):
        Output::Start { .. } => "Start",
        Output::Abort { .. } => "Abort",
        Output::Lost { .. } => "Lost",
        Output::Won { .. } => "Won",
        Output::Exhausted { .. } => "Exhausted",
    }

    fn state(&self, machine: &Dialler<Peer>) -> &'static str {
        match machine.attempts() {
            0 => "idle",
            ATTEMPTS_MAX => "no room",
            _ => "dialling",
        }
    }

    /// Every attempt that runs is aborted and lost, as many begin, and every key may be exhausted.
    fn outputs_max(&self, _input: Option<&Input<Peer>>) -> usize {
        3 * ATTEMPTS_MAX + KEYS_MAX + 1
    }

    fn memory_max(&self) -> usize {
        16 * 1024
    }
}
