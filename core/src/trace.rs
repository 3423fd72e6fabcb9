//! Log events that go to the `tracing` crate under the feature of that name. Without it the macros still check their
//! arguments and compile to nothing.

/// One line for what became of a link or a peer.
#[cfg(feature = "tracing")]
macro_rules! debug {
    ($($argument:tt)+) => { tracing::debug!($($argument)+) };
}

/// One line for what became of a link or a peer.
#[cfg(not(feature = "tracing"))]
macro_rules! debug {
    ($($argument:tt)+) => {
        if false {
            let _ = format_args!($($argument)+);
        }
    };
}

pub(crate) use debug;
