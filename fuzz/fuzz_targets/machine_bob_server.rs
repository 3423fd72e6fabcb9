//! The libFuzzer program of `machine_bob_server`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| pleach_fuzz::machine::bob_server(data));
