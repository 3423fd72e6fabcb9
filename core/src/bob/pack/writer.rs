//! From content to a pack.

use core::fmt;

use bytes::{BufMut, BytesMut};
use sha1::{Digest, Sha1};

use super::deflate::{Compression, Deflater};
use super::name::Name;
use super::{HEAD, SHA1_LENGTH, entry};

/// One file on its way into a pack.
#[derive(Debug)]
pub struct Writer {
    /// What stands before the content, until it is written.
    before: BytesMut,
    content: Deflater,
    remaining: u64,
    finished: bool,
    sha1: Sha1,
}

/// A misuse of a [`Writer`]. Nothing was written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WriteError {
    /// More content than announced; so many bytes were still to come.
    TooMuch(u64),
    /// Less content than announced; so many bytes are missing.
    TooLittle(u64),
    /// The pack is finished.
    Finished,
}

impl Writer {
    /// A pack for a file of this name and of `size` bytes. Nothing is written yet.
    #[must_use]
    pub fn new(name: &Name, size: u64, compression: Compression) -> Self {
        let mut before = BytesMut::from(HEAD.as_slice());
        write_tag(name.as_bytes(), compression, &mut before);
        entry::encode(entry::BLOB, size, &mut before);
        let content = Deflater::new(size, compression, &mut before);
        Self { before, content, remaining: size, finished: false, sha1: Sha1::new() }
    }

    /// Appends to `out` what the next piece of content becomes; compressed, that may be nothing for now.
    pub fn write(&mut self, content: &[u8], out: &mut BytesMut) -> Result<(), WriteError> {
        if self.finished {
            return Err(WriteError::Finished);
        }
        let length = u64::try_from(content.len()).unwrap_or(u64::MAX);
        self.remaining = self.remaining.checked_sub(length).ok_or(WriteError::TooMuch(self.remaining))?;
        self.append(out, |deflater, out| deflater.write(content, out));
        Ok(())
    }

    /// Appends the end of the pack to `out`, and says its SHA-1.
    pub fn finish(&mut self, out: &mut BytesMut) -> Result<[u8; SHA1_LENGTH], WriteError> {
        if self.finished {
            return Err(WriteError::Finished);
        }
        if self.remaining > 0 {
            return Err(WriteError::TooLittle(self.remaining));
        }
        self.finished = true;
        self.append(out, Deflater::finish);
        let sha1: [u8; SHA1_LENGTH] = self.sha1.finalize_reset().into();
        out.put_slice(&sha1);
        Ok(sha1)
    }

    /// Bytes of content that are still to come.
    #[must_use]
    pub const fn remaining(&self) -> u64 {
        self.remaining
    }

    fn append(&mut self, out: &mut BytesMut, write: impl FnOnce(&mut Deflater, &mut BytesMut)) {
        let start = out.len();
        out.put(self.before.split());
        write(&mut self.content, out);
        self.sha1.update(out.get(start..).unwrap_or_default());
    }
}

fn write_tag(name: &[u8], compression: Compression, out: &mut BytesMut) {
    let length = u64::try_from(name.len()).unwrap_or(u64::MAX);
    entry::encode(entry::TAG, length, out);
    let mut stream = Deflater::new(length, compression, out);
    stream.write(name, out);
    stream.finish(out);
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMuch(left) => write!(f, "more content than announced: {left} bytes were still to come"),
            Self::TooLittle(missing) => write!(f, "less content than announced: {missing} bytes are missing"),
            Self::Finished => f.write_str("the pack is finished"),
        }
    }
}

impl core::error::Error for WriteError {}
