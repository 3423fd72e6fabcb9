//! The libFuzzer program of `wire_peer_id`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| pleach_fuzz::wire::peer_id(data));
