//! Replays the corpus, the published vectors, and random inputs: what a fuzzer found once is found again by
//! `cargo test`, on stable Rust, in seconds.
#![allow(clippy::expect_used, clippy::panic)] // Helpers of tests: a panic is how they report.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use pleach_fuzz::TARGETS;
use pleach_tests::choices::random;
use serde_json::Value;

/// Random inputs of one target.
const RANDOM_INPUTS: u64 = 2000;
/// Steps of a machine cost more than a decoder's whole input.
const RANDOM_INPUTS_MACHINE: u64 = 60;

/// Vectors whose byte strings are good inputs of a target.
const SEEDS: &[(&str, &str)] = &[
    ("wire_bob_packet", "bob-relay/packets.json"),
    ("wire_bob_public", "bob-relay/spoke_failures.json"),
    ("wire_bob_record", "bob-relay/transcripts/server_first.json"),
    ("wire_establishment", "mesh/establishment.json"),
    ("wire_frame", "overlay/episub-rpc.json"),
    ("wire_heads", "mesh/heads.json"),
    ("wire_identify", "solcial-content/identify.json"),
    ("wire_identify", "solcial-content/peer_record.json"),
    ("wire_keys", "solcial-content/peer_id.json"),
    ("wire_multiaddr", "solcial-content/multiaddr.json"),
    ("wire_multistream", "solcial-content/stream_protocols.json"),
    ("wire_noise_payload", "solcial-content/noise_payload.json"),
    ("wire_peer_id", "solcial-content/peer_id.json"),
    ("wire_protobuf", "overlay/episub-rpc.json"),
    ("wire_rpc", "overlay/episub-rpc.json"),
    ("wire_varint", "solcial-content/cid.json"),
    ("wire_yamux", "solcial-content/stream_protocols.json"),
];

fn here() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn names_in(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.expect("a folder of this package can be read").path());
    paths.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())).collect()
}

#[test]
fn every_target_has_a_corpus_and_a_program() {
    let targets: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(targets.len(), TARGETS.len());
    assert_eq!(names_in(&here().join("corpus")), targets);
    assert_eq!(names_in(&here().join("fuzz_targets")), targets);
    let manifest = std::fs::read_to_string(here().join("Cargo.toml")).expect("this package has a manifest");
    for target in targets {
        assert!(
            manifest.contains(&format!("path = \"fuzz_targets/{target}.rs\"")),
            "{target} has no [[bin]]"
        );
    }
}

#[test]
fn the_corpus_replays() {
    for (name, target) in TARGETS {
        let folder = here().join("corpus").join(name);
        let mut count = 0;
        for entry in std::fs::read_dir(&folder).expect("checked above") {
            let path = entry.expect("a corpus can be read").path();
            target(&std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())));
            count += 1;
        }
        assert!(count > 0, "the corpus of {name} is empty");
    }
}

#[test]
fn published_vectors_replay() {
    for (name, file) in SEEDS {
        let (_, target) = TARGETS.iter().find(|(target, _)| target == name).expect("a seed names a target");
        let path = here().join("../tests/vectors").join(file);
        let text =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut seeds = Vec::new();
        collect(&serde_json::from_str(&text).expect("vectors are JSON"), &mut seeds);
        assert!(!seeds.is_empty(), "{file} holds no bytes");
        for seed in &seeds {
            target(seed);
            // One bit flipped, one byte missing: nearly right is what decoders get wrong.
            for at in 0..seed.len().min(64) {
                let mut flipped = seed.clone();
                flipped.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << (at % 8));
                target(&flipped);
                target(seed.get(..at).unwrap_or_default());
            }
        }
    }
}

/// All texts of a document: as they are, and as the bytes that they may be in hex.
fn collect(value: &Value, seeds: &mut Vec<Vec<u8>>) {
    if let Value::String(text) = value {
        seeds.push(text.clone().into_bytes());
        let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
        let bytes = digits.filter(|digits| digits.len().is_multiple_of(2)).map(|digits| {
            let byte = |pair: &[u32]| pair.iter().fold(0, |byte, digit| byte * 16 + digit);
            digits.chunks(2).filter_map(|pair| u8::try_from(byte(pair)).ok()).collect()
        });
        seeds.extend(bytes);
    }
    value.as_array().into_iter().flatten().for_each(|value| collect(value, seeds));
    value.as_object().into_iter().flatten().for_each(|(_, value)| collect(value, seeds));
}

#[test]
fn random_inputs_replay() {
    for (name, target) in TARGETS {
        let (runs, scale) =
            if name.starts_with("machine") { (RANDOM_INPUTS_MACHINE, 40) } else { (RANDOM_INPUTS, 1) };
        for seed in 0..runs {
            let length = usize::try_from(seed % 97).unwrap_or(0) * scale;
            let mut data = random(seed, length);
            // Random bytes are mostly large; small ones are lengths and tags.
            if seed % 2 == 0 {
                data.iter_mut().for_each(|byte| *byte %= 16);
            }
            target(&data);
        }
    }
}
