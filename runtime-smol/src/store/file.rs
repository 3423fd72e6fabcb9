//! The store in one file, with redb underneath.
//!
//! Every transaction is durable when it returns, so a process that is killed loses only what it was writing. A record
//! carries its length and BLAKE3 and is checked when it is read (T-70): a damaged one costs itself and no other.

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use redb::{Builder, Database, DatabaseError, ReadableDatabase, ReadableTable, TableDefinition, TableHandle};

use super::{Record, Store, StoreError};

/// The version of the format that this code writes, and the newest that it reads.
const FORMAT: u64 = 1;
const ABOUT: TableDefinition<'_, &str, u64> = TableDefinition::new("about");
const RECORDS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("records");
/// The store is small and read once: it needs no cache to speak of.
const CACHE_BYTES: usize = 1 << 20;
/// Length and hash in front of a record.
const HEADER: usize = 4 + blake3::OUT_LEN;

/// Records in a file.
pub struct FileStore {
    database: Database,
    path: PathBuf,
}

impl FileStore {
    /// Opens the store in the file `path`, or makes a new one where there is no file. Its directory must exist.
    ///
    /// # Errors
    /// The file is in use, unreadable, or of a newer version; it was not changed.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        drop(options.open(path).map_err(|error| io_error(path, error))?);

        let database = builder().create(path).map_err(|error| database_error(path, error))?;
        Self::checked(database, path)
    }

    fn checked(database: Database, path: &Path) -> Result<Self, StoreError> {
        let store = Self { database, path: path.to_owned() };
        store.check_format()?;
        Ok(store)
    }

    /// Reads the version of the format; writes it into a store that is new.
    fn check_format(&self) -> Result<(), StoreError> {
        let read = self.database.begin_read().map_err(|error| self.unreadable(error))?;
        let tables: Vec<String> = read
            .list_tables()
            .map_err(|error| self.unreadable(error))?
            .map(|table| table.name().to_owned())
            .collect();
        if tables.is_empty() {
            return self.write_format().map_err(|error| self.failed(error));
        }
        let about = read.open_table(ABOUT).map_err(|error| self.unreadable(error))?;
        let format =
            about.get("format").map_err(|error| self.unreadable(error))?.map(|format| format.value());
        match format {
            Some(FORMAT) => Ok(()),
            Some(found) if found > FORMAT => {
                Err(StoreError::Newer { path: self.path.clone(), found, known: FORMAT })
            }
            _ => Err(self.unreadable("it names no version of its format")),
        }
    }

    fn write_format(&self) -> Result<(), redb::Error> {
        let transaction = self.database.begin_write()?;
        transaction.open_table(ABOUT)?.insert("format", FORMAT)?;
        transaction.open_table(RECORDS)?;
        Ok(transaction.commit()?)
    }

    fn try_write(&self, records: &[Record]) -> Result<(), redb::Error> {
        let transaction = self.database.begin_write()?;
        {
            let mut table = transaction.open_table(RECORDS)?;
            for Record { key, value } in records {
                match value {
                    Some(value) => table.insert(key.as_str(), &*encode(key, value))?,
                    None => table.remove(key.as_str())?,
                };
            }
        }
        Ok(transaction.commit()?)
    }

    fn try_load(&self, key: &str) -> Result<Option<Bytes>, redb::Error> {
        let table = self.database.begin_read()?.open_table(RECORDS)?;
        Ok(table.get(key)?.and_then(|record| self.decode(key, record.value())))
    }

    fn try_all(&self) -> Result<Vec<(String, Bytes)>, redb::Error> {
        let table = self.database.begin_read()?.open_table(RECORDS)?;
        let mut all = Vec::new();
        for entry in table.iter()? {
            let (key, record) = entry?;
            if let Some(value) = self.decode(key.value(), record.value()) {
                all.push((key.value().to_owned(), value));
            }
        }
        Ok(all)
    }

    fn decode(&self, key: &str, record: &[u8]) -> Option<Bytes> {
        let value = decode(key, record);
        if value.is_none() {
            tracing::warn!(store = %self.path.display(), ?key, "a damaged record is left out");
        }
        value
    }

    fn unreadable(&self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
        StoreError::Unreadable { path: self.path.clone(), source: source.into() }
    }

    fn failed(&self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
        StoreError::Io { path: self.path.clone(), source: source.into() }
    }
}

impl Store for FileStore {
    fn load(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        self.try_load(key).map_err(|error| self.failed(error))
    }

    fn write(&self, records: &[Record]) -> Result<(), StoreError> {
        self.try_write(records).map_err(|error| self.failed(error))
    }

    fn all(&self) -> Result<Vec<(String, Bytes)>, StoreError> {
        self.try_all().map_err(|error| self.failed(error))
    }
}

impl std::fmt::Debug for FileStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileStore").field("path", &self.path).finish_non_exhaustive()
    }
}

fn builder() -> Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES).set_check_integrity_on_open(true);
    builder
}

/// Length of the value, BLAKE3 over key and value, value.
fn encode(key: &str, value: &[u8]) -> Vec<u8> {
    let length = u32::try_from(value.len()).unwrap_or(u32::MAX);
    [&length.to_le_bytes()[..], hash(key, value).as_bytes(), value].concat()
}

fn decode(key: &str, record: &[u8]) -> Option<Bytes> {
    let (header, value) = record.split_at_checked(HEADER)?;
    let (length, found) = header.split_at_checked(4)?;
    let length = u32::from_le_bytes(length.try_into().ok()?);
    let whole = u32::try_from(value.len()).ok()? == length && found == hash(key, value).as_bytes();
    whole.then(|| Bytes::copy_from_slice(value))
}

/// Over the key too: a record that got under another key is damaged.
fn hash(key: &str, value: &[u8]) -> blake3::Hash {
    blake3::Hasher::new().update(key.as_bytes()).update(&[0]).update(value).finalize()
}

fn io_error(path: &Path, source: io::Error) -> StoreError {
    StoreError::Io { path: path.to_owned(), source: source.into() }
}

fn database_error(path: &Path, error: DatabaseError) -> StoreError {
    if matches!(error, DatabaseError::DatabaseAlreadyOpen) {
        StoreError::InUse { path: path.to_owned() }
    } else {
        StoreError::Unreadable { path: path.to_owned(), source: error.into() }
    }
}

#[cfg(test)]
impl FileStore {
    /// A store on the bytes of a file, without the disk.
    pub(super) fn on_bytes(bytes: &[u8]) -> Result<Self, StoreError> {
        use redb::StorageBackend;
        let backend = redb::backends::InMemoryBackend::new();
        backend.set_len(bytes.len() as u64).unwrap();
        backend.write(0, bytes).unwrap();
        let path = Path::new("memory");
        let database = builder().create_with_backend(backend).map_err(|error| database_error(path, error))?;
        Self::checked(database, path)
    }

    /// Writes a record as it is, and the version of the format: what a damaged or a newer store holds.
    pub(super) fn plant(&self, key: &str, record: &[u8], format: u64) {
        let transaction = self.database.begin_write().unwrap();
        transaction.open_table(RECORDS).unwrap().insert(key, record).unwrap();
        transaction.open_table(ABOUT).unwrap().insert("format", format).unwrap();
        transaction.commit().unwrap();
    }
}
