//! The libFuzzer program of `wire_keys`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| pleach_fuzz::wire::keys(data));
