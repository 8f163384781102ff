//! Reads any text as an access token, and any header and claims that are signed.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    keyfob_jwt::fuzzing::access_token(bytes);
    keyfob_jwt::fuzzing::signed_access_token(bytes);
});
