//! What `pleach send` and `pleach recv` have in common.

pub(crate) mod failure;
pub(crate) mod password;
pub(crate) mod progress;
pub(crate) mod sink;
pub(crate) mod source;
pub(crate) mod target;
pub(crate) mod words;

use std::time::{Duration, Instant};

use pleach_core::bob::peer::{RelayAccess, Stage};

use super::address::Host;
use super::error::Failure;
use progress::Progress;

/// The secure-room port of Bob's relays.
pub(crate) const SECURE_PORT: u16 = 9001;

/// How often it is said for how long the other side is awaited.
pub(crate) const TICK: Duration = Duration::from_secs(1);

/// The flags about the relay and the other side.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
pub(crate) struct Flags {
    /// The relay that both sides use
    #[arg(long, value_name = "HOST[:PORT]", env = "PLEACH_RELAY", default_value = "127.0.0.1:9000")]
    pub(crate) relay: Host,
    /// The port of the relay where the file passes
    #[arg(long, value_name = "PORT", env = "PLEACH_SECURE_PORT", default_value_t = SECURE_PORT)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) secure_port: u16,
    #[command(flatten)]
    pub(crate) password: password::Flags,
    /// How long to wait for the other side, for example 10m [default: as long as the relay does]
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    timeout: Option<Duration>,
    /// How to show progress
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub(crate) progress: progress::When,
}

impl Flags {
    /// Where the relay is, and how long the other side may take.
    pub(crate) fn relay(&self) -> RelayAccess {
        let mut relay =
            RelayAccess::new(self.relay.place().address.clone(), self.relay.with_port(self.secure_port));
        relay.wait_timeout = self.timeout;
        relay
    }

    /// What both sides do when a stage begins.
    pub(crate) fn stage(
        &self,
        stage: Stage,
        waiting: &mut Waiting,
        progress: &Progress,
    ) -> Result<(), Failure> {
        if stage == Stage::WaitPeer {
            waiting.begin();
        } else if stage > Stage::Authenticate {
            waiting.end();
            progress.pause();
        }
        progress.stage(stage)?;
        if stage == Stage::Connect {
            progress.note(&format!("connecting to the relay {}", self.relay.place()));
        }
        Ok(())
    }
}

/// Since when somebody waits for the other side.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Waiting(Option<Instant>);

impl Waiting {
    /// It begins, unless it has begun before.
    pub(crate) fn begin(&mut self) {
        self.0.get_or_insert_with(Instant::now);
    }

    /// It is interrupted or over.
    pub(crate) const fn end(&mut self) {
        self.0 = None;
    }

    /// For how many seconds.
    pub(crate) fn seconds(self) -> Option<u64> {
        self.0.map(|since| since.elapsed().as_secs())
    }
}
