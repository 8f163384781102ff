//! Reads any bytes as a body of the API.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    keyfob_server::fuzzing::body(bytes);
});
