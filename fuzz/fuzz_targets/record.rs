//! Decodes any bytes as the body of a stored record.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    keyfob_testkit::fuzz::record(bytes);
});
