//! The kinds of values that scenarios have, and `key=value` settings.

use std::fmt;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How closely the network is modelled.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Fidelity {
    /// Overlay and broadcast machines that exchange typed messages: for scale.
    #[default]
    Model,
    /// Whole nodes that exchange the real bytes, with real cryptography.
    Wire,
}

/// Who publishes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sources {
    /// So many nodes, taking turns.
    Some(u32),
    /// A random live node each time.
    Many,
}

impl Default for Sources {
    fn default() -> Self {
        Self::Some(1)
    }
}

/// A share from 0 to 1, in millionths.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Share(u32);

impl Share {
    const WHOLE: u32 = 1_000_000;

    /// So many percent; 100 at most.
    #[must_use]
    pub const fn percent(percent: u8) -> Self {
        let percent = if percent > 100 { 100 } else { percent };
        Self(percent as u32 * (Self::WHOLE / 100))
    }

    /// This share of `number`, rounded to the nearest.
    #[must_use]
    pub fn of(self, number: u32) -> u32 {
        let product = u64::from(number) * u64::from(self.0) + u64::from(Self::WHOLE / 2);
        u32::try_from(product / u64::from(Self::WHOLE)).unwrap_or(number)
    }

    #[expect(clippy::cast_possible_truncation, reason = "the range is checked: 0 to a million")]
    fn from_ratio(ratio: f64) -> Option<Self> {
        (0.0..=1.0).contains(&ratio).then(|| Self((ratio * f64::from(Self::WHOLE)).round() as u32))
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", f64::from(self.0) / f64::from(Self::WHOLE / 100))
    }
}

impl Serialize for Share {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(f64::from(self.0) / f64::from(Self::WHOLE))
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl Visitor<'_> for Reader {
            type Value = Share;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a share from 0 to 1 such as 0.3, or a percentage such as \"30%\"")
            }

            fn visit_f64<E: Error>(self, ratio: f64) -> Result<Share, E> {
                Share::from_ratio(ratio).ok_or_else(|| E::invalid_value(Unexpected::Float(ratio), &self))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Share, E> {
                let ratio = i32::try_from(number).ok().and_then(|number| Share::from_ratio(number.into()));
                ratio.ok_or_else(|| E::invalid_value(Unexpected::Signed(number), &self))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Share, E> {
                let percent = text.strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
                let ratio = percent.map(|percent| percent / 100.0).or_else(|| text.parse().ok());
                let share = ratio.and_then(Share::from_ratio);
                share.ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
            }
        }

        deserializer.deserialize_any(Reader)
    }
}

impl Serialize for Sources {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Some(1) => serializer.serialize_str("one"),
            Self::Some(number) => serializer.serialize_u32(*number),
            Self::Many => serializer.serialize_str("many"),
        }
    }
}

impl<'de> Deserialize<'de> for Sources {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl Visitor<'_> for Reader {
            type Value = Sources;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"one\", \"many\", or a number of nodes from 1")
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Sources, E> {
                let sources = u32::try_from(number).ok().filter(|number| *number > 0).map(Sources::Some);
                sources.ok_or_else(|| E::invalid_value(Unexpected::Signed(number), &self))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Sources, E> {
                match text {
                    "one" => Ok(Sources::Some(1)),
                    "many" => Ok(Sources::Many),
                    _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
                }
            }
        }

        deserializer.deserialize_any(Reader)
    }
}

/// Applies `key=value` to a table. A key may have a dot (`churn.every_ms=500`); a value that is no TOML is a string.
pub(super) fn set(table: &mut toml::Table, setting: &str) -> Result<(), String> {
    let (key, text) = setting.split_once('=').ok_or("it has the form key=value")?;
    let (key, text) = (key.trim(), text.trim());
    let value = toml::from_str::<toml::Table>(&format!("value = {text}"))
        .ok()
        .and_then(|mut parsed| parsed.remove("value"))
        .unwrap_or_else(|| toml::Value::String(text.to_owned()));
    let Some((group, member)) = key.split_once('.') else {
        table.insert(key.to_owned(), value);
        return Ok(());
    };
    let group = table.entry(group).or_insert_with(|| toml::Value::Table(toml::Table::new()));
    let inner = group.as_table_mut().ok_or_else(|| format!("{key}: there is no such key"))?;
    inner.insert(member.to_owned(), value);
    Ok(())
}
