//! A file as Bob sends it: a Git PACK of two entries (`bob-relay` 9).
//!
//! ```text
//! "PACK" 00000002 00000002
//! entry 1: type 4 (tag),  size, zlib(base name of the file)
//! entry 2: type 3 (blob), size, zlib(content)
//! SHA-1 of all before
//! ```
//!
//! An entry's head is Git's: a bit for "more", three of type, four of size, then seven bits of size a byte, the lowest
//! first. [`Writer`] makes the stream from content that comes in pieces, [`Reader`] takes it cut anywhere and gives the
//! content back, piece by piece, as fast as it is asked. Neither knows time, and neither keeps content.
//!
//! ```
//! use bytes::BytesMut;
//! use pleach_core::bob::pack::{Compression, Event, Name, Reader, Writer};
//!
//! let name = Name::try_from(b"hedge.txt".as_slice())?;
//! let mut writer = Writer::new(&name, 5, Compression::Level4);
//! let mut stream = BytesMut::new();
//! writer.write(b"beech", &mut stream)?;
//! let sha1 = writer.finish(&mut stream)?;
//!
//! let (mut reader, mut bytes) = (Reader::new(1000), stream.freeze());
//! assert_eq!(reader.next_event(&mut bytes)?, Some(Event::Name(name)));
//! assert_eq!(reader.next_event(&mut bytes)?, Some(Event::Size(5)));
//! assert_eq!(reader.next_event(&mut bytes)?, Some(Event::Content("beech".into())));
//! assert_eq!(reader.next_event(&mut bytes)?, Some(Event::Complete { sha1 }));
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! # Speed
//!
//! Without compression the zlib streams consist of stored blocks. The writer copies such content once, the reader not at
//! all: its pieces are views of the input. What is left to do is the SHA-1 and the Adler-32 of every byte, once a side.
//!
//! # Limits
//!
//! - The reader takes one file, not a folder, whose name is a [`Name`] and whose size is at most what it was told.
//! - It holds at most 43 KiB, whatever comes. A piece is at most [`PIECE_MAX`] bytes, and nothing is
//!   inflated before it is asked for.
//! - Declared sizes must be met exactly, and a zlib stream that goes on without content ends the transfer
//!   ([`QUIET_MAX`]).
//! - The writer holds less than 1 KiB without compression and 320 KiB with it.
//!
//! # Strictness
//!
//! Sizes in more bytes than they need are refused, as are zlib streams with a preset dictionary and matches before the
//! start. What follows the SHA-1 is ignored: the original program pads its last record with left-over memory.
#![deny(clippy::arithmetic_side_effects)]

mod deflate;
mod entry;
mod error;
mod inflate;
mod input;
mod name;
mod reader;
mod writer;

pub use deflate::Compression;
pub use error::PackError;
pub use inflate::{PIECE_MAX, QUIET_MAX};
pub use name::{Name, NameError};
pub use reader::{Event, Reader};
pub use writer::{WriteError, Writer};

/// What a pack starts with: magic, version, number of objects.
const HEAD: [u8; HEAD_LENGTH] = *b"PACK\0\0\0\x02\0\0\0\x02";
const HEAD_LENGTH: usize = 12;

/// Bytes of a SHA-1.
const SHA1_LENGTH: usize = 20;

#[cfg(test)]
mod tests;
