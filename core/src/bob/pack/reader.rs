//! From a pack to content.

use alloc::vec::Vec;

use bytes::Bytes;
use sha1::{Digest, Sha1};

use super::entry::{self, Head, Partial};
use super::error::PackError;
use super::inflate::{Inflated, Inflater};
use super::input::{Gather, Input};
use super::name::{Name, NameError};
use super::{HEAD_LENGTH, SHA1_LENGTH};

/// One pack, from a sender who is not trusted.
#[derive(Debug)]
pub struct Reader {
    content_max: u64,
    stage: Stage,
    inflater: Inflater,
    sha1: Sha1,
}

/// What a pack says, in this order.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event {
    /// The name of the file.
    Name(Name),
    /// How many bytes of content follow; exactly so many do before [`Event::Complete`].
    Size(u64),
    /// The next piece of content: at least one byte, at most [`PIECE_MAX`](super::PIECE_MAX).
    Content(Bytes),
    /// All is there and matches the SHA-1. Nothing follows.
    Complete {
        /// That of the pack.
        sha1: [u8; SHA1_LENGTH],
    },
}

#[derive(Debug)]
enum Stage {
    Head(Gather<HEAD_LENGTH>),
    NameHead(Partial),
    Name { left: u64, name: Vec<u8> },
    ContentHead(Partial),
    Content { left: u64 },
    Sha1 { expected: [u8; SHA1_LENGTH], gather: Gather<SHA1_LENGTH> },
    Complete,
    Failed(PackError),
}

/// What a step led to.
enum Step {
    Moved,
    Starved,
    Event(Event),
}

impl Reader {
    /// Before the first byte. Of a file at most `content_max` bytes are taken.
    #[must_use]
    pub fn new(content_max: u64) -> Self {
        let stage = Stage::Head(Gather::new());
        Self { content_max, stage, inflater: Inflater::new(), sha1: Sha1::new() }
    }

    /// Takes bytes off the front of `bytes` until something has happened, and says what. None: all has been taken; that is
    /// so too when the pack is complete, and what follows it is dropped. After an error the same comes again.
    pub fn next_event(&mut self, bytes: &mut Bytes) -> Result<Option<Event>, PackError> {
        loop {
            match self.step(bytes) {
                Ok(Step::Moved) => {}
                Ok(Step::Starved) => return Ok(None),
                Ok(Step::Event(event)) => return Ok(Some(event)),
                Err(error) => {
                    self.stage = Stage::Failed(error);
                    return Err(error);
                }
            }
        }
    }

