//! Log events that go to the `tracing` crate under the feature of that name. Without it the macros still check their
//! arguments and compile to nothing.

/// One line for each exchange with a peer.
#[cfg(feature = "tracing")]
#[allow(unused_macros)]
macro_rules! debug {
    ($($argument:tt)+) => { tracing::debug!($($argument)+) };
}

/// One line for each exchange with a peer.
#[cfg(not(feature = "tracing"))]
#[allow(unused_macros)]
macro_rules! debug {
    ($($argument:tt)+) => {
        if false {
            let _ = format_args!($($argument)+);
        }
    };
}

#[allow(unused_imports)]
pub(crate) use debug;
