//! The relay learns nothing: no password, name, content or key is in the bytes that reach it.

use std::collections::BTreeMap;

use pleach_core::link::LinkId;

use super::Broken;

/// Shorter secrets are found by chance.
const SHORTEST: usize = 12;

/// The checker: keeps what reached the relay, and searches it once all secrets are known.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    streams: BTreeMap<LinkId, Vec<u8>>,
    secrets: Vec<(String, Vec<u8>)>,
    pub(super) broken: Broken,
}

impl Secrets {
    /// Bytes reached the relay.
    pub(super) fn received(&mut self, link: LinkId, bytes: &[u8]) {
        self.streams.entry(link).or_default().extend_from_slice(bytes);
    }

    /// Something that the relay must not see. What is too short is left out.
    pub(super) fn add(&mut self, what: impl Into<String>, secret: &[u8]) {
        if secret.len() >= SHORTEST {
            self.secrets.push((what.into(), secret.to_vec()));
        }
    }

    /// A long secret, by samples: its start, middle and end.
    pub(super) fn add_samples(&mut self, what: &str, secret: &[u8]) {
        const SAMPLE: usize = 24;
        let last = secret.len().saturating_sub(SAMPLE);
        for from in [0, last / 2, last] {
            let sample = secret.get(from..(from + SAMPLE).min(secret.len())).unwrap_or_default();
            self.add(format!("{what} at {from}"), sample);
        }
    }

    /// How many secrets are looked for.
    pub(super) const fn len(&self) -> u64 {
        self.secrets.len() as u64
    }

    /// How many bytes were kept.
    pub(super) fn bytes(&self) -> u64 {
        self.streams.values().map(|stream| stream.len() as u64).sum()
    }

    /// Searches everything.
    pub(super) fn search(&mut self) {
        // By their first two bytes: most places are ruled out at once.
        let mut by_start: BTreeMap<[u8; 2], Vec<usize>> = BTreeMap::new();
        let mut is_start = vec![false; 1 << 16];
        for (number, (_, secret)) in self.secrets.iter().enumerate() {
            if let Some(start) = secret.first_chunk::<2>() {
                by_start.entry(*start).or_default().push(number);
                if let Some(is_start) = is_start.get_mut(usize::from(u16::from_be_bytes(*start))) {
                    *is_start = true;
                }
            }
        }
        for stream in self.streams.values() {
            let mut rest = stream.as_slice();
            while let Some(start) = rest.first_chunk::<2>() {
                if is_start.get(usize::from(u16::from_be_bytes(*start))).is_some_and(|is_start| *is_start) {
                    let numbers = by_start.get(start).into_iter().flatten();
                    for (what, secret) in numbers.filter_map(|number| self.secrets.get(*number)) {
                        if rest.starts_with(secret) {
                            self.broken.note(|| format!("the relay saw {what}"));
                        }
                    }
                }
                rest = rest.get(1..).unwrap_or_default();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_across_pieces_and_one_that_is_elsewhere_is_not() {
        let secret = b"a secret of a pair";
        let run = |pieces: &[(u64, &[u8])]| {
            let mut secrets = Secrets::default();
            secrets.add("the password", secret);
            secrets.add_samples("the file", &[7; 100]);
            pieces.iter().for_each(|(link, bytes)| secrets.received(LinkId(*link), bytes));
            secrets.search();
            assert_eq!(secrets.len(), 4);
            secrets.broken.into_vec()
        };
        assert_eq!(run(&[(1, b"xxa secret of"), (1, b" a pairxx")]), ["the relay saw the password"]);
        assert_eq!(run(&[(1, b"xxa secret of"), (2, b" a pairxx")]), [""; 0]);
        assert_eq!(run(&[(1, b"a secret of a pain")]), [""; 0]);
        assert_eq!(run(&[(1, &[7; 24])]).len(), 3, "start, middle and end are alike");
    }

    #[test]
    fn what_chance_would_find_is_left_out() {
        let mut secrets = Secrets::default();
        secrets.add_samples("a file of one byte", b"x");
        secrets.add("nothing", b"");
        assert_eq!(secrets.len(), 0);
    }
}
