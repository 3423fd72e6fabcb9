//! `pleach recv`: receives a file from whoever knows the password.

use std::collections::VecDeque;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_channel::{Receiver, Sender};
use pleach_core::bob::client::{self, Client, Command, Config, Event};
use pleach_core::bob::packet::Uid;
use pleach_core::bob::peer::{self, Stage};
use pleach_core::bob::{Identity, Name};
use pleach_smol::store::MemoryStore;
use pleach_smol::{Handle, Options};
use serde_json::json;
use smol::{Executor, Task};

use super::error::{Exit, Failure};
use super::feed::{self, Feed, Happening};
use super::output::{Output, escape, path_in_json, to_stderr};
use super::signals::{self, HangUp};
use super::size::Size;
use super::transfer::progress::Progress;
use super::transfer::sink::{self, Order};
use super::transfer::target::{Existing, Mode, Place, Target};
use super::transfer::{TICK, Waiting, failure, password};

/// What helps where nobody sees a name that should be seen.
const UNSEEN_HINT: &str = "name it yourself: --output PATH; or be asked: without --yes, at a terminal";

/// The flags of `pleach recv`.
#[derive(Clone, Debug, clap::Args)]
#[command(before_long_help = "Examples:\n  pleach recv --relay relay.example\n  \
                        pleach recv --relay relay.example --password-file code.txt --yes --output downloads/")]
pub(crate) struct Flags {
    #[command(flatten)]
    transfer: super::transfer::Flags,
    /// Where the file goes: a folder, or the name of a file; - is stdout, where it comes once it is verified
    /// [default: this folder, under the sender's name]
    #[arg(short, long, value_name = "PATH")]
    output: Option<PathBuf>,
    /// Receive without asking. A name that begins with a dot is then only taken from --output
    #[arg(short, long)]
    yes: bool,
    /// Overwrite a file that is there
    #[arg(short, long)]
    force: bool,
    /// Keep a file that is there, and give the new one a number
    #[arg(long, conflicts_with = "force")]
    rename: bool,
    /// Never ask: fail instead
    #[arg(long)]
    no_input: bool,
    /// The largest file that is taken
    #[arg(long, value_name = "SIZE", default_value = "1TiB")]
    max_size: Size,
}

impl Flags {
    const fn existing(&self) -> Existing {
        match (self.force, self.rename) {
            (true, _) => Existing::Replace,
            (false, true) => Existing::KeepBoth,
            (false, false) => Existing::Refuse,
        }
    }

    /// What is wrong with the flags together, and what is in the way of the file.
    fn check(&self, place: &Place, output: Output) -> Result<(), Failure> {
        if self.no_input && !self.yes {
            return Err(Failure::new(
                Exit::Usage,
                "no-input",
                "--no-input forbids to ask whether to receive",
            )
            .hint("--yes receives without asking"));
        }
        if output.json && *place == Place::Stdout {
            let what = "--json and the file cannot both go to stdout";
            return Err(Failure::new(Exit::Usage, "stdout-taken", what).hint("choose another --output"));
        }
        place.check(self.existing())
    }
}

/// What the command's own tasks say.
#[derive(Debug)]
enum Word {
    /// A second has passed.
    Tick,
    /// The person's answer; none if nobody is there to give one.
    Answer(Option<bool>),
    /// All that was to be written is written, or cannot be.
    Written(Result<PathBuf, Failure>),
}

/// What the person is being asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Question {
    None,
    /// Whether to receive from this sender.
    Open(Uid),
    /// The sender is gone; the question is still on the screen.
    Void,
    /// Whether to keep what it sends. It comes meanwhile, so that nobody has to wait.
    File,
}

/// Receives a file.
pub(crate) async fn run(
    flags: Flags,
    output: Output,
    executor: Arc<Executor<'static>>,
) -> Result<Exit, Failure> {
    let signal = signals::watch(HangUp::Ends, &executor);
    let mode = Mode::usual();
    let place = Place::of(flags.output.as_deref());
    flags.check(&place, output)?;
    let password = match flags.transfer.password.given(&signal, output).await? {
        Some(password) => password,
        None if flags.no_input => return Err(password::missing()),
        None => password::ask(&signal, output).await?,
    };

    let mut config = Config::new(flags.transfer.relay(), password);
    config.size_max = flags.max_size.0;
    let (handle, task) =
        feed::launch(Client::new(config), Arc::new(MemoryStore::new()), Options::default(), &executor)?;
    let feed = Feed::new(handle.clone(), signal);
    executor.spawn(feed::every(TICK, || Word::Tick, feed.sender())).detach();
    let mut receiving = Receiving {
        progress: Progress::new(output, flags.transfer.progress),
        flags,
        output,
        executor,
        handle: handle.clone(),
        words: feed.sender(),
        mode,
        place,
        waiting: Waiting::default(),
        servers: (0, 0),
        offers: VecDeque::new(),
        question: Question::None,
        accepted: None,
        refused: 0,
        orders: None,
        is_wanted: false,
        goes_unseen: false,
        is_complete: false,
        file: None,
        is_keeping: false,
        kept: None,
        called_off: None,
    };
    let ended = receiving.run(&feed).await;
    feed.close(task).await;
    receiving.stop_writing().await;
    receiving.conclude(ended?)
}

