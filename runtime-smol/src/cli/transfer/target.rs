//! Where the received file goes: under a temporary name beside its place, until all of it has come and was verified.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Seek, Write};
use std::path::{Path, PathBuf};

use pleach_core::bob::Name;

use crate::cli::error::{Exit, Failure};
use crate::cli::leave::Temporary;
use crate::cli::output::escape;

/// Numbers that are tried for a name that is taken.
const NUMBERS_MAX: u32 = 10_000;

/// What happens to a file that is already there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Existing {
    /// It stays, and nothing is received.
    Refuse,
    /// It is replaced.
    Replace,
    /// It stays, and the new one gets a number.
    KeepBoth,
}

/// Where the person wants the file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Place {
    /// In this folder, under the sender's name.
    Folder(PathBuf),
    /// Under this name.
    File(PathBuf),
    /// To stdout, once it is verified.
    Stdout,
}

impl Place {
    /// What `--output` says: a folder that exists, or ends in `/`; the name of a file; `-`.
    pub(crate) fn of(output: Option<&Path>) -> Self {
        match output {
            None => Self::Folder(PathBuf::from(".")),
            Some(path) if path == Path::new("-") => Self::Stdout,
            Some(path) if path.is_dir() || ends_in_separator(path) => Self::Folder(path.to_owned()),
            Some(path) => Self::File(path.to_owned()),
        }
    }

    /// Says what can be said before a name is known: better now than when the other side is there.
    pub(crate) fn check(&self, existing: Existing) -> Result<(), Failure> {
        match self {
            Self::Folder(folder) => check_folder(folder),
            Self::File(path) => {
                check_folder(folder_of(path))?;
                check_free(path, existing)
            }
            Self::Stdout => Ok(()),
        }
    }

    /// The place of a file that its sender calls `name`.
    fn path(&self, name: &Name) -> PathBuf {
        match self {
            Self::Folder(folder) if folder == Path::new(".") => PathBuf::from(os_name(name)),
            Self::Folder(folder) => folder.join(os_name(name)),
            Self::File(path) => path.clone(),
            Self::Stdout => PathBuf::from("-"),
        }
    }
}

/// A file that comes.
#[derive(Debug)]
pub(crate) struct Target {
    file: File,
    temporary: Temporary,
    place: Place,
    /// Without a number.
    wanted: PathBuf,
    /// The first that was free.
    number: u32,
    path: PathBuf,
    existing: Existing,
}

impl Target {
    /// Prepares for a file that its sender calls `name`. Blocks.
    pub(crate) fn create(place: Place, name: &Name, existing: Existing) -> Result<Self, Failure> {
        let wanted = place.path(name);
        let (number, folder) = match &place {
            Place::Stdout => (0, std::env::temp_dir()),
            Place::Folder(_) | Place::File(_) => {
                check_free(&wanted, existing)?;
                let number = if existing == Existing::KeepBoth { free_number(&wanted)? } else { 0 };
                (number, folder_of(&wanted).to_owned())
            }
        };
        let (file, temporary) =
            Temporary::create(&folder).map_err(|error| unwritable(&shown(&folder), &error))?;
        let path = numbered(&wanted, number);
        Ok(Self { file, temporary, place, wanted, number, path, existing })
    }

    /// Its place, as it may be shown.
    pub(crate) fn shown(&self) -> String {
        if self.place == Place::Stdout { "stdout".into() } else { shown(&self.path) }
    }

    /// Its place.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Adds content. Blocks.
    pub(crate) fn write(&mut self, piece: &[u8]) -> Result<(), Failure> {
        self.file.write_all(piece).map_err(|error| unwritable(&self.shown(), &error))
    }

    /// All has come and was verified: keeps it, and gives its final place. Blocks.
    pub(crate) fn keep(mut self, mode: Mode) -> Result<PathBuf, Failure> {
        if self.place == Place::Stdout {
            return self.copy_to_stdout().map(|()| self.path);
        }
        // Some file systems have no modes, or fixed ones: no reason to lose what has come.
        if let Err(error) = mode.apply(&self.file) {
            tracing::debug!(%error, "the received file has not the usual mode");
        }
        self.file.sync_all().map_err(|error| unwritable(&shown(&self.path), &error))?;
        let path = self.publish()?;
        // The name too should survive a power cut. Where a folder cannot be synced, it may not.
        let _ = File::open(folder_of(&path)).and_then(|folder| folder.sync_all());
        Ok(path)
    }

