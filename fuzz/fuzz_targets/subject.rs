//! Reads any text as subjects that a receiver removes from its stream.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    keyfob_webhook::fuzzing::subjects(bytes);
});
