//! The libFuzzer program of `wire_identify`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| pleach_fuzz::channel::identify(data));
