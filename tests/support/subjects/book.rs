//! Drives [`Book`]: a few peers that are told of, reached, lost and banned, in small tables, some from before a restart.

use std::time::Duration;

use pleach_core::ip::Class;
use pleach_core::peers::{Book, Config, Input, Kind, Offence, Output, Place, Source};
use pleach_core::{At, Context, Instant, Machine, WallTime};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use super::dialler::{place, places, surroundings};
use super::{PEERS, Peer};
use crate::choices::Choices;
use crate::laws::Subject;
use crate::variants;

const PLACES_MAX: usize = 4;
const STORED_MAX: usize = 3;

/// What surrounds one book.
#[derive(Debug)]
pub struct Acquaintances {
    /// Places that were told of, for dials that fail there.
    told: Vec<(Peer, Place)>,
}

fn config() -> Config {
    Config {
        peers_max: 8,
        peers_per_source_max: 3,
        places_max: PLACES_MAX,
        address_bytes_max: 64,
        lifetime: Duration::from_secs(60),
        verified_lifetime: Duration::from_secs(600),
        stored_max: STORED_MAX,
        ban_points: 20,
        ban: Duration::from_secs(30),
        bans_max: 2,
        ban_window: Duration::from_secs(120),
        refrains_max: 3,
        offenders_max: 3,
        banned_max: 3,
        ..Config::default()
    }
}

impl Acquaintances {
    fn source(choices: &mut Choices<'_>) -> Source<Peer> {
        let over = choices.pick(&[None, Some(Class::Loopback), Some(Class::Private), Some(Class::Global)]);
        if choices.once_in(4) {
            Source::Local
        } else {
            Source::Peer { peer: choices.byte() % PEERS, over: over.flatten() }
        }
    }
}

impl Subject for Acquaintances {
    type Input = Input<Peer>;
    type Output = Output<Peer>;
    type Machine = Book<Peer>;

    const NAME: &'static str = "peers";
    const STATES: &'static [&'static str] = &["empty", "offenders only", "hearsay", "verified", "linked"];

    /// Some records are what an earlier book stored, some of them damaged.
    fn build(choices: &mut Choices<'_>) -> (Self, Book<Peer>) {
        let mut this = Self { told: Vec::new() };
        let mut machine = Book::new(config());
        let at =
            At { now: Instant::from_micros(3_600_000_000), wall: WallTime::from_unix_ms(1_800_000_000_000) };
        let (mut earlier, mut rng, mut outputs) =
            (Book::new(config()), ChaCha8Rng::seed_from_u64(0), Vec::new());
        for _ in 0..choices.below(12) {
            let input = this.generate(choices);
            earlier.handle(input, &mut Context::new(at, &mut rng, &mut outputs));
        }
        for output in outputs {
            if let Output::Store { peer, kind, value: Some(value) } = output {
                let mut value = value.to_vec();
                let damaged = choices.once_in(8);
                value
                    .iter_mut()
                    .skip(usize::from(damaged))
                    .take(1)
                    .for_each(|byte| *byte ^= u8::from(damaged));
                // What comes of it is counted by the states: some runs begin with peers and bans.
                let _ = machine.restore(at, peer, kind, &value);
            }
        }
        (this, machine)
    }

    fn generate(&mut self, choices: &mut Choices<'_>) -> Input<Peer> {
        let peer = choices.byte() % PEERS;
        match choices.byte() % 32 {
            0..10 => {
                let places = places(choices, PLACES_MAX + 2);
                self.told.extend(places.iter().map(|place| (peer, place.clone())));
                self.told = self.told.split_off(self.told.len().saturating_sub(8));
                Input::Learned { peer, places, source: Self::source(choices) }
            }
            10..14 => Input::Connected { peer, place: choices.once_in(2).then(|| place(choices)) },
            14..17 => Input::Disconnected { peer },
            17..20 => {
                let (peer, place) = self.told.pop().unwrap_or_else(|| (peer, place(choices)));
                Input::DialFailed { peer, address: place.address }
            }
            20 | 21 => Input::Refrain { peer, wait: Duration::from_millis(choices.edgy(5000)) },
            22..26 => Input::Offence {
                peer,
                offence: match choices.byte() % 16 {
                    0..8 => Offence::Points(choices.edgy32(10)),
                    8..15 => Offence::Rate,
                    _ => Offence::Ban,
                },
            },
            26 | 27 => Input::Ban {
                peer,
                lifetime: (!choices.once_in(8)).then(|| Duration::from_millis(choices.edgy(5000))),
            },
            28 | 29 => Input::Unban { peer },
            _ => Input::Surroundings(surroundings(choices)),
        }
    }

    fn observe(&mut self, _output: &Output<Peer>) {}

    variants! { INPUTS, input_name(Input<Peer>):
        Input::Learned { source: Source::Local, .. } => "Learned Local",
        Input::Learned { source: Source::Peer { .. }, .. } => "Learned Peer",
        Input::Surroundings(_) => "Surroundings",
        Input::Connected { place: Some(_), .. } => "Connected, dialled",
        Input::Connected { place: None, .. } => "Connected, accepted",
        Input::Disconnected { .. } => "Disconnected",
        Input::DialFailed { .. } => "DialFailed",
        Input::Refrain { .. } => "Refrain",
        Input::Offence { offence: Offence::Points(_), .. } => "Offence Points",
        Input::Offence { offence: Offence::Rate, .. } => "Offence Rate",
        Input::Offence { offence: Offence::Ban, .. } => "Offence Ban",
        Input::Ban { lifetime: Some(_), .. } => "Ban for a while",
        Input::Ban { lifetime: None, .. } => "Ban for good",
        Input::Unban { .. } => "Unban",
    }

    variants! { OUTPUTS, output_name(Output<Peer>):
        Output::Banned { lifetime: Some(_), .. } => "Banned for a while",
        Output::Banned { lifetime: None, .. } => "Banned for good",
        Output::Unbanned { .. } => "Unbanned",
        Output::Store { kind: Kind::Ban, value: Some(_), .. } => "Store Ban",
        Output::Store { kind: Kind::Ban, value: None, .. } => "Delete Ban",
        Output::Store { kind: Kind::Peer, value: Some(_), .. } => "Store Peer",
        Output::Store { kind: Kind::Peer, value: None, .. } => "Delete Peer",
    }

    fn state(&self, machine: &Book<Peer>) -> &'static str {
        match () {
            () if machine.connected().next().is_some() => "linked",
            () if machine.verified().next().is_some() => "verified",
            () if machine.strangers().next().is_some() => "hearsay",
            () if machine.offenders() > 0 => "offenders only",
            () => "empty",
        }
    }

    /// A ban and the one that makes room for it, or a peer stored and the one deleted; in a timeout all that end.
    fn outputs_max(&self, input: Option<&Input<Peer>>) -> usize {
        if input.is_some() { 5 } else { 2 * 3 + STORED_MAX }
    }

    fn memory_max(&self) -> usize {
        32 * 1024
    }
}
