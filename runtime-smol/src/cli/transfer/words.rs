//! Passwords of words: as easy to say on the telephone as they are to compare.

use getrandom::SysRng;
use rand_core::TryRng;
use zeroize::Zeroizing;

use crate::cli::error::{Exit, Failure};

/// The words, a line each.
const LIST: &str = include_str!("../../../assets/words/english.txt");
/// How many there are: a power of two, so that bits choose among them evenly.
const WORDS: u32 = 2048;
/// Words of a password. A Bob relay announces every sender to everybody, so that guesses cannot be forbidden, only
/// slowed down: at 10 guesses a second, one hour finds two words in one of 117 tries, four in one of half a billion.
pub(crate) const COUNT: u32 = 4;
/// What stands between the words.
const JOINT: &str = "-";

/// Bits of entropy of a password: how many times the guesses needed double.
pub(crate) const fn bits() -> u32 {
    COUNT * WORDS.ilog2()
}

/// How many words there are to choose from.
pub(crate) const fn choices() -> u32 {
    WORDS
}

/// A new password, of [`COUNT`] words of the list.
pub(crate) fn generate() -> Result<Zeroizing<String>, Failure> {
    generate_from(|| SysRng.try_next_u32().ok())
        .ok_or_else(|| Failure::new(Exit::Local, "no-entropy", "the system gives no entropy for a password"))
}

fn generate_from(mut draw: impl FnMut() -> Option<u32>) -> Option<Zeroizing<String>> {
    // The longest words have eight letters: never moved in memory, it leaves no copy behind.
    let mut password = Zeroizing::new(String::with_capacity(COUNT as usize * 9));
    for number in 0..COUNT {
        if number > 0 {
            password.push_str(JOINT);
        }
        password.push_str(word(draw()?)?);
    }
    Some(password)
}

/// The word that these bits choose; those of no use are ignored.
fn word(bits: u32) -> Option<&'static str> {
    LIST.lines().nth((bits % WORDS) as usize)
}

/// Whether what was typed are words of the list, but not as [`generate`] writes them: in capitals, or otherwise joined.
pub(crate) fn is_in_another_dress(typed: &str) -> bool {
    let lower = Zeroizing::new(typed.to_ascii_lowercase());
    let words: Vec<&str> =
        lower.split(|joint: char| !joint.is_ascii_alphabetic()).filter(|word| !word.is_empty()).collect();
    let is_known = |word: &&str| LIST.lines().any(|known| known == *word);
    words.len() >= COUNT as usize && words.iter().all(is_known) && *Zeroizing::new(words.join(JOINT)) != typed
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_list_has_2048_words_that_four_letters_tell_apart() {
        let words: BTreeSet<&str> = LIST.lines().collect();
        assert_eq!((words.len(), LIST.lines().count()), (WORDS as usize, WORDS as usize));
        assert!(words.iter().all(|word| word.bytes().all(|byte| byte.is_ascii_lowercase())));
        let starts: BTreeSet<&str> = words.iter().map(|word| word.get(..4).unwrap_or(word)).collect();
        assert_eq!(starts.len(), words.len());
        assert_eq!(words.iter().map(|word| word.len()).max(), Some(8));
    }

    #[test]
    fn every_word_is_chosen_by_equally_many_draws() {
        let words: BTreeSet<&str> = (0..WORDS).map(|bits| word(bits).unwrap()).collect();
        assert_eq!(words.len(), WORDS as usize);
        assert_eq!(u64::from(u32::MAX).wrapping_add(1) % u64::from(WORDS), 0, "draws divide evenly");
        assert_eq!((word(5), word(5 + WORDS)), (LIST.lines().nth(5), LIST.lines().nth(5)));
    }

    #[test]
    fn a_password_has_44_bits_in_four_words() {
        assert_eq!(bits(), 44);
        let mut draws = [0, 1, 2047, 2048].into_iter();
        let password = generate_from(|| draws.next()).unwrap();
        assert_eq!(password.as_str(), "abandon-ability-zoo-abandon");
        assert_ne!(generate().unwrap(), generate().unwrap());
        let few = &mut [7].into_iter();
        assert!(generate_from(|| few.next()).is_none(), "without entropy there is no password");
    }

    #[test]
    fn words_in_another_dress_are_known() {
        for typed in ["Zoo abandon Ability,able", "ZOO-ABANDON-ABILITY-ABLE", "zoo-abandon-ability-able "] {
            assert!(is_in_another_dress(typed), "{typed}");
        }
        for typed in ["zoo-abandon-ability-able", "zoo abandon ability xyzzy", "zoo abandon", ""] {
            assert!(!is_in_another_dress(typed), "{typed}");
        }
    }
}
