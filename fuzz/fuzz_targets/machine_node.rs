//! The libFuzzer program of `machine_node`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| pleach_fuzz::machine::node(data));
