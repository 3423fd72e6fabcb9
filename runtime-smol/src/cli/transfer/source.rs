//! The file that is sent: found, measured, and read ahead of the network.

use std::borrow::Cow;
use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use async_channel::Sender;
use bytes::{Bytes, BytesMut};
use pleach_core::bob::pack::{Compression, Name, Writer};

use crate::cli::error::{Exit, Failure};
use crate::cli::leave::Temporary;
use crate::cli::output::escape;

/// Bytes that are read at a time.
const PIECE: usize = 256 * 1024;
/// Bytes of a sample.
const SAMPLE: u64 = 64 * 1024;
/// Pieces that may wait for the network: 1 MiB is read ahead.
pub(crate) const PIECES_AHEAD: usize = 4;

/// A file to be sent.
#[derive(Debug)]
pub(crate) struct Source {
    file: File,
    /// What it is called on the way.
    pub(crate) name: Name,
    /// How many bytes it has, and must still have at the end.
    pub(crate) size: u64,
    /// Whether it becomes smaller when it is compressed, as far as samples tell.
    pub(crate) is_compressible: bool,
    /// What it is called here.
    shown: String,
}

impl Source {
    /// Opens the file at `path` to be sent as `name`, by default its own. `-` is stdin, which is first read to its end:
    /// the receiver is told the size before the content. Blocks.
    pub(crate) fn open(path: &Path, name: Option<&str>) -> Result<Self, Failure> {
        let shown = escape(path.as_os_str().as_encoded_bytes());
        let (mut file, own_name) = if path == Path::new("-") {
            (from_stdin()?, None)
        } else {
            (open(path, &shown)?, path.file_name())
        };
        let name = match (name, own_name) {
            (Some(name), _) => name.as_bytes(),
            (None, Some(name)) => name.as_encoded_bytes(),
            (None, None) => {
                let what = "the file needs a name to be received under";
                return Err(Failure::new(Exit::Usage, "no-name", what).hint("give one: --name NAME"));
            }
        };
        let name = Name::try_from(name).map_err(|error| {
            Failure::new(Exit::Usage, "bad-name", format!("cannot send {shown}: {error}"))
                .hint("send it under another name: --name NAME")
        })?;
        let size = file.metadata().map_err(|error| unreadable(&shown, &error))?.len();
        let is_compressible = is_compressible(&mut file, size).map_err(|error| unreadable(&shown, &error))?;
        Ok(Self { file, name, size, is_compressible, shown })
    }

    /// Reads the file into `pieces` until its end, or until nobody wants more. The last piece is held back until the
    /// file was seen to have the size that it had. Blocks.
    pub(crate) fn read(mut self, pieces: &Sender<Bytes>) -> Result<(), Failure> {
        let mut left = self.size;
        while left > 0 {
            let length = usize::try_from(left).map_or(PIECE, |left| left.min(PIECE));
            let mut piece = BytesMut::zeroed(length);
            self.file.read_exact(&mut piece).map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => self.changed(),
                _ => unreadable(&self.shown, &error),
            })?;
            left -= length as u64;
            if left == 0 {
                self.check_size()?;
            }
            if pieces.send_blocking(piece.freeze()).is_err() {
                return Ok(());
            }
        }
        if self.size == 0 { self.check_size() } else { Ok(()) }
    }

    fn check_size(&self) -> Result<(), Failure> {
        let size = self.file.metadata().map_err(|error| unreadable(&self.shown, &error))?.len();
        if size == self.size { Ok(()) } else { Err(self.changed()) }
    }

    fn changed(&self) -> Failure {
        let what = format!("{} changed its size while it was sent", self.shown);
        Failure::new(Exit::Local, "file-changed", what).hint("send a copy of it, or wait until it is whole")
    }
}

