//! Reads any text as each setting of a webhook.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    keyfob_webhook::fuzzing::settings(bytes);
});
