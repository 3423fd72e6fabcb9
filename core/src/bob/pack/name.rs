//! Names that a file may travel under.

use alloc::boxed::Box;
use core::fmt;

/// The base name of a file (`bob-relay` 9): what may be sent, and what is taken from a peer.
///
/// Joined to a folder it names a file in that folder, and no device, on every system. Bytes, in UTF-8 by custom. They may
/// still be invisible, or mirrored: escape them before a terminal.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Name(Box<[u8]>);

/// Why a name was refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NameError {
    /// No bytes.
    Empty,
    /// More than [`Name::LENGTH_MAX`] bytes.
    TooLong,
    /// `.` or `..`.
    Special,
    /// `/` or `\`.
    Separator,
    /// Starts as `C:` does, which Windows takes for another folder.
    Drive,
    /// A control character, NUL among them.
    Control,
    /// Ends in a dot or a space, which Windows drops.
    Ending,
    /// A device of Windows: `CON`, `NUL`, `COM1` and the like, with any extension.
    Reserved,
}

impl Name {
    /// Bytes of the longest name. 255 is what file systems take.
    pub const LENGTH_MAX: usize = 255;

    /// The bytes of the name.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl TryFrom<&[u8]> for Name {
    type Error = NameError;

    fn try_from(bytes: &[u8]) -> Result<Self, NameError> {
        match bytes {
            [] => return Err(NameError::Empty),
            _ if bytes.len() > Self::LENGTH_MAX => return Err(NameError::TooLong),
            b"." | b".." => return Err(NameError::Special),
            _ if bytes.iter().any(|byte| matches!(byte, b'/' | b'\\')) => return Err(NameError::Separator),
            [letter, b':', ..] if letter.is_ascii_alphabetic() => return Err(NameError::Drive),
            _ if has_control(bytes) => return Err(NameError::Control),
            [.., b'.' | b' '] => return Err(NameError::Ending),
            _ if is_device(bytes) => return Err(NameError::Reserved),
            _ => {}
        }
        Ok(Self(bytes.into()))
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the name of the file is empty",
            Self::TooLong => "the name of the file is longer than 255 bytes",
            Self::Special => "the name of the file is that of a folder, '.' or '..'",
            Self::Separator => "the name of the file holds a '/' or '\\': it would lead to another folder",
            Self::Drive => "the name of the file starts with a drive letter",
            Self::Control => "the name of the file holds a control character",
            Self::Ending => "the name of the file ends in a dot or a space, which some systems drop",
            Self::Reserved => "the name of the file is that of a device on some systems",
        })
    }
}

impl core::error::Error for NameError {}

/// Control characters of ASCII; in what is UTF-8, those of Unicode too, which some terminals obey.
fn has_control(bytes: &[u8]) -> bool {
    match str::from_utf8(bytes) {
        Ok(text) => text.chars().any(char::is_control),
        Err(_) => bytes.iter().any(u8::is_ascii_control),
    }
}

/// Whether Windows takes the name for a device: by what stands before the first dot, in any case, spaces at its end
/// aside.
fn is_device(bytes: &[u8]) -> bool {
    let stem = bytes.split(|byte| *byte == b'.').next().unwrap_or_default().trim_ascii_end();
    let named = |device: &&[u8]| stem.eq_ignore_ascii_case(device);
    let numbered = |kind: &[u8]| {
        let (head, tail) = stem.split_at_checked(kind.len()).unwrap_or_default();
        head.eq_ignore_ascii_case(kind) && (matches!(tail, [b'0'..=b'9']) || SUPERSCRIPTS.contains(&tail))
    };
    DEVICES.iter().any(named) || numbered(b"COM") || numbered(b"LPT")
}

const DEVICES: &[&[u8]] = &[b"CON", b"PRN", b"AUX", b"NUL", b"CONIN$", b"CONOUT$"];

/// 1, 2 and 3, raised: Windows counts ports with them too.
const SUPERSCRIPTS: &[&[u8]] = &["\u{b9}".as_bytes(), "\u{b2}".as_bytes(), "\u{b3}".as_bytes()];
