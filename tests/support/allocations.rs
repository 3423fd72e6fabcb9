//! An allocator that counts, thread by thread, so that tests can bound what a machine or decoder takes.
//!
//! A test binary installs it:
//!
//! ```
//! # use pleach_tests::allocations::{self, Counting};
//! #[global_allocator]
//! static ALLOCATOR: Counting = Counting;
//!
//! let (boxed, used) = allocations::during(|| vec![0u8; 1000]);
//! assert!(used.peak >= 1000 && used.count == 1);
//! drop(boxed);
//! ```

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system allocator, counted.
#[derive(Clone, Copy, Debug)]
pub struct Counting;

/// What happened between two moments on this thread.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Used {
    /// Allocations and reallocations.
    pub count: u64,
    /// The most bytes held at once, above what was held at the start.
    pub peak: usize,
}

thread_local! {
    // Constant and without a destructor: reading them allocates nothing, also while a thread ends.
    static LIVE: Cell<i64> = const { Cell::new(0) };
    static PEAK: Cell<i64> = const { Cell::new(0) };
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

/// Runs `run` and says what it allocated. Not to be nested.
pub fn during<T>(run: impl FnOnce() -> T) -> (T, Used) {
    let (live, count) = (LIVE.get(), COUNT.get());
    PEAK.set(live);
    let result = run();
    let used = Used {
        count: COUNT.get().wrapping_sub(count),
        peak: usize::try_from(PEAK.get().saturating_sub(live)).unwrap_or(0),
    };
    (result, used)
}

/// Bytes that this thread has allocated and not freed. What it freed for other threads counts against it.
#[must_use]
pub fn live() -> i64 {
    LIVE.get()
}

/// Whether the allocator of this binary is the counting one: a bound without it would hold of anything.
#[must_use]
pub fn counted() -> bool {
    during(|| drop(std::hint::black_box(Box::new(0u8)))).1.count > 0
}

fn grow(bytes: usize) {
    let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
    LIVE.set(LIVE.get().saturating_add(bytes));
    PEAK.set(PEAK.get().max(LIVE.get()));
    COUNT.set(COUNT.get().wrapping_add(1));
}

fn shrink(bytes: usize) {
    LIVE.set(LIVE.get().saturating_sub(i64::try_from(bytes).unwrap_or(i64::MAX)));
}

// A global allocator cannot be written without `unsafe`; this one forwards every call unchanged.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        // SAFETY: the caller keeps the contract of `alloc`, which is the system's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        shrink(layout.size());
        // SAFETY: `pointer` came from `alloc` or `realloc` of this allocator, which took it from the system.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        shrink(layout.size());
        grow(size);
        // SAFETY: as for `dealloc`; the caller keeps the contract of `realloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}
