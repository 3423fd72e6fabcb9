//! The libFuzzer program of `wire_protobuf`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| pleach_fuzz::wire::protobuf(data));
