//! The libFuzzer program of `wire_noise_payload`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| pleach_fuzz::channel::noise_payload(data));
