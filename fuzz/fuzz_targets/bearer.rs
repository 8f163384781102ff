//! Parses any bytes as a bearer token.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    keyfob_testkit::fuzz::bearer(bytes);
});
