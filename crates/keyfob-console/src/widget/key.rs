//! The key that a token is bound to (RFC 7800), in words.

use keyfob_api::{ProvenKey, TokenBody};
use serde::Deserialize;

/// Returns the key that a token is bound to, if it is bound to one.
pub(crate) fn of(token: &TokenBody) -> Option<ProvenKey> {
    #[derive(Deserialize)]
    struct Claims {
        cnf: Option<ProvenKey>,
    }
    serde_json::from_str::<Claims>(token.claims.get()).ok()?.cnf
}

/// Names a key, as a part of a sentence.
pub(crate) fn named(key: &ProvenKey) -> String {
    match key {
        ProvenKey::Jkt(thumbprint) => format!("the DPoP key {thumbprint}"),
        ProvenKey::CertificateThumbprint(thumbprint) => format!("the certificate {thumbprint}"),
    }
}
