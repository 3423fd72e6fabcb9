//! The libFuzzer program of `machine_broadcast`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| pleach_fuzz::machine::broadcast(data));
