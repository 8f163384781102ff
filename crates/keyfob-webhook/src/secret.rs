//! Secrets, and the signature of Standard Webhooks with a symmetric secret (`v1`).

use base64ct::{Base64, Encoding as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use keyfob_core::random::{Random, RandomUnavailable, array};
use keyfob_core::time::Timestamp;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// The header that has the id of the message. It stays the same when the message is sent again.
pub const ID_HEADER: &str = "webhook-id";
/// The header that has the time of the attempt, in seconds since 1970.
pub const TIMESTAMP_HEADER: &str = "webhook-timestamp";
/// The header that has the signatures, separated by spaces.
pub const SIGNATURE_HEADER: &str = "webhook-signature";

/// A secret that a sender and its receiver share. It is wiped when it is dropped, and its debug text
/// does not show it.
///
/// ```
/// use keyfob_core::time::Timestamp;
/// use keyfob_webhook::secret::{Secret, sign};
///
/// let secret: Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse()?;
/// let (id, at) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", Timestamp::from_secs(1_614_265_330));
/// let header = sign([&secret], id, at, br#"{"test": 2432232314}"#);
/// assert_eq!(header, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

/// A text that is not the secret of a webhook.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "it is not the secret of a webhook: write whsec_ and {}-{} bytes in Base64",
    Secret::MIN_LEN,
    Secret::MAX_LEN
)]
pub struct InvalidSecret;

/// What every secret begins with.
const PREFIX: &str = "whsec_";
const VERSION: &str = "v1";

impl Secret {
    /// The minimum length in bytes: 192 bits.
    pub const MIN_LEN: usize = 24;
    /// The maximum length in bytes: 512 bits.
    pub const MAX_LEN: usize = 64;

    /// Draws a secret of 256 bits.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn draw(random: &dyn Random) -> Result<Self, RandomUnavailable> {
        let bytes: [u8; 32] = array(random)?;
        Ok(Self(Zeroizing::new(bytes.to_vec())))
    }

    /// Returns the text that a receiver is configured with. Show it once.
    pub fn expose(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{PREFIX}{}", Base64::encode_string(&self.0)))
    }

    fn signature(&self, id: &str, at: Timestamp, body: &[u8]) -> [u8; 32] {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else {
            unreachable!("HMAC takes keys of every length")
        };
        mac.update(id.as_bytes());
        mac.update(format!(".{}.", at.as_secs()).as_bytes());
        mac.update(body);
        mac.finalize().into_bytes().into()
    }
}

impl std::str::FromStr for Secret {
    type Err = InvalidSecret;

    fn from_str(text: &str) -> Result<Self, InvalidSecret> {
        let encoded = text.strip_prefix(PREFIX).ok_or(InvalidSecret)?;
        let bytes = Zeroizing::new(Base64::decode_vec(encoded).map_err(|_| InvalidSecret)?);
        match bytes.len() {
            Self::MIN_LEN..=Self::MAX_LEN => Ok(Self(bytes)),
            _ => Err(InvalidSecret),
        }
    }
}

impl PartialEq for Secret {
    /// Compares in constant time.
    fn eq(&self, other: &Self) -> bool {
        self.0.as_slice().ct_eq(&other.0).into()
    }
}

impl Eq for Secret {}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Returns the value of [`SIGNATURE_HEADER`]: a signature by each secret. While one secret replaces
/// another, both sign, so that the receiver may change over at any time.
///
/// `id` must have no dot that a receiver could take for the end of it: an id of an event has one, which
/// is safe, because the time and the body follow in full.
pub fn sign<'a>(
    secrets: impl IntoIterator<Item = &'a Secret>,
    id: &str,
    at: Timestamp,
    body: &[u8],
) -> String {
    let sign = |secret: &Secret| {
        format!("{VERSION},{}", Base64::encode_string(&secret.signature(id, at, body)))
    };
    secrets.into_iter().map(sign).collect::<Vec<_>>().join(" ")
}

/// Returns whether one of the signatures in a header is by this secret. It is what a receiver does.
pub fn verify(secret: &Secret, id: &str, at: Timestamp, body: &[u8], header: &str) -> bool {
    let expected = secret.signature(id, at, body);
    header.split(' ').any(|signature| {
        let encoded = signature.strip_prefix(VERSION).and_then(|rest| rest.strip_prefix(','));
        let decoded = encoded.and_then(|encoded| Base64::decode_vec(encoded).ok());
        decoded.is_some_and(|found| found.as_slice().ct_eq(&expected).into())
    })
}

#[cfg(test)]
mod tests {
    use keyfob_core::random::SeededRandom;

    use super::*;

    #[test]
    fn the_signatures_of_all_secrets_are_in_the_header() {
        let random = SeededRandom::new(1);
        let [old, new, other] = [(); 3].map(|()| Secret::draw(&random).unwrap());
        let at = Timestamp::from_secs(1_795_000_000);
        let header = sign([&old, &new], "op_1.0", at, b"{}");
        assert!(verify(&old, "op_1.0", at, b"{}", &header));
        assert!(verify(&new, "op_1.0", at, b"{}", &header));
        assert!(!verify(&other, "op_1.0", at, b"{}", &header));
        assert!(!verify(&old, "op_1.1", at, b"{}", &header));
        assert!(!verify(&old, "op_1.0", Timestamp::from_secs(1_795_000_001), b"{}", &header));
        assert!(!verify(&old, "op_1.0", at, b"{ }", &header));
        assert_eq!(sign([], "op_1.0", at, b"{}"), "");
    }

    /// The example of Standard Webhooks.
    #[test]
    fn a_signature_is_that_of_standard_webhooks() {
        let secret: Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap();
        let at = Timestamp::from_secs(1_614_265_330);
        let header =
            sign([&secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", at, br#"{"test": 2432232314}"#);
        assert_eq!(header, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_reads_back_and_shows_nothing() {
        let secret = Secret::draw(&SeededRandom::new(2)).unwrap();
        let text = secret.expose();
        assert_eq!(text.parse::<Secret>().unwrap(), secret);
        assert_eq!(format!("{secret:?}"), "Secret(…)");
        for wrong in ["", "whsec_", "whsec_AAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "whsec_*"] {
            assert_eq!(wrong.parse::<Secret>(), Err(InvalidSecret), "{wrong}");
        }
        let long = format!("whsec_{}", Base64::encode_string(&[0; 65]));
        assert_eq!(long.parse::<Secret>(), Err(InvalidSecret));
    }
}
