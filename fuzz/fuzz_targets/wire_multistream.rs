//! The libFuzzer program of `wire_multistream`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| pleach_fuzz::channel::multistream(data));
