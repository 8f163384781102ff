//! API keys whose clients authenticate by a key of their own, and not by a secret.
//!
//! Who has verified the signature of a client presents the API key as any other: its bearer token follows from the
//! key of the namespace. That key lies in the store, so the bearer token alone is refused everywhere: the record is
//! bound to the key of the client.

use std::net::IpAddr;

use super::TokenManager;
use crate::error::Error;
use keyfob_core::bearer::{BearerKey, BearerToken};
use keyfob_core::id::TokenId;
use keyfob_core::token::Kind;
use keyfob_core::validation::Refusal;

impl TokenManager {
    /// Returns the bearer token of an API key that has a [`ClientKey`](crate::token::ClientKey). Present it with the
    /// key that the client has proven: [`Presentation::confirmation`](crate::Presentation::confirmation) with
    /// `Confirmation::Jkt` and its thumbprint. Without that proof it is refused.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use keyfob::token::{ClientKey, Confirmation};
    /// use keyfob::{Grant, Kind, MemoryStore, Presentation, TokenManager, ValidationChain};
    ///
    /// let manager = TokenManager::new(MemoryStore::new()?);
    /// let jwk = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    /// let key = ClientKey::from_json(jwk)?;
    /// let proven = Confirmation::Jkt(key.thumbprint());
    /// let id = manager.issue(Grant::new(Kind::ApiKey).client("shop").client_key(key)).await?.token.id;
    ///
    /// let bearer = manager.client_key_bearer(id)?;
    /// assert!(manager.validate_active(&bearer).await.is_err());
    /// let presented = Presentation::new(bearer.expose()).confirmation(&proven);
    /// assert!(manager.validate(presented, &ValidationChain::new()).await.is_ok());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// None at present.
    pub fn client_key_bearer(&self, id: TokenId) -> Result<BearerToken, Error> {
        Ok(self.client_bearer_key().bearer(&self.inner.prefix, Kind::ApiKey, id)?)
    }

    /// Counts a failed attempt of an address that has named an API key and did not prove to hold its key, as one with a
    /// wrong secret is counted. Returns the error for it.
    pub async fn reject_client(&self, ip: Option<IpAddr>) -> Error {
        self.settle(ip, Refusal::Unknown.into()).await
    }

    /// Returns the key that the bearer tokens follow from.
    pub(super) fn client_bearer_key(&self) -> BearerKey {
        BearerKey::from_bytes(self.key_for("bearers of client keys"))
    }
}
