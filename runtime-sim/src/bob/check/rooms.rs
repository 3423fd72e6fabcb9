//! Who goes into whose room: a stranger who names one of a pair may spoil its transfer, and no more.

use std::collections::{BTreeMap, BTreeSet};

use pleach_core::link::LinkId;

/// Rooms as seen from their lines.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    /// Which pair has that name.
    names: BTreeMap<Vec<u8>, usize>,
    links: BTreeMap<LinkId, Visitor>,
    /// Pairs into whose rooms a stranger went.
    pub(super) squatted: BTreeSet<usize>,
    /// Links that named a room of a pair.
    pub(super) entered: u64,
}

#[derive(Debug)]
struct Visitor {
    /// The pair that it belongs to.
    own: Option<usize>,
    line: Vec<u8>,
    /// The pair that it has named, until the relay answers.
    named: Option<usize>,
}

impl Rooms {
    /// One of a pair has that name.
    pub(super) fn name(&mut self, name: String, pair: usize) {
        self.names.insert(name.into_bytes(), pair);
    }

    /// Somebody came, of that pair or of none.
    pub(super) fn opened(&mut self, link: LinkId, own: Option<usize>) {
        self.links.insert(link, Visitor { own, line: Vec::new(), named: None });
    }

    /// The relay received bytes.
    pub(super) fn received(&mut self, link: LinkId, bytes: &[u8]) {
        const LINE_MAX: usize = 100;
        let Some(visitor) = self.links.get_mut(&link) else { return };
        if visitor.line.len() >= LINE_MAX || visitor.line.ends_with(b"\n") {
            return;
        }
        for byte in bytes {
            visitor.line.push(*byte);
            if *byte == b'\n' {
                let name = visitor.line.split_last().map(|(_, name)| name).unwrap_or_default();
                visitor.named = self.names.get(name).copied();
                return;
            }
        }
    }

    /// The relay sent bytes, its answer first.
    pub(super) fn sent(&mut self, link: LinkId, bytes: &[u8]) {
        let Some(visitor) = self.links.get_mut(&link) else { return };
        if matches!(bytes, b"01" | b"02") {
            visitor.named = None;
        }
        self.settle(link);
    }

    /// Somebody is gone.
    pub(super) fn closed(&mut self, link: LinkId) {
        self.settle(link);
        self.links.remove(&link);
    }

    /// Who was not turned away was in the room.
    fn settle(&mut self, link: LinkId) {
        let Some(visitor) = self.links.get_mut(&link) else { return };
        if let Some(pair) = visitor.named.take() {
            self.entered += 1;
            if visitor.own != Some(pair) {
                self.squatted.insert(pair);
            }
        }
    }

    /// All who are still in a room.
    pub(super) fn settle_all(&mut self) {
        let links: Vec<_> = self.links.keys().copied().collect();
        links.into_iter().for_each(|link| self.settle(link));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_who_is_let_in_has_squatted_and_one_who_is_turned_away_has_not() {
        let mut rooms = Rooms::default();
        rooms.name("1.2.3.4:5".to_owned(), 0);
        rooms.name("1.2.3.4:6".to_owned(), 1);
        for (link, own) in [(1, Some(0)), (2, None), (3, Some(0)), (4, None)] {
            rooms.opened(LinkId(link), own);
        }
        rooms.received(LinkId(1), b"1.2.3.4:5\n");
        rooms.received(LinkId(2), b"1.2.3");
        rooms.received(LinkId(2), b".4:5\nand more");
        rooms.sent(LinkId(2), b"02");
        rooms.received(LinkId(3), b"1.2.3.4:6\n");
        rooms.received(LinkId(4), b"1.2.3.4:7\n");
        rooms.sent(LinkId(1), b"00");
        assert_eq!((rooms.entered, rooms.squatted.len()), (1, 0));
        rooms.settle_all();
        assert_eq!(rooms.squatted.into_iter().collect::<Vec<_>>(), [1]);
    }
}
