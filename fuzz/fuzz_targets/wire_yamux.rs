//! The libFuzzer program of `wire_yamux`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| pleach_fuzz::channel::yamux(data));
