//! The certificate of the client, from the connection or from a proxy that is trusted (RFC 8705, RFC 9440).

use std::net::IpAddr;

use base64ct::{Base64, Encoding as _};
use http::{HeaderMap, HeaderName};
use keyfob::token::Confirmation;

use crate::client_address::TrustedProxies;
use crate::credentials::percent_decoded;

/// The maximum length of a header that has a certificate, in bytes.
const MAX_HEADER_BYTES: usize = 16 * 1024;
const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// The certificate that the peer of a connection has shown, by its thumbprint.
///
/// What terminates TLS puts it into the extensions of each request, after the certificate was verified, or at
/// least the possession of its key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClientCertificate(pub Confirmation);

impl ClientCertificate {
    /// Returns the certificate with this encoding in DER.
    pub fn of_der(der: &[u8]) -> Self {
        Self(Confirmation::of_certificate(der))
    }
}

/// The header in which a proxy names the certificate that the client has shown to it.
///
/// It is believed only from a proxy that is trusted by its address. The proxy has to remove the header from the
/// requests of clients, and to write it itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CertificateHeader {
    /// `Client-Cert` (RFC 9440): DER in base64 between colons.
    ClientCert,
    /// `X-Forwarded-Client-Cert` of Envoy: the digest of its last element.
    XForwardedClientCert,
    /// `ssl-client-cert`: PEM with escapes, as nginx writes `$ssl_client_escaped_cert`.
    SslClientCert,
}

impl CertificateHeader {
    fn name(self) -> HeaderName {
        HeaderName::from_static(match self {
            Self::ClientCert => "client-cert",
            Self::XForwardedClientCert => "x-forwarded-client-cert",
            Self::SslClientCert => "ssl-client-cert",
        })
    }

    /// Reads the certificate; `None` if there is none, or more than one.
    fn read(self, headers: &HeaderMap) -> Option<Confirmation> {
        let mut values = headers.get_all(self.name()).iter();
        let value = values.next().filter(|value| value.len() <= MAX_HEADER_BYTES)?;
        let text = value.to_str().ok().filter(|_| values.next().is_none())?;
        match self {
            Self::ClientCert => {
                // A byte sequence of RFC 8941 section 3.3.5.
                let encoded = text.trim_matches(' ').strip_prefix(':')?.strip_suffix(':')?;
                Some(Confirmation::of_certificate(&Base64::decode_vec(encoded).ok()?))
            }
            Self::XForwardedClientCert => forwarded_digest(text),
            Self::SslClientCert => confirmation_of_escaped_pem(text),
        }
    }
}

/// Returns the certificate in PEM with escapes, as Envoy and nginx write it.
pub fn confirmation_of_escaped_pem(escaped: &str) -> Option<Confirmation> {
    if escaped.len() > MAX_HEADER_BYTES {
        return None;
    }
    let pem = String::from_utf8(percent_decoded(escaped)).ok()?;
    let (_, rest) = pem.split_once(BEGIN)?;
    // The first certificate is that of the client, others sign it.
    let (encoded, _) = rest.split_once(END)?;
    let encoded: String = encoded.split_ascii_whitespace().collect();
    let der = Base64::decode_vec(&encoded).ok().filter(|der| !der.is_empty())?;
    Some(Confirmation::of_certificate(&der))
}

/// Returns the digest of the last element, which the nearest proxy wrote. A value in quotes may have commas.
fn forwarded_digest(text: &str) -> Option<Confirmation> {
    let mut is_quoted = false;
    let mut begin = 0;
    for (place, byte) in text.bytes().enumerate() {
        match byte {
            b'"' => is_quoted = !is_quoted,
            b',' if !is_quoted => begin = place + 1,
            _ => {}
        }
    }
    let mut digests = text[begin..]
        .split(';')
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(name, _)| name.eq_ignore_ascii_case("hash"));
    let (_, hex) = digests.next().filter(|_| !is_quoted)?;
    if digests.next().is_some() || hex.len() != 64 {
        return None;
    }
    let mut digest = [0; 32];
    for (byte, pair) in digest.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
        let nibble = |digit: u8| char::from(digit).to_digit(16);
        *byte = (nibble(pair[0])? * 16 + nibble(pair[1])?) as u8;
    }
    Some(Confirmation::of_certificate_digest(&digest))
}

