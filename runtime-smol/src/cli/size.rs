//! Sizes as people write them: a number and its unit.

use std::str::FromStr;

/// A number of bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Size(pub(crate) u64);

/// The units, and their bytes.
const UNITS: [(&str, u64); 9] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("B", 1),
];

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = UNITS.iter().find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?.trim_end(), bytes)));
        let size = found.and_then(|(number, bytes)| number.parse::<u64>().ok()?.checked_mul(*bytes));
        size.map(Self)
            .ok_or_else(|| format!("{text:?} is no size; expected for example 500MiB, 2GiB, 1TiB or 100B"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_a_number_and_a_unit() {
        for (text, bytes) in
            [("1TiB", 1 << 40), ("64 MiB", 64 << 20), ("0B", 0), ("5kB", 5000), ("3GB", 3_000_000_000)]
        {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
        }
        for wrong in ["", "1", "MiB", "-1B", "1.5GiB", "1XB", "99999999999TiB", "1 0B"] {
            assert!(wrong.parse::<Size>().is_err(), "{wrong}");
        }
    }
}
