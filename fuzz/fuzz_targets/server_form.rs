//! Parses any bytes as a form.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    keyfob_server::fuzzing::form(bytes);
});
