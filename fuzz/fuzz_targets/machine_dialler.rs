//! The libFuzzer program of `machine_dialler`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| pleach_fuzz::machine::dialler(data));
