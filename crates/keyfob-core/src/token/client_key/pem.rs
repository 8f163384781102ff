//! Public keys in PEM: the structure `SubjectPublicKeyInfo` of RFC 5280 section 4.1.

use base64ct::{Base64, Base64UrlUnpadded, Encoding as _};

/// A public key, as the members of a JWK have it.
pub(super) enum PemKey {
    Ec { crv: &'static str, x: String, y: String },
    Ed25519 { x: String },
    Rsa { n: String, e: String },
}

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;

/// The algorithms of keys, in DER (RFC 5480 section 2, RFC 8410 section 3, RFC 3279 section 2.3.1).
const P256: &[u8] = b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
const P384: &[u8] = b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22";
const ED25519: &[u8] = b"\x06\x03\x2b\x65\x70";
const RSA: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";

/// Reads a public key in PEM.
pub(super) fn read(pem: &str) -> Option<PemKey> {
    let (_, rest) = pem.split_once("-----BEGIN PUBLIC KEY-----")?;
    let (encoded, _) = rest.split_once("-----END PUBLIC KEY-----")?;
    let encoded: String = encoded.split_ascii_whitespace().collect();
    let der = Base64::decode_vec(&encoded).ok()?;
    let mut info = whole(&der, SEQUENCE)?;
    let algorithm = element(&mut info, SEQUENCE)?;
    // The first byte says how many bits are unused.
    let key = whole(info, BIT_STRING)?.strip_prefix(&[0])?;
    let text = Base64UrlUnpadded::encode_string;
    let on_curve = |crv, size| {
        // A point without compression (SEC 1 section 2.3.3).
        let (x, y) = key.strip_prefix(&[4])?.split_at_checked(size)?;
        Some(PemKey::Ec { crv, x: text(x), y: text(y) })
    };
    match algorithm {
        P256 => on_curve("P-256", 32),
        P384 => on_curve("P-384", 48),
        ED25519 => Some(PemKey::Ed25519 { x: text(key) }),
        RSA => {
            let mut numbers = whole(key, SEQUENCE)?;
            let n = element(&mut numbers, INTEGER)?;
            let e = whole(numbers, INTEGER)?;
            // A positive number whose first bit is set has a zero before it.
            let [n, e] = [n, e].map(|number| text(number.strip_prefix(&[0]).unwrap_or(number)));
            Some(PemKey::Rsa { n, e })
        }
        _ => None,
    }
}

/// Takes an element with this tag off the front, and returns its content (X.690 section 8.1).
fn element<'a>(der: &mut &'a [u8], tag: u8) -> Option<&'a [u8]> {
    let rest = der.strip_prefix(&[tag])?;
    let (length, rest) = match *rest {
        [length @ 0..=0x7f, ref rest @ ..] => (usize::from(length), rest),
        [0x81, length, ref rest @ ..] => (usize::from(length), rest),
        [0x82, high, low, ref rest @ ..] => (usize::from(u16::from_be_bytes([high, low])), rest),
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    *der = rest;
    Some(content)
}

/// Returns the content of an element with nothing after it.
fn whole(mut der: &[u8], tag: u8) -> Option<&[u8]> {
    let content = element(&mut der, tag)?;
    der.is_empty().then_some(content)
}
