//! Records that survive a restart: bans, known peers, whatever a machine hands out in `Question::Store`.
//!
//! [`FileStore`] keeps them in one file, transaction by transaction; [`MemoryStore`] forgets them, for tests and for
//! nodes that leave nothing behind.

mod file;
mod memory;

use std::fmt;
use std::path::PathBuf;

use bytes::Bytes;

pub use file::FileStore;
pub use memory::MemoryStore;

/// A record to be written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Record {
    /// Its key.
    pub key: String,
    /// Its content; none deletes it.
    pub value: Option<Bytes>,
}

/// Keeps records by key. All methods may block.
pub trait Store: Send + Sync + 'static {
    /// The record under `key`, if there is one.
    ///
    /// # Errors
    /// The store cannot be read.
    fn load(&self, key: &str) -> Result<Option<Bytes>, StoreError>;

    /// Writes these records, all or none. When it returns they are safe from a crash of the process.
    ///
    /// # Errors
    /// Nothing was written: the disk is full, or failed.
    fn write(&self, records: &[Record]) -> Result<(), StoreError>;

    /// Every record, by key.
    ///
    /// # Errors
    /// The store cannot be read.
    fn all(&self) -> Result<Vec<(String, Bytes)>, StoreError>;
}

/// A store that cannot be used. Nothing was changed, and nothing overwritten.
#[derive(Debug)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process has it open.
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// A newer version of pleach wrote it.
    Newer {
        /// The file.
        path: PathBuf,
        /// The version of its format.
        found: u64,
        /// The version that is understood.
        known: u64,
    },
    /// It is not a store, or is damaged.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the storage library says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It cannot be read from or written to now.
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse { path } => write!(f, "the store {} is in use by another process", path.display()),
            Self::Newer { path, found, known } => write!(
                f,
                "the store {} was written by a newer version (its format is {found}, this version knows {known})",
                path.display()
            ),
            Self::Unreadable { path, source } => {
                write!(f, "the store {} cannot be read: {source}", path.display())
            }
            Self::Io { path, source } => write!(f, "the store {} fails: {source}", path.display()),
        }
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::InUse { .. } | Self::Newer { .. } => None,
            Self::Unreadable { source, .. } | Self::Io { source, .. } => Some(&**source),
        }
    }
}

#[cfg(test)]
mod tests;
