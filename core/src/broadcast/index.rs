//! Where each remembered id stands, also for tens of thousands of them that come and go.
//!
//! One ordered map of all would be five or six nodes deep, and hardly one of them would be in a cache when it is
//! wanted. Ids are spread by their first bytes over many small maps instead. Who sees to it that all ids start alike
//! gets them into one map, which is no worse than to have had one from the start.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::Id;
use super::store::Serial;

/// Ids a map on average, at most.
const PER_MAP: usize = 64;

/// Serials by id, for a number of ids that was given beforehand.
#[derive(Clone, Debug)]
pub(super) struct Index {
    /// By the number that an id is: one comparison of a register pair instead of sixteen bytes.
    maps: Vec<BTreeMap<u128, Serial>>,
}

impl Index {
    /// An index that takes nothing and owns nothing.
    pub(super) const fn new() -> Self {
        Self { maps: Vec::new() }
    }

    /// An empty index with room for so many ids and some more, at most twice as many.
    pub(super) fn with_room(ids: usize) -> Self {
        let maps = (ids.saturating_mul(2) / PER_MAP).next_power_of_two();
        Self { maps: core::iter::repeat_with(BTreeMap::new).take(maps).collect() }
    }

    /// How many ids it is made for.
    pub(super) const fn room(&self) -> usize {
        self.maps.len().saturating_mul(PER_MAP)
    }

    pub(super) fn get(&self, id: &Id) -> Option<Serial> {
        self.maps.get(self.map_of(id))?.get(&number(id)).copied()
    }

    pub(super) fn insert(&mut self, id: &Id, serial: Serial) {
        let at = self.map_of(id);
        if let Some(map) = self.maps.get_mut(at) {
            map.insert(number(id), serial);
        }
    }

    pub(super) fn remove(&mut self, id: &Id) {
        let at = self.map_of(id);
        if let Some(map) = self.maps.get_mut(at) {
            map.remove(&number(id));
        }
    }

    /// Equal ranges of ids, in order.
    fn map_of(&self, id: &Id) -> usize {
        let maps = u128::try_from(self.maps.len()).unwrap_or_default();
        usize::try_from((number(id) >> 64).saturating_mul(maps) >> 64).unwrap_or_default()
    }
}

const fn number(id: &Id) -> u128 {
    u128::from_be_bytes(id.0)
}
