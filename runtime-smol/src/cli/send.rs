//! `pleach send`: offers a file to whoever knows the password.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_channel::{Receiver, Sender};
use bytes::Bytes;
use pleach_core::bob::peer::Stage;
use pleach_core::bob::server::{self, Command, Config, Event, Sent, Server};
use pleach_core::bob::{Compression, Identity, Password};
use pleach_smol::store::MemoryStore;
use pleach_smol::{Handle, Options};
use serde_json::json;
use smol::Executor;
use zeroize::Zeroizing;

use super::error::{Exit, Failure};
use super::feed::{self, Feed, Happening};
use super::output::{Output, escape};
use super::signals::{self, HangUp};
use super::transfer::progress::Progress;
use super::transfer::source::{self, Source};
use super::transfer::{SECURE_PORT, TICK, Waiting, failure, words};

/// Wrong passwords are mentioned at most so often.
const TRIES_EVERY: Duration = Duration::from_secs(10);

/// The flags of `pleach send`.
#[derive(Clone, Debug, clap::Args)]
#[command(before_long_help = "Examples:\n  pleach send holiday.zip --relay relay.example\n  \
                        tar -cz photos | pleach send - --name photos.tar.gz --relay relay.example")]
pub(crate) struct Flags {
    /// The file; - is stdin, which is first read to its end
    file: PathBuf,
    #[command(flatten)]
    transfer: super::transfer::Flags,
    /// What the file is called on the other side [default: its own name]
    #[arg(long)]
    name: Option<String>,
    /// Send the file as it is. By default it is compressed, if samples of it become smaller
    #[arg(long)]
    no_compress: bool,
}

/// What the command's own tasks say.
#[derive(Debug)]
enum Word {
    /// A second has passed.
    Tick,
    /// The file cannot be read on.
    Unreadable(Failure),
}

/// Sends a file.
pub(crate) async fn run(
    flags: Flags,
    output: Output,
    executor: Arc<Executor<'static>>,
) -> Result<Exit, Failure> {
    let signal = signals::watch(HangUp::Ends, &executor);
    let (path, name) = (flags.file.clone(), flags.name.clone());
    let opening = smol::unblock(move || Source::open(&path, name.as_deref()));
    let source = signals::unless(&signal, opening).await??;
    let (password, code) = match flags.transfer.password.given(&signal, output).await? {
        Some(password) => (password, None),
        None => {
            let code = words::generate()?;
            (Password::new(code.as_bytes().to_vec()), Some(code))
        }
    };
    let name = escape(source.name.as_bytes());
    let relay = flags.transfer.relay.place();
    output.json("offer", json!({"name": name, "bytes": source.size, "relay": relay.to_string()}))?;

    let mut config = Config::new(flags.transfer.relay(), password, source.name.clone(), source.size);
    if flags.no_compress || !source.is_compressible {
        config.compression = Compression::None;
    }
    let server = Server::new(config).map_err(|error| Failure::new(Exit::Bug, "config", error.to_string()))?;
    let (handle, task) = feed::launch(server, Arc::new(MemoryStore::new()), Options::default(), &executor)?;
    let feed = Feed::new(handle.clone(), signal);
    let mut sending = Sending {
        progress: Progress::new(output, flags.transfer.progress),
        size: source.size,
        name,
        code,
        waiting: Waiting::default(),
        tries: 0,
        tries_told: None,
        credit: start_reading(source, handle.clone(), feed.sender(), &executor),
        called_off: None,
        flags,
        output,
        handle: handle.clone(),
    };
    executor.spawn(feed::every(TICK, || Word::Tick, feed.sender())).detach();
    let ended = sending.run(&feed).await;
    feed.close(task).await;
    sending.conclude(ended?)
}

/// Reads `source` ahead and hands over as much of it as is asked for through the channel that is given back.
fn start_reading(
    source: Source,
    handle: Handle<Server>,
    to: Sender<Word>,
    executor: &Executor<'static>,
) -> Sender<usize> {
    let (pieces_end, pieces) = async_channel::bounded(source::PIECES_AHEAD);
    let (credit, credits) = async_channel::unbounded();
    executor
        .spawn(async move {
            if let Err(failure) = smol::unblock(move || source.read(&pieces_end)).await {
                // The loop may be over already.
                let _ = to.send(Word::Unreadable(failure)).await;
            }
        })
        .detach();
    executor.spawn(hand_over(pieces, credits, handle)).detach();
    credit
}

async fn hand_over(pieces: Receiver<Bytes>, credits: Receiver<usize>, handle: Handle<Server>) {
    let mut piece = Bytes::new();
    while let Ok(mut wanted) = credits.recv().await {
        while wanted > 0 {
            if piece.is_empty() {
                match pieces.recv().await {
                    Ok(next) => piece = next,
                    // All is read, or reading failed, which is told elsewhere.
                    Err(_) => return,
                }
            }
            let bytes = piece.split_to(wanted.min(piece.len()));
            wanted -= bytes.len();
            if handle.command(Command::Content { bytes }).await.is_err() {
                return;
            }
        }
    }
}

/// A file on its way.
struct Sending {
    flags: Flags,
    output: Output,
    handle: Handle<Server>,
    progress: Progress,
    name: String,
    size: u64,
    /// The generated password, until it was said.
    code: Option<Zeroizing<String>>,
    waiting: Waiting,
    /// Handshakes that failed.
    tries: u64,
    tries_told: Option<Instant>,
    /// How much of the file is wanted next.
    credit: Sender<usize>,
    /// Why it was called off here.
    called_off: Option<Failure>,
}