fn open(path: &Path, shown: &str) -> Result<File, Failure> {
    // What is no file is not opened: a pipe would wait for its other end.
    let kind = path.metadata().map_err(|error| unreadable(shown, &error))?;
    refuse_what_is_no_file(path, shown, &kind)?;
    let file = File::open(path).map_err(|error| unreadable(shown, &error))?;
    let kind = file.metadata().map_err(|error| unreadable(shown, &error))?;
    refuse_what_is_no_file(path, shown, &kind)?;
    Ok(file)
}

fn refuse_what_is_no_file(path: &Path, shown: &str, found: &Metadata) -> Result<(), Failure> {
    if found.is_dir() {
        let what = format!("{shown} is a folder, and only files can be sent");
        return Err(Failure::new(Exit::Local, "is-a-folder", what).hint(archive_of(path)));
    }
    if !found.is_file() {
        let what = format!("{shown} is no file: its size is not known before it was read");
        let hint = format!("pleach send - --name NAME < {}", quoted(path));
        return Err(Failure::new(Exit::Local, "is-no-file", what).hint(hint));
    }
    Ok(())
}

/// How to make one file of a folder.
fn archive_of(path: &Path) -> String {
    let whole = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let (Some(name), Some(parent)) = (whole.file_name(), whole.parent()) else {
        return "send an archive of it: see man tar".into();
    };
    let archive = quoted(format!("{}.tar.gz", name.display()));
    let (parent, name) = (quoted(parent), quoted(name));
    format!("send an archive of it: tar -czf {archive} -C {parent} {name} && pleach send {archive}")
}

/// A path as a shell takes it, if it can be shown at all.
fn quoted(path: impl AsRef<Path>) -> String {
    let shown = escape(path.as_ref().as_os_str().as_encoded_bytes());
    shlex::try_quote(&shown).map_or_else(|_| shown.clone(), Cow::into_owned)
}

/// Compresses samples from the start, the middle and the end, and leaves `file` at its start.
fn is_compressible(file: &mut File, size: u64) -> io::Result<bool> {
    let mut sample = Vec::new();
    let last = size.saturating_sub(SAMPLE);
    // Where they overlap, nothing is read twice: repeated noise can be compressed.
    for (at, next) in [(0, last / 2), (last / 2, last), (last, size)] {
        file.seek(SeekFrom::Start(at))?;
        file.take(SAMPLE.min(next - at)).read_to_end(&mut sample)?;
    }
    file.rewind()?;
    let packed = Name::try_from(b"sample".as_slice()).ok().and_then(|name| {
        let (mut writer, mut packed) =
            (Writer::new(&name, sample.len() as u64, Compression::Level4), BytesMut::new());
        writer.write(&sample, &mut packed).ok()?;
        writer.finish(&mut packed).ok()?;
        Some(packed.len())
    });
    // A twentieth is the least that is worth the time.
    Ok(packed.is_none_or(|packed| packed < sample.len() - sample.len() / 20))
}

fn unreadable(shown: &str, error: &io::Error) -> Failure {
    let (code, hint) = match error.kind() {
        io::ErrorKind::NotFound => ("no-such-file", "check the spelling, and the folder you are in"),
        _ => ("file-unreadable", "check the permissions of the file and of the folders above it"),
    };
    Failure::new(Exit::Local, code, format!("cannot read {shown}: {error}")).hint(hint)
}

/// Keeps what comes from stdin in a file without a name.
fn from_stdin() -> Result<File, Failure> {
    let failed = |error: io::Error| {
        Failure::new(Exit::Local, "stdin-not-kept", format!("cannot keep what comes from stdin: {error}"))
            .hint("choose another folder for temporary files: TMPDIR=DIR")
    };
    let (mut file, temporary) = Temporary::create(&std::env::temp_dir()).map_err(failed)?;
    // Removed at once: it lives as long as it is open.
    drop(temporary);
    io::copy(&mut io::stdin().lock(), &mut file).and_then(|_| file.flush()).map_err(failed)?;
    file.rewind().map_err(failed)?;
    Ok(file)
}

#[cfg(test)]
mod tests;