    /// Whether the pack was read to its end and is what was sent. Where a stream ends before, it was cut.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        matches!(self.stage, Stage::Complete)
    }

    fn step(&mut self, bytes: &mut Bytes) -> Result<Step, PackError> {
        let mut input = Input { bytes, sha1: &mut self.sha1 };
        match &mut self.stage {
            Stage::Head(gather) => {
                let Some(head) = gather.read(&mut input) else { return Ok(Step::Starved) };
                check_head(head)?;
                self.stage = Stage::NameHead(Partial::default());
                Ok(Step::Moved)
            }
            Stage::NameHead(partial) => {
                let Some(head) = partial.read(&mut input)? else { return Ok(Step::Starved) };
                self.stage = Stage::Name { left: name_length(head)?, name: Vec::new() };
                Ok(Step::Moved)
            }
            Stage::Name { .. } => self.on_name(bytes),
            Stage::ContentHead(partial) => {
                let Some(head) = partial.read(&mut input)? else { return Ok(Step::Starved) };
                let left = content_length(head, self.content_max)?;
                self.inflater.restart();
                self.stage = Stage::Content { left };
                Ok(Step::Event(Event::Size(left)))
            }
            Stage::Content { .. } => self.on_content(bytes),
            Stage::Sha1 { expected, gather } => {
                let Some(sha1) = gather.read(&mut input) else { return Ok(Step::Starved) };
                if sha1 != *expected {
                    return Err(PackError::BadSha1);
                }
                self.stage = Stage::Complete;
                Ok(Step::Event(Event::Complete { sha1 }))
            }
            Stage::Complete => {
                bytes.clear();
                Ok(Step::Starved)
            }
            Stage::Failed(error) => Err(*error),
        }
    }

    fn on_name(&mut self, bytes: &mut Bytes) -> Result<Step, PackError> {
        let Stage::Name { left, name } = &mut self.stage else { return Ok(Step::Moved) };
        match self.inflater.next(&mut Input { bytes, sha1: &mut self.sha1 })? {
            Inflated::Piece(piece) => {
                *left = left.checked_sub(length(&piece)).ok_or(PackError::BadLength)?;
                name.extend_from_slice(&piece);
                Ok(Step::Moved)
            }
            Inflated::Starved => Ok(Step::Starved),
            Inflated::End if *left > 0 => Err(PackError::BadLength),
            Inflated::End => {
                let name = Name::try_from(name.as_slice())?;
                self.stage = Stage::ContentHead(Partial::default());
                Ok(Step::Event(Event::Name(name)))
            }
        }
    }

    fn on_content(&mut self, bytes: &mut Bytes) -> Result<Step, PackError> {
        let Stage::Content { left } = &mut self.stage else { return Ok(Step::Moved) };
        match self.inflater.next(&mut Input { bytes, sha1: &mut self.sha1 })? {
            Inflated::Piece(mut piece) => {
                let announced = usize::try_from(*left).unwrap_or(usize::MAX);
                *left = left.saturating_sub(length(&piece));
                if piece.len() > announced {
                    // What was announced is handed on first, however the input is cut.
                    piece.truncate(announced);
                    self.stage = Stage::Failed(PackError::BadLength);
                }
                Ok(if piece.is_empty() { Step::Moved } else { Step::Event(Event::Content(piece)) })
            }
            Inflated::Starved => Ok(Step::Starved),
            Inflated::End if *left > 0 => Err(PackError::BadLength),
            Inflated::End => {
                let expected = self.sha1.clone().finalize().into();
                self.stage = Stage::Sha1 { expected, gather: Gather::new() };
                Ok(Step::Moved)
            }
        }
    }
}

fn length(bytes: &Bytes) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

fn check_head(head: [u8; HEAD_LENGTH]) -> Result<(), PackError> {
    let [m0, m1, m2, m3, v0, v1, v2, v3, o0, o1, o2, o3] = head;
    if [m0, m1, m2, m3] != *b"PACK" {
        return Err(PackError::BadMagic);
    }
    match (u32::from_be_bytes([v0, v1, v2, v3]), u32::from_be_bytes([o0, o1, o2, o3])) {
        (2, 2) => Ok(()),
        (2, objects @ 0..2) => Err(PackError::NoFile(objects)),
        (2, objects) => Err(PackError::Folder(objects)),
        (version, _) => Err(PackError::BadVersion(version)),
    }
}

/// Bytes of the name, if they are not too many for one.
fn name_length(head: Head) -> Result<u64, PackError> {
    match head.kind {
        entry::TAG if usize::try_from(head.size).is_ok_and(|size| size <= Name::LENGTH_MAX) => Ok(head.size),
        entry::TAG => Err(NameError::TooLong.into()),
        // An empty folder has two objects as well.
        entry::COMMIT => Err(PackError::Folder(2)),
        kind => Err(PackError::BadEntry(kind)),
    }
}

/// Bytes of the content, if they are not more than may be.
const fn content_length(head: Head, limit: u64) -> Result<u64, PackError> {
    match head.kind {
        entry::BLOB if head.size <= limit => Ok(head.size),
        entry::BLOB => Err(PackError::TooLarge { size: head.size, limit }),
        kind => Err(PackError::BadEntry(kind)),
    }
}
