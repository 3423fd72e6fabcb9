//! Counters: plain `u64` fields of a `Copy` struct, owned by the machine, only ever growing.
//!
//! Most count what was shed and why. Runtimes export snapshots; nothing here knows a metrics library.

/// Defines a struct of counters, with a documented field each, that can list itself by name.
///
/// ```
/// pleach_core::counters! {
///     /// What a door has seen.
///     pub struct Stats {
///         /// People let in.
///         entered,
///         /// People turned away, as the room was full.
///         full,
///     }
/// }
///
/// let mut stats = Stats::default();
/// stats.entered += 2;
/// assert_eq!(stats.iter().collect::<Vec<_>>(), [("entered", 2), ("full", 0)]);
/// ```
#[macro_export]
macro_rules! counters {
    ($(#[$meta:meta])* pub struct $name:ident { $($(#[$field_meta:meta])* $field:ident),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
        pub struct $name {
            $($(#[$field_meta])* pub $field: u64,)*
        }

        impl $name {
            /// All zero, also in a `const`.
            pub const ZERO: Self = Self { $($field: 0,)* };

            /// Each counter with its name, in the order of declaration.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($field), self.$field)),*].into_iter()
            }

            /// Adds another snapshot to this one.
            pub const fn add(&mut self, other: &Self) {
                $(self.$field = self.$field.saturating_add(other.$field);)*
            }
        }
    };
}

/// Adds one to a counter.
pub const fn count(counter: &mut u64) {
    *counter = counter.saturating_add(1);
}

/// Adds `amount` to a counter.
pub fn count_by(counter: &mut u64, amount: usize) {
    *counter = counter.saturating_add(u64::try_from(amount).unwrap_or(u64::MAX));
}
