//! Parses any bytes as the text of a filter.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    keyfob_testkit::fuzz::filter(bytes);
});
