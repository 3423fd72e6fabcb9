//! The libFuzzer program of `wire_bob_packet`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| pleach_fuzz::bob_packet::packet(data));
