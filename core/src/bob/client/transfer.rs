//! From records on a link to content, as fast as the application takes it.

use alloc::collections::VecDeque;
use core::fmt;

use bytes::Bytes;

use super::config::Config;
use super::servers::Partner;
use crate::bob::channel::{self, Opened, Opener};
use crate::bob::pack::{self, Name, PackError, Reader};
use crate::bob::peer::{Farewell, Word};

/// A file that comes.
pub(super) struct Receiving {
    opener: Opener,
    reader: Reader,
    /// What came and was not opened: the application is slower than the link.
    held: VecDeque<Bytes>,
    /// What was opened and not read.
    plain: Bytes,
    name: Option<Name>,
    untaken: usize,
    untaken_max: usize,
    /// Once the records have ended.
    farewell: Option<Farewell>,
    /// Whether that was said.
    is_announced: bool,
    /// Nothing more comes over the link.
    is_cut: bool,
}

/// What comes out.
#[derive(Debug)]
pub(super) enum Step {
    File {
        name: Name,
        size: u64,
    },
    Content(Bytes),
    Complete {
        sha1: [u8; 20],
    },
    /// The end came before the end of the file. The partner may have said so itself, or not.
    Cut(Cut),
    Corrupted,
    Bad(PackError),
}

/// How a file ended that is not complete.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Cut {
    /// Somebody said that this is the end: what follows will tell who. Said once.
    Announced,
    /// The partner gave up.
    GivenUp,
    /// It broke.
    Broken,
    /// It broke inside a record.
    Torn,
}

impl Receiving {
    pub(super) fn new(config: &Config, partner: &Partner) -> Self {
        let (_, opener) = channel::of_client(&partner.keys, partner.ciphers);
        Self {
            opener,
            reader: Reader::new(config.size_max),
            held: VecDeque::new(),
            plain: Bytes::new(),
            name: None,
            untaken: 0,
            untaken_max: config.untaken_max.max(1),
            farewell: None,
            is_announced: false,
            is_cut: false,
        }
    }

    /// Whether all has come and is right.
    pub(super) const fn is_complete(&self) -> bool {
        self.reader.is_complete()
    }

    /// Whether the end was announced before the file was complete.
    pub(super) const fn is_ending(&self) -> bool {
        self.farewell.is_some()
    }

    /// Whether the application is to take content before more is read.
    pub(super) const fn is_full(&self) -> bool {
        self.untaken >= self.untaken_max
    }

    /// Bytes came. What comes behind the file is ignored.
    pub(super) fn receive(&mut self, bytes: Bytes) {
        if !self.is_complete() && !bytes.is_empty() {
            self.held.push_back(bytes);
        }
    }

    /// Nothing more comes.
    pub(super) const fn cut(&mut self) {
        self.is_cut = true;
    }

    /// The application has dealt with so much.
    pub(super) const fn taken(&mut self, bytes: usize) {
        self.untaken = self.untaken.saturating_sub(bytes);
    }

    /// What comes out next, if anything does. After [`Step::Complete`] and failures: nothing.
    pub(super) fn next(&mut self) -> Option<Step> {
        while !self.is_full() && !self.is_complete() {
            match self.reader.next_event(&mut self.plain) {
                Ok(Some(event)) => {
                    if let Some(step) = self.on_event(event) {
                        return Some(step);
                    }
                }
                Ok(None) => match self.refill() {
                    Ok(true) => {}
                    Ok(false) => return None,
                    Err(step) => return Some(step),
                },
                Err(error) => return Some(Step::Bad(error)),
            }
        }
        None
    }

    fn on_event(&mut self, event: pack::Event) -> Option<Step> {
        match event {
            pack::Event::Name(name) => {
                self.name = Some(name);
                None
            }
            pack::Event::Size(size) => Some(Step::File { name: self.name.take()?, size }),
            pack::Event::Content(bytes) => {
                self.untaken = self.untaken.saturating_add(bytes.len());
                Some(Step::Content(bytes))
            }
            pack::Event::Complete { sha1 } => {
                self.held = VecDeque::new();
                self.plain = Bytes::new();
                Some(Step::Complete { sha1 })
            }
        }
    }

    /// Opens the next record. False: it is not there.
    fn refill(&mut self) -> Result<bool, Step> {
        while self.farewell.is_none() {
            let Some(bytes) = self.held.front_mut() else { break };
            match self.opener.open(bytes) {
                Some(Opened::Data(plain)) => {
                    self.plain = plain;
                    return Ok(true);
                }
                Some(Opened::End) => self.farewell = Some(Farewell::begun()),
                Some(Opened::Corrupted) => return Err(Step::Corrupted),
                None => {
                    self.held.pop_front();
                }
            }
        }
        self.listen()
    }

    /// What is said behind the records, and who may have said it.
    fn listen(&mut self) -> Result<bool, Step> {
        let mut word = Word::Nothing;
        if let Some(farewell) = &mut self.farewell {
            for bytes in self.held.drain(..) {
                word = farewell.hear(&bytes);
            }
        }
        match word {
            Word::ClosedTwice => Err(Step::Cut(Cut::GivenUp)),
            _ if self.is_cut => Err(Step::Cut(match self.opener.end_of_stream() {
                Some(Opened::Corrupted) => Cut::Torn,
                Some(Opened::Data(_) | Opened::End) | None => Cut::Broken,
            })),
            Word::Closed if !core::mem::replace(&mut self.is_announced, true) => {
                Err(Step::Cut(Cut::Announced))
            }
            Word::Closed | Word::Nothing | Word::Failing | Word::Record => Ok(false),
        }
    }
}

/// Without content.
impl fmt::Debug for Receiving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiving")
            .field("opener", &self.opener)
            .field("held", &self.held.len())
            .field("untaken", &self.untaken)
            .field("is_complete", &self.is_complete())
            .field("farewell", &self.farewell)
            .field("is_cut", &self.is_cut)
            .finish_non_exhaustive()
    }
}
