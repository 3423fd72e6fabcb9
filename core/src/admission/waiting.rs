//! Links that wait for something: their own handshake, or admission.

use alloc::collections::BTreeMap;
use core::net::IpAddr;

use crate::ip::Prefix;
use crate::link::LinkId;

/// Links in the order in which they were opened, with the addresses they came from.
#[derive(Clone, Debug, Default)]
pub(super) struct Waiting {
    links: BTreeMap<u64, (LinkId, Option<IpAddr>)>,
}

impl Waiting {
    pub(super) fn insert(&mut self, serial: u64, link: LinkId, remote: Option<IpAddr>) {
        self.links.insert(serial, (link, remote));
    }

    pub(super) fn remove(&mut self, serial: u64) {
        self.links.remove(&serial);
    }

    pub(super) fn len(&self) -> usize {
        self.links.len()
    }

    /// The oldest link whose address lies in the same group as `remote`, if the group has `max` links or more.
    pub(super) fn oldest_of_full(
        &self,
        remote: IpAddr,
        group: fn(IpAddr) -> Prefix,
        max: usize,
    ) -> Option<LinkId> {
        let prefix = group(remote);
        let mut members = self.links.values().filter(|(_, ip)| ip.map(group) == Some(prefix));
        let oldest = members.next()?;
        (1 + members.count() >= max).then_some(oldest.0)
    }

    /// The oldest link of the most represented range; of equally represented ranges the one with the oldest link.
    pub(super) fn oldest_of_largest(&self) -> Option<LinkId> {
        let mut ranges: BTreeMap<Option<Prefix>, (usize, u64)> = BTreeMap::new();
        for (serial, (_, ip)) in &self.links {
            ranges.entry(ip.map(Prefix::range)).or_insert((0, *serial)).0 += 1;
        }
        let (_, oldest) = ranges.into_values().max_by_key(|(count, oldest)| (*count, u64::MAX - oldest))?;
        self.links.get(&oldest).map(|(link, _)| *link)
    }
}
