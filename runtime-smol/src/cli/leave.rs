//! Leaving at once, from any thread, without leaving temporary files behind.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::{Mutex, PoisonError};

use getrandom::SysRng;
use rand_core::TryRng;

use super::error::Exit;

/// Files that must not outlive the process.
static TEMPORARY: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Ends the process.
pub(crate) fn at_once(exit: Exit) -> ! {
    clean_up();
    process::exit(exit.code().into())
}

/// Removes what must not outlive the process: its last act.
pub(crate) fn clean_up() {
    // Whoever holds the lock may be the thread that panicked: it is not waited for.
    if let Ok(paths) = TEMPORARY.try_lock() {
        for path in paths.iter() {
            let _ = fs::remove_file(path);
        }
    }
}

/// A file that is removed when this is dropped, or when the process leaves by [`at_once`].
#[derive(Debug)]
pub(crate) struct Temporary(PathBuf);

impl Temporary {
    /// Creates a file in `folder` that nobody else can read, under a name that nobody can foresee.
    pub(crate) fn create(folder: &Path) -> io::Result<(File, Self)> {
        let number = SysRng.try_next_u64().map_err(io::Error::other)?;
        let path = folder.join(format!(".pleach-{number:016x}.part"));
        let mut options = File::options();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        Ok((options.open(&path)?, Self::new(path)))
    }

    /// Takes over the file at `path`.
    pub(crate) fn new(path: PathBuf) -> Self {
        TEMPORARY.lock().unwrap_or_else(PoisonError::into_inner).push(path.clone());
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // Before others may use the path again.
        let mut paths = TEMPORARY.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = fs::remove_file(&self.0);
        paths.retain(|path| *path != self.0);
    }
}
