//! Files that are not yet, or never, somebody's.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

use getrandom::SysRng;
use rand_core::TryRng;

use crate::cli::leave::Temporary;

/// Creates a file in `folder` that nobody else can read, under a name that nobody can foresee. It is removed
/// when the second half is dropped.
pub(crate) fn create(folder: &Path) -> io::Result<(File, Temporary)> {
    let number = SysRng.try_next_u64().map_err(io::Error::other)?;
    let path = folder.join(format!(".pleach-{number:016x}.part"));
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(&path)?;
    Ok((file, Temporary::new(path)))
}
