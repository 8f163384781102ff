//! Keys that are taken, and keys that are refused.

use super::*;

const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
/// The key of RFC 7638 section 3.1.
const N: &str = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";

fn keys() -> Vec<(String, &'static str)> {
    let long = "A".repeat(64);
    vec![
        (format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{X}"}}"#), "EdDSA"),
        (format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{X}","alg":"Ed25519"}}"#), "EdDSA"),
        (format!(r#"{{"y":"{X}","x":"{X}","crv":"P-256","kty":"EC","use":"sig"}}"#), "ES256"),
        (format!(r#"{{"kty":"EC","crv":"P-384","x":"{long}","y":"{long}"}}"#), "ES384"),
        (format!(r#"{{"kty":"RSA","n":"{N}","e":"AQAB","alg":"RS256","kid":"a"}}"#), "RS256"),
        (format!(r#"{{"kty":"RSA","n":"{N}","e":"AQAB","alg":"PS256"}}"#), "PS256"),
    ]
}

#[test]
fn a_key_survives_json_and_encoding() {
    for (json, algorithm) in keys() {
        let key = ClientKey::from_json(&json).unwrap();
        assert_eq!(key.algorithm(), algorithm);
        assert_eq!(ClientKey::from_json(&key.to_json()).unwrap(), key);
        assert_eq!(serde_json::from_str::<ClientKey>(&json).unwrap(), key);
        let bytes = minicbor::to_vec(&key).unwrap();
        assert_eq!(minicbor::decode::<ClientKey>(&bytes).unwrap(), key);
    }
}

#[test]
fn the_thumbprint_is_that_of_rfc_7638() {
    let (json, _) = &keys()[4];
    let expected = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";
    assert_eq!(ClientKey::from_json(json).unwrap().thumbprint().as_str(), expected);
}

#[test]
fn a_key_that_is_no_public_key_for_a_signature_is_refused() {
    let ed = |more: &str| format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{X}"{more}}}"#);
    for json in [
        "",
        "[]",
        "{}",
        &ed(r#","d":"AAAA""#),
        &ed(r#","use":"enc""#),
        &ed(r#","alg":"ES256""#),
        &ed(r#","alg":"none""#),
        &ed(r#","x":"AAAA""#),
        &format!(r#"{{"kty":"oct","k":"{X}"}}"#),
        &format!(r#"{{"kty":"oct","k":"{X}","alg":"HS256"}}"#),
        &format!(r#"{{"kty":"EC","crv":"P-256","x":"{X}"}}"#),
        &format!(r#"{{"kty":"EC","crv":"P-521","x":"{X}","y":"{X}"}}"#),
        r#"{"kty":"OKP","crv":"Ed25519","x":"AAAA"}"#,
        &format!(r#"{{"kty":"RSA","n":"{N}","e":"AQAB"}}"#),
        &format!(r#"{{"kty":"RSA","n":"{N}","e":"AQAB","alg":"HS256"}}"#),
        r#"{"kty":"RSA","n":"qqqq","e":"AQAB","alg":"RS256"}"#,
        &format!(r#"{{"kty":"RSA","n":"AA{N}","e":"AQAB","alg":"RS256"}}"#),
        &ed(&format!(r#","kid":"{}""#, "k".repeat(ClientKey::MAX_BYTES))),
    ] {
        let refused = ClientKey::from_json(json).unwrap_err();
        assert_eq!(refused.field(), Field::ClientKey, "{json}");
        assert!(!refused.to_string().contains(X), "{refused}");
    }
}

/// Made by `openssl genpkey … | openssl pkey -pubout`, with the JWKs that Node.js makes of them.
const PEM: &[(&str, &str)] = &[
    (
        "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEbaXzHuo3Rlv0VKY5CayGvoOKWqV\nmUMUPtLzh9zpN0sJiadg1ESApBmj8+fBvnBQ1YUV8DtE3JhhUNvVvNBY6w==\n-----END PUBLIC KEY-----\n",
        r#"{"kty": "EC", "x": "EbaXzHuo3Rlv0VKY5CayGvoOKWqVmUMUPtLzh9zpN0s", "y": "CYmnYNREgKQZo_Pnwb5wUNWFFfA7RNyYYVDb1bzQWOs", "crv": "P-256"}"#,
    ),
    (
        "-----BEGIN PUBLIC KEY-----\nMHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEM6v27EnzANgjEEoA0j3p4vBO+HbnXyvo\nvzNgs+DXgROLxIiX9Kx6sWRjTeWKJj4Kfu+tAfIgZhkClXjM8h3uM8vz4C443Bnk\nEa/rj332vXo63ZUuqB1/HodMpwyIy3lL\n-----END PUBLIC KEY-----\n",
        r#"{"kty": "EC", "x": "M6v27EnzANgjEEoA0j3p4vBO-HbnXyvovzNgs-DXgROLxIiX9Kx6sWRjTeWKJj4K", "y": "fu-tAfIgZhkClXjM8h3uM8vz4C443BnkEa_rj332vXo63ZUuqB1_HodMpwyIy3lL", "crv": "P-384"}"#,
    ),
    (
        "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAmchkST49CoN035D+tBwq6HxLf80IOvPzQp3gwv+8dmA=\n-----END PUBLIC KEY-----\n",
        r#"{"crv": "Ed25519", "x": "mchkST49CoN035D-tBwq6HxLf80IOvPzQp3gwv-8dmA", "kty": "OKP"}"#,
    ),
    (
        "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAssgYK9x2ig5UVgi1I2aX\nRvo899JTTFDlm/Z2RnC2Zx/FXPAck5rYoXGAyI8+gL2MtctsAovEV3Ao7WiuKJrh\nUNXe4QX8Ei+gTXmTzjmJvGg1Z9YUd0IKMKYFeGDFbYpGiQ/uxUGQCOIYYVlAc/Vf\nmwdlbEAdt36lyOwF8t6E/qSZJWs0BgQSvLAzvpavk89inKfd/PYQh1EeTzXtku67\neULoq3jDUh23s8y/jFs6suvSjoaZTWPsJp6AWZ1UbtvPTimEryAf6jd5raCmPgdy\nXpRHlp16Wf7rp4qcqSCoL7EpDPOFYejD5MfAvaB3XrfNDpil30amlG0cqZDaYMbB\ntwIDAQAB\n-----END PUBLIC KEY-----\n",
        r#"{"kty": "RSA", "n": "ssgYK9x2ig5UVgi1I2aXRvo899JTTFDlm_Z2RnC2Zx_FXPAck5rYoXGAyI8-gL2MtctsAovEV3Ao7WiuKJrhUNXe4QX8Ei-gTXmTzjmJvGg1Z9YUd0IKMKYFeGDFbYpGiQ_uxUGQCOIYYVlAc_VfmwdlbEAdt36lyOwF8t6E_qSZJWs0BgQSvLAzvpavk89inKfd_PYQh1EeTzXtku67eULoq3jDUh23s8y_jFs6suvSjoaZTWPsJp6AWZ1UbtvPTimEryAf6jd5raCmPgdyXpRHlp16Wf7rp4qcqSCoL7EpDPOFYejD5MfAvaB3XrfNDpil30amlG0cqZDaYMbBtw", "e": "AQAB", "alg": "RS256"}"#,
    ),
];

#[test]
fn a_key_in_pem_is_the_same_as_its_jwk() {
    for (pem, jwk) in PEM {
        let key = ClientKey::from_pem(pem).unwrap();
        assert_eq!(key, ClientKey::from_json(jwk).unwrap());
        assert_eq!(ClientKey::from_pem(&pem.replace('\n', "\r\n")).unwrap(), key);
        // No part of it is a key.
        for end in 0..pem.trim_end().len() - 1 {
            assert!(ClientKey::from_pem(&pem[..end]).is_err(), "{end}");
        }
    }
}

#[test]
fn a_private_key_in_pem_is_refused_as_a_secret() {
    for label in ["PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY", "ENCRYPTED PRIVATE KEY"] {
        let pem = format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n");
        let refused = ClientKey::from_pem(&pem).unwrap_err();
        assert!(refused.to_string().contains("secret"), "{refused}");
    }
    assert!(
        ClientKey::from_pem("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----")
            .is_err()
    );
}
