//! Base58 with the Bitcoin alphabet. Decoding is quadratic, so the input is bounded (T-10).

use alloc::string::String;
use alloc::vec::Vec;

use multibase::Base;

/// The longest text that is decoded, in characters.
pub const TEXT_MAX: usize = 128;

/// The text of `bytes`.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    Base::Base58Btc.encode(bytes)
}

/// The bytes of `text`, or none if it is not base58 or longer than [`TEXT_MAX`].
#[must_use]
pub fn decode(text: &str) -> Option<Vec<u8>> {
    if text.len() > TEXT_MAX { None } else { Base::Base58Btc.decode(text).ok() }
}