impl Sending {
    async fn run(&mut self, feed: &Feed<Server, Word>) -> Result<Result<Sent, server::Failure>, Failure> {
        loop {
            match feed.next().await {
                Happening::Event(Event::Ended(ended)) => return Ok(ended),
                Happening::Event(event) => self.heard(event).await?,
                Happening::Other(Word::Tick) => self.tick(),
                Happening::Other(Word::Unreadable(failure)) => self.call_off(failure).await?,
                Happening::Signal(exit) => self.call_off(Failure::signal(exit)).await?,
                Happening::Ended => return Err(pleach_smol::Stopped.into()),
            }
        }
    }

    async fn call_off(&mut self, failure: Failure) -> Result<(), Failure> {
        self.called_off.get_or_insert(failure);
        Ok(self.handle.command(Command::Cancel).await?)
    }

    async fn heard(&mut self, event: Event) -> Result<(), Failure> {
        match event {
            Event::Stage(stage) => self.stage(stage),
            Event::Known { identity } => {
                tracing::debug!(%identity, "known to the relay");
                Ok(())
            }
            Event::WrongPassword { identity, failures } => self.wrong_password(&identity, failures),
            Event::Agreed { identity } => {
                self.progress.note(&format!("{identity} has the password and is asked whether to receive"));
                Ok(())
            }
            Event::Accepted { identity } => {
                self.output.json("accepted", json!({"by": identity.to_string()}))?;
                self.progress.note(&format!("sending {} to {identity}", self.name));
                Ok(())
            }
            Event::Wanted { bytes } => {
                // Nobody reads any more once reading has failed.
                let _ = self.credit.send(bytes).await;
                Ok(())
            }
            Event::Sent { bytes } => self.progress.advance(bytes),
            Event::Ended(_) => Ok(()),
        }
    }

    fn stage(&mut self, stage: Stage) -> Result<(), Failure> {
        self.flags.transfer.stage(stage, &mut self.waiting, &self.progress)?;
        match stage {
            Stage::WaitPeer => {
                self.say_code()?;
                self.tick();
            }
            Stage::Transfer => self.progress.begin("sending", self.size),
            Stage::Verify => {
                self.progress.end()?;
                self.progress.note("all is sent; the other side checks it");
            }
            Stage::Connect | Stage::Authenticate | Stage::Confirm | Stage::Meet | Stage::Finish => {}
        }
        Ok(())
    }

    /// The generated password, and what the other side types: once, when the relay is known to be there.
    fn say_code(&mut self) -> Result<(), Failure> {
        let relay = &self.flags.transfer.relay;
        let mut command = format!("pleach recv --relay {}", relay.place());
        if self.flags.transfer.secure_port != SECURE_PORT {
            command.push_str(&format!(" --secure-port {}", self.flags.transfer.secure_port));
        }
        let Some(code) = self.code.take() else { return Ok(()) };
        if self.output.json {
            return self
                .output
                .json("code", json!({"code": code.as_str(), "bits": words::bits(), "command": command}));
        }
        self.progress.note(&format!(
            "on the other side: {command}\nand there this password ({} words of {}: {} bits):",
            words::COUNT,
            words::choices(),
            words::bits(),
        ));
        self.output.result(&code)
    }

    /// Somebody has another password: normal on a relay that others use too, and how guessing looks.
    fn wrong_password(&mut self, identity: &Identity, failures: u32) -> Result<(), Failure> {
        self.tries += 1;
        if self.tries_told.is_some_and(|at| at.elapsed() < TRIES_EVERY) {
            return Ok(());
        }
        self.tries_told = Some(Instant::now());
        self.progress.note(&format!(
            "{identity} tried another password ({failures} from there, {} in all)",
            self.tries
        ));
        let fields =
            json!({"from": identity.to_string(), "failures": failures, "failures_in_all": self.tries});
        self.output.json("wrong_password", fields)
    }

    fn tick(&mut self) {
        let Some(seconds) = self.waiting.seconds() else { return };
        if self.tries == 0 {
            return self.progress.waiting("relay ok, nobody with this password yet", seconds, None);
        }
        let tries = if self.tries == 1 { "1 try".into() } else { format!("{} tries", self.tries) };
        let state = format!("relay ok, {tries} with another password");
        self.progress.waiting(&state, seconds, Some("compare the password, letter by letter"));
    }

    fn conclude(mut self, ended: Result<Sent, server::Failure>) -> Result<Exit, Failure> {
        match ended {
            Ok(Sent { confirmed }) => {
                let how = if confirmed {
                    "the other side has it whole"
                } else {
                    "the other side closed, and does not say more"
                };
                self.progress.note(&format!("sent {}: {}; {how}", self.name, self.progress.summary()));
                let summary = json!({"name": self.name, "bytes": self.size, "confirmed": confirmed});
                self.output.end(Exit::Done, None, summary)?;
                Ok(Exit::Done)
            }
            Err(failure) => {
                self.progress.give_up()?;
                Err(match self.called_off.take() {
                    Some(reason) => reason,
                    None => failure::explain(failure, &self.flags.transfer, |never| match never {}),
                })
            }
        }
    }
}
