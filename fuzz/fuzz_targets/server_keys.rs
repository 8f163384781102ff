//! Reads any bytes as what a proxy says of a certificate, as the key of a client, and as the keys of GitHub.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    keyfob_server::fuzzing::certificate(bytes);
    keyfob_server::fuzzing::keys(bytes);
});
