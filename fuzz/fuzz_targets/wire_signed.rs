//! The libFuzzer program of `wire_signed`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| pleach_fuzz::mesh::signed(data));
