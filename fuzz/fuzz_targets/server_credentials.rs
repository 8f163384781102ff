//! Reads any bytes as headers and a form with credentials.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    keyfob_server::fuzzing::credentials(bytes);
});
