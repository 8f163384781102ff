//! Parses any bytes as the address of a request.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    keyfob_jwt::fuzzing::target_uri(bytes);
});