impl TrustedProxies {
    /// Returns the key that the client of a request has proved by its certificate.
    ///
    /// A trusted proxy names the certificate in `header`; what the proxy itself has shown on its connection is not
    /// the client's. From any other peer the certificate of the connection counts, and no header.
    pub fn client_certificate(
        &self,
        peer: Option<IpAddr>,
        of_connection: Option<&ClientCertificate>,
        header: Option<CertificateHeader>,
        headers: &HeaderMap,
    ) -> Option<Confirmation> {
        match peer {
            Some(peer) if self.is_trusted(peer) => header?.read(headers),
            _ => of_connection.map(|certificate| certificate.0.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DER: &[u8] = b"a certificate";

    /// The example of RFC 8705 appendix A.
    #[test]
    fn the_thumbprint_is_that_of_rfc_8705() {
        let der = "MIIBBjCBrAIBAjAKBggqhkjOPQQDAjAPMQ0wCwYDVQQDDARtdGxzMB4XDTE4MTAxODEyMzcwOVoXDTIyMDUwMjEyMzcwOVowDzENMAsGA1UEAwwEbXRsczBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABNcnyxwqV6hY8QnhxxzFQ03C7HKW9OylMbnQZjjJ/Au08/coZwxS7LfA4vOLS9WuneIXhbGGWvsDSb0tH6IxLm8wCgYIKoZIzj0EAwIDSQAwRgIhAP0RC1E+vwJD/D1AGHGzuri+hlV/PpQEKTWUVeORWz83AiEA5x2eXZOVbUlJSGQgjwD5vaUaKlLR50Q2DmFfQj1L+SY=";
        let found = read(CertificateHeader::ClientCert, &[&format!(":{der}:")]).unwrap();
        assert_eq!(found.thumbprint().as_str(), "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0");
    }

    fn read(header: CertificateHeader, values: &[&str]) -> Option<Confirmation> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header.name(), value.parse().unwrap());
        }
        header.read(&headers)
    }

    fn hex() -> String {
        use base64ct::Base64UrlUnpadded;
        let expected = Confirmation::of_certificate(DER);
        let digest = Base64UrlUnpadded::decode_vec(expected.thumbprint().as_str()).unwrap();
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn each_form_of_the_header_names_the_same_certificate() {
        let expected = Some(Confirmation::of_certificate(DER));
        let base64 = Base64::encode_string(DER);
        assert_eq!(read(CertificateHeader::ClientCert, &[&format!(":{base64}:")]), expected);
        let pem =
            format!("-----BEGIN%20CERTIFICATE-----%0A{base64}%0A-----END%20CERTIFICATE-----%0A");
        let pem = pem.replace('+', "%2B").replace('=', "%3D");
        assert_eq!(read(CertificateHeader::SslClientCert, &[&pem]), expected);
        let hex = hex();
        for text in [
            format!("Hash={hex}"),
            format!("By=spiffe://a;Hash={hex};Subject=\"CN=a,O=b\""),
            format!("Hash={};Subject=\"x\",By=b;Hash={hex}", "0".repeat(64)),
            format!("hash={}", hex.to_uppercase()),
        ] {
            assert_eq!(read(CertificateHeader::XForwardedClientCert, &[&text]), expected, "{text}");
        }
    }

    #[test]
    fn a_header_that_is_malformed_or_ambiguous_names_none() {
        let base64 = Base64::encode_string(DER);
        let (one, hex) = (format!(":{base64}:"), hex());
        for values in [&[][..], &[""], &["::x"], &[&base64], &[":!:"], &[&one, &one]] {
            assert_eq!(read(CertificateHeader::ClientCert, values), None, "{values:?}");
        }
        let unclosed = format!("Subject=\"a,Hash={hex}");
        let twice = format!("Hash={hex};Hash={hex}");
        let short = format!("Hash={}", &hex[2..]);
        let other = format!("Hash={hex},By=b");
        let not_hex = format!("Hash={}", "g".repeat(64));
        for text in [&unclosed, &twice, &short, &other, &not_hex] {
            assert_eq!(read(CertificateHeader::XForwardedClientCert, &[text]), None, "{text}");
        }
        let empty = "-----BEGIN%20CERTIFICATE-----%0A-----END%20CERTIFICATE-----";
        for text in ["", "x", "-----BEGIN%20CERTIFICATE-----AAAA", empty] {
            assert_eq!(read(CertificateHeader::SslClientCert, &[text]), None, "{text}");
        }
    }

    #[test]
    fn only_a_trusted_proxy_names_a_certificate_and_its_own_is_not_the_clients() {
        let proxies = TrustedProxies::x_forwarded_for(["10.0.0.0/8"]).unwrap();
        let own = ClientCertificate::of_der(b"own");
        let header = Some(CertificateHeader::ClientCert);
        let named = format!(":{}:", Base64::encode_string(DER));
        let headers =
            HeaderMap::from_iter([(CertificateHeader::ClientCert.name(), named.parse().unwrap())]);
        let (proxy, client) = ("10.0.0.1".parse().ok(), "192.0.2.1".parse().ok());
        let by =
            |peer, header, headers| proxies.client_certificate(peer, Some(&own), header, headers);
        assert_eq!(by(proxy, header, &headers), Some(Confirmation::of_certificate(DER)));
        let none = HeaderMap::new();
        assert_eq!(by(proxy, header, &none), None);
        assert_eq!(by(proxy, None, &headers), None);
        assert_eq!(by(client, header, &headers), Some(own.0.clone()));
        assert_eq!(by(None, header, &headers), Some(own.0.clone()));
        assert_eq!(proxies.client_certificate(client, None, header, &headers), None);
    }
}
