//! Verifies any text as a proof of possession, and any header and payload that are signed.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    keyfob_jwt::fuzzing::proof(bytes);
    keyfob_jwt::fuzzing::signed_proof(bytes);
});