/// A file on its way.
struct Receiving {
    flags: Flags,
    output: Output,
    executor: Arc<Executor<'static>>,
    handle: Handle<Client>,
    progress: Progress,
    words: Sender<Word>,
    mode: Mode,
    place: Place,
    waiting: Waiting,
    /// How many senders may have the password, and how many have another.
    servers: (usize, u64),
    /// Who has the password, and was not asked about yet.
    offers: VecDeque<(Uid, Identity)>,
    question: Question,
    /// Whose file is to be received.
    accepted: Option<Uid>,
    /// How many were refused.
    refused: u64,
    /// To the task that writes, and the task.
    orders: Option<(Sender<Order>, Task<()>)>,
    /// Whether the person wants what is being received.
    is_wanted: bool,
    /// Whether the one answer of a script, which has no more to give, is enough.
    goes_unseen: bool,
    /// Whether all of it has come.
    is_complete: bool,
    /// What is being received.
    file: Option<(String, u64)>,
    /// Whether it is about to be kept.
    is_keeping: bool,
    /// Where it was kept.
    kept: Option<PathBuf>,
    /// Why it was called off here.
    called_off: Option<Failure>,
}

impl Receiving {
    async fn run(&mut self, feed: &Feed<Client, Word>) -> Result<Result<(), client::Failure>, Failure> {
        loop {
            match feed.next().await {
                Happening::Event(Event::Ended(ended)) => return Ok(ended),
                Happening::Event(event) => self.heard(event).await?,
                Happening::Other(Word::Tick) => self.tick(),
                Happening::Other(Word::Answer(answer)) => self.answered(answer).await?,
                Happening::Other(Word::Written(Ok(path))) => {
                    self.kept = Some(path);
                    self.handle.command(Command::Kept).await?;
                }
                Happening::Other(Word::Written(Err(failure))) => self.call_off(failure).await?,
                Happening::Signal(exit) => self.signalled(exit).await?,
                Happening::Ended => return Err(pleach_smol::Stopped.into()),
            }
        }
    }

    async fn call_off(&mut self, failure: Failure) -> Result<(), Failure> {
        self.called_off.get_or_insert(failure);
        Ok(self.handle.command(Command::Cancel).await?)
    }

    /// Calls it off. Not once the file is being kept: it would be there, and both sides would say that it failed.
    async fn signalled(&mut self, exit: Exit) -> Result<(), Failure> {
        if self.is_keeping {
            self.progress
                .note("all of it is here; it is only put in its place (another signal ends at once)");
            return Ok(());
        }
        self.call_off(Failure::signal(exit)).await
    }

    async fn heard(&mut self, event: Event) -> Result<(), Failure> {
        match event {
            Event::Stage(stage) => self.stage(stage)?,
            Event::Known { identity } => tracing::debug!(%identity, "known to the relay"),
            Event::Servers { present, failed } => {
                self.servers = (present, failed);
                self.output.json("senders", json!({"untried": present, "wrong_password": failed}))?;
            }
            Event::Offered { server, identity } => {
                self.output.json("offer", json!({"from": identity.to_string()}))?;
                self.offers.push_back((server, identity));
                self.ask().await?;
            }
            Event::Withdrawn { server } => self.withdrawn(server).await?,
            Event::File { name, size } => self.file(&name, size).await?,
            Event::Content { bytes } => {
                let length = bytes.len() as u64;
                self.order(Order::Write(bytes)).await;
                self.progress.advance(length)?;
            }
            Event::Complete { .. } => {
                self.progress.end()?;
                self.is_complete = true;
                if self.question == Question::File {
                    self.progress.note("\nall of it is here; the sender waits a while for your answer [y/N]");
                }
                self.keep().await;
            }
            Event::Ended(_) => {}
        }
        Ok(())
    }

