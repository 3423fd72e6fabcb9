//! What a network decides about HEADs.

use core::fmt::Debug;
use core::time::Duration;

use crate::time::WallTime;

/// Why a HEAD is not taken now, whoever sent it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Untimely {
    /// Dated too far ahead.
    Early,
    /// Too old.
    Late,
}

/// The rules of one network: which field decides, what is signed, what our own HEAD says.
///
/// A rules value holds what these need (a network's name, the own key pair) and no state that changes.
pub trait Rules {
    /// A linked peer, as far as HEADs tell peers apart; also the owner of a HEAD.
    type Peer: Copy + Debug + Ord;
    /// One node in the table.
    type Key: Clone + Debug + Ord;
    /// A HEAD: the signed bytes verbatim, and what was parsed of them. Cheap to clone.
    type Head: Clone + Debug + PartialEq;
    /// What decides which of two HEADs of one node is newer.
    type Order: Ord;
    /// What the application and the node say about themselves in the own HEAD.
    type Own: Clone + Debug + PartialEq;

    /// The largest step; steps saturate there.
    const STEP_MAX: u32;

    /// The place of a HEAD in the table.
    fn key(&self, head: &Self::Head) -> Self::Key;

    /// Who signs it.
    fn owner(&self, head: &Self::Head) -> Self::Peer;

    /// What decides whether it is newer.
    fn order(&self, head: &Self::Head) -> Self::Order;

    /// Its age for eviction and for "newest first": larger is younger.
    fn issued(&self, head: &Self::Head) -> u64;

    /// Whether two HEADs say the same: equal signed bytes, whatever their signatures.
    fn same(&self, one: &Self::Head, other: &Self::Head) -> bool;

    /// How long a HEAD may be held from `wall` on, or why it is not taken.
    fn lifetime(&self, head: &Self::Head, wall: WallTime) -> Result<Duration, Untimely>;

    /// Whether its signatures are right. The only expensive question; asked last and at most once for each HEAD.
    fn verify(&self, head: &Self::Head) -> bool;

    /// The place of our own HEAD.
    fn own_key(&self) -> Self::Key;

    /// Whether going from `before` to `after` is worth a HEAD at once, or waits for the next refresh.
    fn is_change(&self, before: &Self::Own, after: &Self::Own) -> bool;

    /// Makes and signs our HEAD: newer than `previous`, and continuing from there if `own` says less.
    fn own_head(&self, own: &Self::Own, previous: Option<&Self::Head>, wall: WallTime) -> Self::Head;
}
