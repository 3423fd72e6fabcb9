//! What is said outside of records, at the end (`bob-relay.md` 8, 9).
//!
//! A relay says `ff ff ff ff` to both when one of them is gone. A peer may say it too, before it goes: eight bytes in
//! all then. Two peers of ours so tell each other more than the original does, and it does not notice:
//!
//! | said | by a client | by a server |
//! |---|---|---|
//! | `ff` × 8 | the file is kept | the file will not come |
//! | `ff` × 4 | it is gone, and that is all the original ever says | it is gone |
//! | `80 00` | it failed: a length that all readers take as corrupted | - |

/// How a client says that it failed.
pub(in crate::bob) const FAILING: &[u8] = &[0x80, 0x00];

/// The last bytes of a partner.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::bob) struct Farewell {
    heard: [u8; 8],
    length: usize,
}

/// What they mean so far.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::bob) enum Word {
    /// Too little to tell.
    Nothing,
    /// Somebody says that this is the end.
    Closed,
    /// The partner says so, and then the relay.
    ClosedTwice,
    /// The partner failed.
    Failing,
    /// No end, but a record, or what cannot be one.
    Record,
}

impl Farewell {
    /// After the two bytes by which a reader of records knows the end.
    pub(in crate::bob) const fn begun() -> Self {
        Self { heard: [0xff, 0xff, 0, 0, 0, 0, 0, 0], length: 2 }
    }

    /// Takes what comes; after eight bytes, nothing more.
    pub(in crate::bob) fn hear(&mut self, bytes: &[u8]) -> Word {
        for (place, byte) in self.heard.iter_mut().skip(self.length).zip(bytes) {
            *place = *byte;
            self.length = self.length.saturating_add(1);
        }
        self.word()
    }

    /// Whether somebody has said that this is the end.
    pub(in crate::bob) const fn is_closed(&self) -> bool {
        matches!(self.word(), Word::Closed | Word::ClosedTwice)
    }

    const fn word(&self) -> Word {
        match (self.heard, self.length) {
            (_, 0 | 1) => Word::Nothing,
            ([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], 8) => Word::ClosedTwice,
            ([0xff, 0xff, ..], _) => Word::Closed,
            ([0x80, 0x00, ..], _) => Word::Failing,
            _ => Word::Record,
        }
    }
}