    fn stage(&mut self, stage: Stage) -> Result<(), Failure> {
        self.flags.transfer.stage(stage, &mut self.waiting, &self.progress)?;
        if stage == Stage::WaitPeer {
            self.tick();
        }
        Ok(())
    }

    fn tick(&mut self) {
        let Some(seconds) = self.waiting.seconds().filter(|_| self.question == Question::None) else {
            return;
        };
        match self.servers {
            (0, 0) => self.progress.waiting("relay ok, no sender there yet", seconds, None),
            (0, failed) => {
                let state = format!("relay ok, {} so far, none has this password", senders(failed));
                self.progress.waiting(&state, seconds, Some("compare the password, letter by letter"));
            }
            (present, failed) => {
                let all = failed.saturating_add(present as u64);
                let state = format!("relay ok, {} so far, {present} still to be tried", senders(all));
                self.progress.waiting(&state, seconds, None);
            }
        }
    }

    /// Goes on to the next offer, if there is one, no question is open and none was accepted.
    async fn ask(&mut self) -> Result<(), Failure> {
        if self.question != Question::None || self.accepted.is_some() {
            return Ok(());
        }
        let Some((server, identity)) = self.offers.pop_front() else { return Ok(()) };
        if self.flags.yes {
            self.progress.note(&format!("{identity} has the password"));
            return self.accept(server).await;
        }
        self.question = Question::Open(server);
        self.progress.pause();
        self.put(&format!("{identity} has the password. See what it sends? [y/N] "));
        Ok(())
    }

    /// Puts a question to the person.
    fn put(&self, question: &str) {
        to_stderr(question);
        let words = self.words.clone();
        let asking = async move {
            let answer = smol::unblock(read_answer).await;
            // The loop may be over already.
            let _ = words.send(Word::Answer(answer)).await;
        };
        self.executor.spawn(asking).detach();
    }

    async fn answered(&mut self, answer: Option<bool>) -> Result<(), Failure> {
        let question = std::mem::replace(&mut self.question, Question::None);
        let goes_unseen = question == Question::File && self.goes_unseen;
        let answer = answer.or(goes_unseen.then_some(true));
        let server = match (question, answer) {
            (_, None) => {
                let what = "nobody is there to say whether to receive";
                let failure = Failure::new(Exit::Authentication, "refused", what);
                let hint =
                    if question == Question::File { UNSEEN_HINT } else { "--yes receives without asking" };
                return self.call_off(failure.hint(hint)).await;
            }
            (Question::Open(server), Some(true)) => return self.accept(server).await,
            (Question::Open(server), Some(false)) => server,
            (Question::File, Some(true)) => {
                self.is_wanted = true;
                self.progress.show();
                self.keep().await;
                return Ok(());
            }
            (Question::File, Some(false)) => {
                let what = "the file was refused, and nothing of it is kept";
                let failure = Failure::new(Exit::Authentication, "refused", what);
                return self.call_off(failure.hint("to receive from another sender, start again")).await;
            }
            (Question::Void | Question::None, Some(_)) => return self.ask().await,
        };
        self.refused += 1;
        self.progress.note("refused; waiting for another sender (Ctrl-C ends)");
        self.handle.command(Command::Refuse { server }).await?;
        self.ask().await
    }

    async fn accept(&mut self, server: Uid) -> Result<(), Failure> {
        self.accepted = Some(server);
        Ok(self.handle.command(Command::Accept { server }).await?)
    }

    async fn withdrawn(&mut self, server: Uid) -> Result<(), Failure> {
        self.offers.retain(|(offered, _)| *offered != server);
        if self.question == Question::Open(server) {
            self.question = Question::Void;
            self.progress.note("\nthis sender is gone; press Enter to wait for another");
        }
        if self.accepted == Some(server) {
            self.accepted = None;
            self.progress.note("this sender is gone, or another receiver was faster");
        }
        self.ask().await
    }

