//! The libFuzzer program of `machine_heads`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| pleach_fuzz::machine::heads(data));
