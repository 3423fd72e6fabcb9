//! The libFuzzer program of `wire_record`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| pleach_fuzz::mesh::record(data));
