//! The libFuzzer program of `wire_cbor`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| pleach_fuzz::wire::cbor(data));
