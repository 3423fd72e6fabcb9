//! The libFuzzer program of `wire_base58`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| pleach_fuzz::wire::base58(data));
