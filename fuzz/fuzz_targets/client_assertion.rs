//! Verifies any text as an assertion of a client, and any header and claims that are signed.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    keyfob_jwt::fuzzing::client_assertion(bytes);
    keyfob_jwt::fuzzing::signed_client_assertion(bytes);
});
