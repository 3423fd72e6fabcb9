//! The libFuzzer program of `machine_bob_relay`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| pleach_fuzz::machine::bob_relay(data));
