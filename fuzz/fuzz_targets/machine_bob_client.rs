//! The libFuzzer program of `machine_bob_client`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| pleach_fuzz::machine::bob_client(data));
