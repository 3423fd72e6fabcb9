//! The libFuzzer program of `machine_session`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| pleach_fuzz::machine::session(data));
