//! The libFuzzer program of `wire_multiaddr`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| pleach_fuzz::wire::multiaddr(data));
