//! The libFuzzer program of `wire_bob_public`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| pleach_fuzz::bob::public(data));
