//! Bearer tokens that were found where they should not be, such as in a repository.

use super::{RevokeOutcome, RevokeRequest};
use crate::codec::{self, Record};
use crate::error::Error;
use crate::manager::TokenManager;
use keyfob_core::bearer::BearerToken;
use keyfob_core::namespace::IdOrigin;
use keyfob_core::token::Token;

/// What became of a text that was found.
#[derive(Clone, Debug)]
pub enum Leaked {
    /// It is no bearer token of this namespace, or its record is no longer kept. Nothing is remembered of it.
    NotOurs,
    /// Its token is revoked now, with all that was minted from it.
    Revoked(Box<Token>),
    /// Its token was revoked before.
    AlreadyRevoked(Box<Token>),
    /// It is the secret that an API key had before its last rotation, and the overlap has ended: it opens nothing.
    /// The key has another secret, and stays.
    Replaced(Box<Token>),
}

impl TokenManager {
    /// Revokes the token of a bearer token that was found where it should not be. Anything else is not an error: a
    /// scanner finds many texts.
    ///
    /// The secret has to be right. Anyone who knows only the id of a token revokes nothing by it. A refresh token counts
    /// in every generation that it ever had: who has an older one may have had the present one too.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use keyfob::{Grant, Kind, Leaked, MemoryStore, TokenManager};
    /// # let manager = TokenManager::new(MemoryStore::new()?);
    /// let issued = manager.issue(Grant::new(Kind::ApiKey).subject("user123")).await?;
    /// match manager.revoke_leaked(issued.bearer.expose(), "leaked: found in a repository").await? {
    ///     Leaked::Revoked(token) => println!("tell {:?}", token.subject),
    ///     other => println!("{other:?}"),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Invalid`] when the reason or the actor is not valid; [`Error::Store`]: then the token may not be
    /// revoked, and it is safe to call again.
    pub async fn revoke_leaked(
        &self,
        text: &str,
        request: impl Into<RevokeRequest>,
    ) -> Result<Leaked, Error> {
        let request = request.into();
        request.check()?;
        let Ok(bearer) = BearerToken::parse(text.trim(), &self.inner.prefix) else {
            return Ok(Leaked::NotOurs);
        };
        let id = bearer.id();
        if self.origin_of(id) == IdOrigin::Foreign {
            return Ok(Leaked::NotOurs);
        }
        let Some(loaded) = self.inner.store.load(id).await? else { return Ok(Leaked::NotOurs) };
        let record: Record = codec::decode(&loaded.body)?;
        if !record.was_given(&bearer) {
            return Ok(Leaked::NotOurs);
        }
        let is_replaced =
            record.ratchet.is_none() && record.secret_of(&bearer, self.now()).is_none();
        if is_replaced {
            return Ok(Leaked::Replaced(Box::new(record.into_token(&loaded))));
        }
        let outcome = self.revoke(id, request).await?;
        let token = Box::new(self.get(id).await?);
        Ok(match outcome {
            RevokeOutcome::Revoked => Leaked::Revoked(token),
            RevokeOutcome::AlreadyRevoked(_) => Leaked::AlreadyRevoked(token),
        })
    }
}
