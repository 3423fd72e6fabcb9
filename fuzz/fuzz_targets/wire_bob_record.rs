//! The libFuzzer program of `wire_bob_record`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| pleach_fuzz::bob::record(data));
