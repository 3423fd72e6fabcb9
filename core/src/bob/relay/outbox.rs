//! What was sent to a peer and has not left yet.

use alloc::collections::{BTreeMap, VecDeque};

use crate::bob::packet::Uid;

/// Counts bytes that were sent and not yet written, and whose they are. Holds no packet: what is sent is with the
/// driver. Empty, it owns no memory; full, two numbers for each change of sender.
#[derive(Clone, Debug, Default)]
pub(super) struct Outbox {
    bytes: usize,
    /// By sender, in the order in which they leave.
    order: VecDeque<(Uid, u32)>,
    of_sender: BTreeMap<Uid, u32>,
    /// The peer is to be disconnected: nothing more is sent.
    pub(super) is_broken: bool,
}

impl Outbox {
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes of this sender.
    pub(super) fn bytes_of(&self, sender: Uid) -> usize {
        self.of_sender.get(&sender).map_or(0, |bytes| usize::try_from(*bytes).unwrap_or(usize::MAX))
    }

    pub(super) fn sent(&mut self, sender: Uid, count: usize) {
        self.bytes = self.bytes.saturating_add(count);
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let of_sender = self.of_sender.entry(sender).or_default();
        *of_sender = of_sender.saturating_add(count);
        match self.order.back_mut() {
            Some((last, bytes)) if *last == sender => *bytes = bytes.saturating_add(count),
            _ => self.order.push_back((sender, count)),
        }
    }

    pub(super) fn written(&mut self, count: usize) {
        self.bytes = self.bytes.saturating_sub(count);
        if self.bytes == 0 {
            *self = Self { is_broken: self.is_broken, ..Self::default() };
            return;
        }
        let mut rest = u32::try_from(count).unwrap_or(u32::MAX);
        while rest > 0 {
            let Some((sender, bytes)) = self.order.front_mut() else { break };
            let left = rest.min(*bytes);
            rest = rest.saturating_sub(left);
            *bytes = bytes.saturating_sub(left);
            let of_sender = self.of_sender.entry(*sender).or_default();
            *of_sender = of_sender.saturating_sub(left);
            if *of_sender == 0 {
                self.of_sender.remove(sender);
            }
            if *bytes == 0 {
                self.order.pop_front();
            }
        }
    }
}