    /// Now it is known what comes: prepares for it, or calls it off.
    async fn file(&mut self, name: &Name, size: u64) -> Result<(), Failure> {
        let (place, name, existing) = (self.place.clone(), name.clone(), self.flags.existing());
        let sender_name = escape(name.as_bytes());
        let is_hidden = matches!(place, Place::Folder(_)) && name.as_bytes().starts_with(b".");
        if is_hidden && self.flags.yes {
            let what = format!(
                "the sender calls the file {sender_name}, which would hide it or configure something"
            );
            let failure = Failure::new(Exit::Authentication, "hidden-name", what);
            return self.call_off(failure.hint(UNSEEN_HINT)).await;
        }
        let target = match smol::unblock(move || Target::create(place, &name, existing)).await {
            Ok(target) => target,
            Err(failure) => return self.call_off(failure).await,
        };
        let path = target.shown();
        self.output
            .json("file", json!({"name": sender_name, "bytes": size, "path": path_in_json(target.path())}))?;
        let title = if path == sender_name { path.clone() } else { format!("{sender_name} as {path}") };
        let title = format!("{title}, {}", indicatif::HumanBytes(size));
        self.is_wanted = self.flags.yes;
        self.goes_unseen = !is_hidden && !io::stdin().is_terminal();
        if self.is_wanted {
            self.progress.note(&format!("receiving {title}"));
        } else {
            self.question = Question::File;
            self.progress.hide();
            self.put(&format!("Receive {title}? [y/N] "));
        }
        self.progress.begin("receiving", size);
        let (orders, for_writer) = async_channel::unbounded();
        let writing = write(target, for_writer, self.mode, self.handle.clone(), self.words.clone());
        self.orders = Some((orders, self.executor.spawn(writing)));
        self.file = Some((sender_name, size));
        Ok(())
    }

    /// Keeps the file, once it is complete and wanted.
    async fn keep(&mut self) {
        if self.is_complete && self.is_wanted {
            self.is_keeping = true;
            self.order(Order::Keep).await;
        }
    }

    async fn order(&self, order: Order) {
        if let Some((orders, _)) = &self.orders {
            // A writer that failed has said so.
            let _ = orders.send(order).await;
        }
    }

    /// Waits until nothing is written any more; what is not kept is removed.
    async fn stop_writing(&mut self) {
        if let Some((orders, writing)) = self.orders.take() {
            drop(orders);
            writing.await;
        }
    }

    fn conclude(mut self, ended: Result<(), client::Failure>) -> Result<Exit, Failure> {
        if self.question != Question::None {
            // Its line is not ended.
            to_stderr("\n");
        }
        let failure = match (ended, self.kept.take(), self.called_off.take()) {
            // What came after that does not change that it is here and whole.
            (_, Some(path), _) => return self.done(&path),
            (Ok(()), None, reason) => {
                reason.unwrap_or_else(|| Failure::new(Exit::Bug, "not-kept", "the file was not kept"))
            }
            (Err(_), None, Some(reason)) => reason,
            (Err(failure), None, None) => self.explain(failure),
        };
        self.progress.give_up()?;
        Err(failure)
    }

    fn done(&self, path: &Path) -> Result<Exit, Failure> {
        let (name, bytes) = self.file.clone().unwrap_or_default();
        let (shown, summary) = (escape(path.as_os_str().as_encoded_bytes()), self.progress.summary());
        self.progress.note(&format!("received {shown}: {summary}; it is verified"));
        if !self.output.json && self.place != Place::Stdout {
            self.output.path(path)?;
        }
        let summary = json!({"name": name, "path": path_in_json(path), "bytes": bytes});
        self.output.end(Exit::Done, None, summary)?;
        Ok(Exit::Done)
    }

    fn explain(&self, failure: client::Failure) -> Failure {
        let (_, wrong) = self.servers;
        match failure {
            peer::Failure::TimedOut if self.refused > 0 => {
                let what = format!("refused {}, and no other came in time", senders(self.refused));
                Failure::new(Exit::Authentication, "refused", what)
            }
            peer::Failure::TimedOut if wrong > 0 => {
                let what = format!("of {} on the relay, none has this password", senders(wrong));
                Failure::new(Exit::Authentication, "auth-failed", what)
                    .hint("compare the password, letter by letter")
            }
            failure => failure::explain(failure, &self.flags.transfer, failure::of_content),
        }
    }
}

/// Writes what is ordered, and says that room is free again and how it ended.
async fn write(
    target: Target,
    orders: Receiver<Order>,
    mode: Mode,
    handle: Handle<Client>,
    words: Sender<Word>,
) {
    let taken = move |bytes| smol::block_on(handle.command(Command::Taken { bytes })).is_ok();
    let outcome = smol::unblock(move || sink::write(target, &orders, mode, taken)).await;
    if let Some(outcome) = outcome.transpose() {
        // The loop may be over already.
        let _ = words.send(Word::Written(outcome)).await;
    }
}

fn senders(count: u64) -> String {
    if count == 1 { "1 sender".into() } else { format!("{count} senders") }
}

/// Reads a line from stdin; none if there is nobody to write one. Blocks.
fn read_answer() -> Option<bool> {
    let mut line = String::new();
    match io::stdin().read_line(&mut line) {
        Ok(0) | Err(_) => None,
        Ok(_) => Some(matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes")),
    }
}
