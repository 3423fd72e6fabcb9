//! Why a pack was refused.

use core::fmt;

use super::name::NameError;

/// How the sender broke the rules, or asked for more than is taken. The transfer is over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PackError {
    /// Does not start with `PACK`.
    BadMagic,
    /// Not version 2; which is inside.
    BadVersion(u32),
    /// A folder. So many objects were announced.
    Folder(u32),
    /// Fewer objects than a file needs; how many is inside.
    NoFile(u32),
    /// An entry of another type than the name or the content has; which is inside.
    BadEntry(u8),
    /// A size that exceeds 64 bits, or takes more bytes than it needs.
    BadSize,
    /// The file has a name that is not taken.
    Name(NameError),
    /// The file is larger than it may be.
    TooLarge {
        /// Bytes of its content, as announced.
        size: u64,
        /// How many are taken.
        limit: u64,
    },
    /// A compressed stream with an unknown head, or that needs a dictionary.
    BadZlibHead,
    /// A compressed stream that cannot be read.
    BadDeflate,
    /// A compressed stream that does not match its Adler-32.
    BadAdler32,
    /// More or less content than announced.
    BadLength,
    /// A compressed stream that goes on and yields nothing.
    Quiet,
    /// The pack does not match its SHA-1.
    BadSha1,
}

impl fmt::Display for PackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadVersion(version) => return write!(f, "the pack has the unknown version {version}"),
            Self::Folder(objects) => {
                return write!(
                    f,
                    "this is a folder, of {objects} objects, and only files can be received: ask for an archive of it"
                );
            }
            Self::NoFile(objects) => return write!(f, "a pack of {objects} objects holds no file"),
            Self::BadEntry(kind) => return write!(f, "the pack has an entry of the unexpected type {kind}"),
            Self::Name(error) => return error.fmt(f),
            Self::TooLarge { size, limit } => {
                return write!(f, "the file has {size} bytes, and at most {limit} are taken");
            }
            Self::BadMagic => "this is not a pack",
            Self::BadSize => "the pack has an entry of an impossible size",
            Self::BadZlibHead => "the pack has an entry that is not compressed by zlib",
            Self::BadDeflate => "the pack has an entry that cannot be decompressed",
            Self::BadAdler32 => "the pack has an entry that does not match its adler-32",
            Self::BadLength => "the pack has an entry of another size than announced",
            Self::Quiet => "the pack has an entry that goes on without content",
            Self::BadSha1 => "the pack does not match its sha-1",
        })
    }
}

impl core::error::Error for PackError {}

impl From<NameError> for PackError {
    fn from(error: NameError) -> Self {
        Self::Name(error)
    }
}
