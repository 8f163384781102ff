//! Parses any bytes as a query.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    keyfob_server::fuzzing::query(bytes);
});
