//! The libFuzzer program of `wire_heads`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| pleach_fuzz::mesh::heads(data));
