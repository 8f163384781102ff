//! Reads any text as the bits of a status list, any header and claims that are signed as a list, and any bytes as a set of keys.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    keyfob_jwt::fuzzing::status_list(bytes);
    keyfob_jwt::fuzzing::signed_status_list(bytes);
    keyfob_jwt::fuzzing::key_set(bytes);
});
