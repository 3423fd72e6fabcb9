//! `solcial-content/`: identities, addresses and the channel. The files of content, relays and hole punching are read
//! where those are built. A member that a test does not know is an error.

mod channel;
mod identity;

use std::fmt::Debug;

use serde::Deserialize;

use crate::harness::topic;

#[test]
fn solcial_content() {
    topic("solcial-content", |topic| {
        identity::peer_ids(topic);
        identity::multiaddrs(topic);
        channel::noise_payloads(topic);
        channel::noise_handshakes(topic);
        channel::identify_messages(topic);
        channel::peer_records(topic);
        channel::stream_protocols(topic);
    });
}

/// Bytes that stand in the files as hex.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(try_from = "String")]
pub(super) struct Hex(pub(super) Vec<u8>);

impl TryFrom<String> for Hex {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let digit = |pair: &[u8]| {
            let text = std::str::from_utf8(pair).ok().filter(|text| text.len() == 2 && !text.contains('+'));
            text.and_then(|text| u8::from_str_radix(text, 16).ok())
        };
        let bytes: Option<Vec<u8>> = text.as_bytes().chunks(2).map(digit).collect();
        bytes.map(Self).ok_or_else(|| format!("not hex: {text}"))
    }
}

impl Hex {
    pub(super) fn array<const N: usize>(&self) -> [u8; N] {
        self.0.as_slice().try_into().unwrap_or_else(|_| panic!("{} bytes, not {N}", self.0.len()))
    }
}

/// What our specification demands.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Expect {
    Accept,
    Reject,
}

/// What another library answered to an odd input.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Answer {
    pub(super) ok: bool,
    pub(super) error: Option<String>,
    pub(super) bytes: Option<Hex>,
    pub(super) text: Option<String>,
    pub(super) peer: Option<String>,
}

pub(super) fn equal<T: Debug + PartialEq>(ours: &T, published: &T, what: &str) {
    assert_eq!(ours, published, "{what}");
}
