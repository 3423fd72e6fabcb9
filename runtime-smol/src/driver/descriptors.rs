//! The descriptors of the process, shared by all runtimes in it (T-22).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Kept free for storage, the reactor and dials when incoming links have taken all they may.
const RESERVE: usize = 32;
/// Taken where the system names no limit.
const UNLIMITED: usize = 1 << 20;

/// A budget of descriptors. Clones share it: give one to all runtimes of a process.
#[derive(Clone, Debug)]
pub struct Descriptors {
    shared: Arc<Budget>,
}

#[derive(Debug)]
struct Budget {
    used: AtomicUsize,
    accepted_max: usize,
    dialled_max: usize,
}

impl Descriptors {
    /// The budget of a process that may open `limit` descriptors: incoming links are taken up to 80 % of it, dials and
    /// listeners up to all but 32.
    #[must_use]
    pub fn with_limit(limit: usize) -> Self {
        let dialled_max = limit.saturating_sub(RESERVE);
        let accepted_max = (limit.saturating_mul(4) / 5).min(dialled_max);
        Self { shared: Arc::new(Budget { used: AtomicUsize::new(0), accepted_max, dialled_max }) }
    }

    /// The budget of this process, by its soft limit now.
    #[must_use]
    pub fn of_process() -> Self {
        let soft = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        Self::with_limit(soft.map_or(UNLIMITED, |soft| usize::try_from(soft).unwrap_or(UNLIMITED)))
    }

    /// Raises the soft limit of this process to its hard limit, for programs that hold many links. The limit stays as
    /// it was where that is not permitted.
    pub fn raise_limit() {
        let mut limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        limit.current = limit.maximum;
        if let Err(error) = rustix::process::setrlimit(rustix::process::Resource::Nofile, limit) {
            tracing::debug!(%error, "the limit of open files stays as it is");
        }
    }

    /// How many are in use.
    #[must_use]
    pub fn used(&self) -> usize {
        self.shared.used.load(Ordering::Relaxed)
    }

    /// A descriptor for a dial or a listener.
    pub(super) fn for_own(&self) -> Option<Permit> {
        self.take(self.shared.dialled_max)
    }

    /// A descriptor for an incoming link.
    pub(super) fn for_accepted(&self) -> Option<Permit> {
        self.take(self.shared.accepted_max)
    }

    fn take(&self, max: usize) -> Option<Permit> {
        let add = |used: usize| (used < max).then_some(used + 1);
        self.shared.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).ok()?;
        Some(Permit { shared: Arc::clone(&self.shared) })
    }
}

/// One descriptor of the budget, given back when dropped.
#[derive(Debug)]
pub(super) struct Permit {
    shared: Arc<Budget>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.shared.used.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t_22_dials_find_a_reserve_when_accepting_has_stopped() {
        let budget = Descriptors::with_limit(200);
        let accepted: Vec<_> = std::iter::from_fn(|| budget.for_accepted()).collect();
        assert_eq!(accepted.len(), 160);
        let dialled: Vec<_> = std::iter::from_fn(|| budget.for_own()).collect();
        assert_eq!(dialled.len(), 8);
        drop(accepted);
        assert_eq!(budget.used(), 8);
        assert!(budget.for_accepted().is_some());
    }
}