    fn copy_to_stdout(&mut self) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        let copied = self.file.rewind().and_then(|()| io::copy(&mut self.file, &mut stdout));
        match copied.and_then(|_| stdout.flush()) {
            // A closed pipe is the reader's way to say that it has enough.
            Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(unwritable("stdout", &error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Gives the file its name.
    fn publish(&self) -> Result<PathBuf, Failure> {
        let failed = |path: &Path, error: io::Error| unwritable(&shown(path), &error);
        if self.existing == Existing::Replace {
            fs::rename(self.temporary.path(), &self.path).map_err(|error| failed(&self.path, error))?;
            return Ok(self.path.clone());
        }
        for number in self.number..NUMBERS_MAX {
            let path = numbered(&self.wanted, number);
            match publish_new(self.temporary.path(), &path) {
                Ok(()) => return Ok(path),
                Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(failed(&path, error)),
                Err(_) if self.existing == Existing::KeepBoth => {}
                Err(_) => break,
            }
        }
        Err(exists(&self.path))
    }
}

/// Gives `path` to a file, unless the name is taken: two at once cannot both succeed.
fn publish_new(temporary: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(temporary, path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(error),
        // A file system without such links: take the name first, then replace what is there, our own empty file.
        Err(_) => {
            File::create_new(path)?;
            fs::rename(temporary, path).inspect_err(|_| {
                let _ = fs::remove_file(path);
            })
        }
    }
}

/// The first number for `path` under which nothing is there.
fn free_number(path: &Path) -> Result<u32, Failure> {
    let is_free = |number: &u32| numbered(path, *number).symlink_metadata().is_err();
    (0..NUMBERS_MAX).find(is_free).ok_or_else(|| exists(path))
}

/// `path` with a number before its extension, and cut where it would be too long; as it is for 0.
fn numbered(path: &Path, number: u32) -> PathBuf {
    if number == 0 {
        return path.to_owned();
    }
    let number = format!(" ({number})");
    let room = Name::LENGTH_MAX - number.len();
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    let (stem, end) = match name.split_at_checked(path.file_stem().map_or(0, OsStr::len)) {
        Some((stem, end)) if end.len() < room => (stem, end),
        // What leaves no room for anything else is no extension.
        Some(_) | None => (name, &[][..]),
    };
    path.with_file_name(os_string([start_of(stem, room - end.len()), number.as_bytes(), end].concat()))
}

/// The first bytes, at most `length`; a letter stays whole.
fn start_of(text: &[u8], length: usize) -> &[u8] {
    let start = text.get(..length).unwrap_or(text);
    match str::from_utf8(start) {
        Err(error) if error.error_len().is_none() => start.get(..error.valid_up_to()).unwrap_or(start),
        Ok(_) | Err(_) => start,
    }
}

fn check_folder(folder: &Path) -> Result<(), Failure> {
    if folder.is_dir() {
        return Ok(());
    }
    let what = format!("there is no folder {}", shown(folder));
    Err(Failure::new(Exit::Local, "no-such-folder", what)
        .hint("make it first, or choose another with --output"))
}

fn check_free(path: &Path, existing: Existing) -> Result<(), Failure> {
    let found = path.symlink_metadata();
    // What else is wrong with it shows when the file is created.
    let (Ok(kind), Existing::Refuse | Existing::Replace) = (&found, existing) else { return Ok(()) };
    if kind.is_dir() {
        let what = format!("{} is a folder, and is not overwritten", shown(path));
        return Err(Failure::new(Exit::Local, "file-exists", what).hint("choose another name: --output PATH"));
    }
    // A link is replaced itself; but who names one that leads to a device means the device.
    let is_special = |kind: &Metadata| !kind.is_file() && !kind.is_dir() && !kind.is_symlink();
    if [found, path.metadata()].iter().flatten().any(is_special) {
        let what = format!("{} is a device or a pipe, and is not overwritten", shown(path));
        return Err(Failure::new(Exit::Local, "is-no-file", what)
            .hint("choose another name: --output PATH; or pass the file on: --output -"));
    }
    if existing == Existing::Refuse { Err(exists(path)) } else { Ok(()) }
}

fn exists(path: &Path) -> Failure {
    Failure::new(Exit::Local, "file-exists", format!("{} exists already", shown(path)))
        .hint("--force overwrites it, --rename keeps both")
}

fn unwritable(shown: &str, error: &io::Error) -> Failure {
    Failure::new(Exit::Local, "file-unwritable", format!("cannot write {shown}: {error}"))
        .hint("check the space and the permissions there, or choose another place: --output PATH")
}

fn shown(path: &Path) -> String {
    escape(path.as_os_str().as_encoded_bytes())
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn ends_in_separator(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().last().is_some_and(|byte| std::path::is_separator(char::from(*byte)))
}

fn os_name(name: &Name) -> OsString {
    os_string(name.as_bytes().to_vec())
}

#[cfg(unix)]
fn os_string(bytes: Vec<u8>) -> OsString {
    std::os::unix::ffi::OsStringExt::from_vec(bytes)
}

#[cfg(not(unix))]
fn os_string(bytes: Vec<u8>) -> OsString {
    String::from_utf8_lossy(&bytes).into_owned().into()
}

/// The mode that new files have here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mode(#[cfg(unix)] rustix::fs::Mode);

#[cfg(unix)]
impl Mode {
    /// What the umask leaves. It can only be read by setting it: to be called while nothing else creates files.
    pub(crate) fn usual() -> Self {
        use rustix::fs::Mode;
        let mask = rustix::process::umask(Mode::RWXG.union(Mode::RWXO));
        rustix::process::umask(mask);
        Self(Mode::from_raw_mode(0o666).difference(mask))
    }

    fn apply(self, file: &File) -> io::Result<()> {
        Ok(rustix::fs::fchmod(file, self.0)?)
    }
}

#[cfg(not(unix))]
impl Mode {
    pub(crate) const fn usual() -> Self {
        Self()
    }

    fn apply(self, _: &File) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
