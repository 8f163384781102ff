//! Parses any bytes as a cursor.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    keyfob_server::fuzzing::cursor(bytes);
});
