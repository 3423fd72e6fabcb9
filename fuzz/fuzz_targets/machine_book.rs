//! The libFuzzer program of `machine_book`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| pleach_fuzz::machine::book(data));
