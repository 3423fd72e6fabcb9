//! Fuzz targets: one for every decoder (`wire_*`) and one for every machine (`machine_*`).
//!
//! A target takes any bytes and panics when a promise is broken. `cargo test -p pleach-fuzz` replays the corpus and
//! some thousand random inputs; `fuzz_targets/` holds a libFuzzer program for each. On stable Rust, which needs no more
//! than a C++ compiler:
//!
//! ```sh
//! fuzz/run wire_frame -max_total_time=60
//! ```
//!
//! With nightly Rust and its sanitizers, `cargo fuzz run wire_frame --features libfuzzer` does the same.
//! An input that breaks something goes into `corpus/<target>/` before the fix, and stays there.

pub mod bob;
pub mod bob_pack;
pub mod bob_packet;
pub mod channel;
pub mod machine;
pub mod mesh;
pub mod wire;

use pleach_tests::allocations::Counting;

/// Memory is a promise too: targets bound it, so every program with targets counts.
#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What a target is called.
pub type Target = fn(&[u8]);

/// All targets by name: that of their folder in `corpus/` and of their file in `fuzz_targets/`.
pub const TARGETS: &[(&str, Target)] = &[
    ("machine_bob_client", machine::bob_client),
    ("machine_bob_relay", machine::bob_relay),
    ("machine_bob_server", machine::bob_server),
    ("machine_book", machine::book),
    ("machine_broadcast", machine::broadcast),
    ("machine_channel", machine::channel),
    ("machine_dialler", machine::dialler),
    ("machine_heads", machine::heads),
    ("machine_node", machine::node),
    ("machine_overlay", machine::overlay),
    ("machine_session", machine::session),
    ("wire_base58", wire::base58),
    ("wire_bob_packet", bob_packet::packet),
    ("wire_bob_public", bob::public),
    ("wire_bob_record", bob::record),
    ("wire_bob_pack", bob_pack::pack),
    ("wire_cbor", wire::cbor),
    ("wire_establishment", mesh::establishment),
    ("wire_frame", wire::frame),
    ("wire_heads", mesh::heads),
    ("wire_identify", channel::identify),
    ("wire_keys", wire::keys),
    ("wire_multiaddr", wire::multiaddr),
    ("wire_multistream", channel::multistream),
    ("wire_noise_payload", channel::noise_payload),
    ("wire_peer_id", wire::peer_id),
    ("wire_protobuf", wire::protobuf),
    ("wire_record", mesh::record),
    ("wire_rpc", mesh::rpc),
    ("wire_signed", mesh::signed),
    ("wire_varint", wire::varint),
    ("wire_yamux", channel::yamux),
];
