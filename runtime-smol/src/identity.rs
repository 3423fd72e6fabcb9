//! The key file: a libp2p private key protobuf, readable by its owner only.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use pleach_core::identity::Keypair;
use zeroize::Zeroizing;

/// Bytes of a key file.
const LENGTH: usize = 68;

/// Reads the key pair in the file `path`.
///
/// # Errors
/// The file cannot be read, or holds something else; it was not changed.
pub fn load(path: &Path) -> Result<Keypair, IdentityError> {
    let failed = |source| IdentityError::Io { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    warn_if_open_to_others(path, &file);
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * LENGTH));
    file.take(LENGTH as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    Keypair::from_protobuf(&bytes).ok_or_else(|| IdentityError::NotAKey { path: path.to_owned() })
}

/// Writes `pair` into the new file `path`. It appears whole or not at all.
///
/// # Errors
/// The file exists already, or cannot be written; an existing one was not changed.
pub fn create(path: &Path, pair: &Keypair) -> Result<(), IdentityError> {
    let draft = path.with_extension(format!("new-{}", std::process::id()));
    let written = write_private(&draft, &pair.to_protobuf()).and_then(|()| fs::hard_link(&draft, path));
    let removed = fs::remove_file(&draft);
    written.and(removed).map_err(|source| {
        if source.kind() == ErrorKind::AlreadyExists {
            IdentityError::Exists { path: path.to_owned() }
        } else {
            IdentityError::Io { path: path.to_owned(), source }
        }
    })
}

/// Reads the key pair in the file `path`, or makes a new one where there is no file.
///
/// # Errors
/// As [`load`] and [`create`].
pub fn load_or_create(path: &Path, fresh: impl FnOnce() -> Keypair) -> Result<Keypair, IdentityError> {
    match load(path) {
        Err(IdentityError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
            let pair = fresh();
            create(path, &pair)?;
            Ok(pair)
        }
        other => other,
    }
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(unix)]
fn warn_if_open_to_others(path: &Path, file: &File) {
    use std::os::unix::fs::PermissionsExt;
    if file.metadata().is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0) {
        tracing::warn!("other users can read the secret key {}; use: chmod 600", path.display());
    }
}

#[cfg(not(unix))]
fn warn_if_open_to_others(_path: &Path, _file: &File) {}

/// A key file that cannot be used. Nothing was changed, and nothing overwritten.
#[derive(Debug)]
#[non_exhaustive]
pub enum IdentityError {
    /// It holds something else.
    NotAKey {
        /// The file.
        path: PathBuf,
    },
    /// It exists already.
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be read or written.
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl fmt::Display for IdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAKey { path } => {
                write!(f, "{} does not hold an Ed25519 private key in libp2p's form", path.display())
            }
            Self::Exists { path } => write!(f, "the key file {} exists already", path.display()),
            Self::Io { path, source } => write!(f, "the key file {} fails: {source}", path.display()),
        }
    }
}

impl std::error::Error for IdentityError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NotAKey { .. } | Self::Exists { .. } => None,
            Self::Io { source, .. } => Some(source),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_file_is_private_survives_and_is_never_overwritten() {
        let path = std::env::temp_dir().join(format!("pleach-identity-{}.key", std::process::id()));
        let _ = fs::remove_file(&path);
        let pair = load_or_create(&path, || Keypair::from_seed(&[7; 32])).unwrap();
        let again = load_or_create(&path, || panic!("there is a key")).unwrap();
        assert_eq!(again.public(), pair.public());
        assert!(matches!(create(&path, &pair), Err(IdentityError::Exists { .. })));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        fs::write(&path, [8; 69]).unwrap();
        assert!(matches!(load_or_create(&path, || pair.clone()), Err(IdentityError::NotAKey { .. })));
        assert_eq!(fs::read(&path).unwrap(), [8; 69]);
        fs::remove_file(&path).unwrap();
    }
}
