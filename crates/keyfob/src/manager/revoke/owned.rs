//! Tokens of one subject: the check that a handler must not forget.

use crate::error::Error;
use crate::manager::{Paging, RevokeOutcome, RevokeRequest, TokenManager, TokenPage};
use keyfob_core::filter::Filter;
use keyfob_core::id::TokenId;
use keyfob_core::text::Subject;
use keyfob_core::token::{Kind, Token, TokenState};

/// # Tokens of one subject
///
/// For a handler in which a user manages their own tokens. A token of another subject is answered
/// as if it did not exist, so that an id reveals nothing. To log a user out everywhere, call
/// [`TokenManager::revoke_subject`].
impl TokenManager {
    /// Returns a token by its id, if it is the subject's.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use keyfob::{Error, Grant, Kind, MemoryStore, Subject, TokenManager};
    /// # let manager = TokenManager::new(MemoryStore::new()?);
    /// let id = manager.issue(Grant::new(Kind::Session).subject("user123")).await?.token.id;
    /// assert_eq!(manager.get_owned(&Subject::new("user123")?, id).await?.id, id);
    /// let error = manager.get_owned(&Subject::new("user456")?, id).await.unwrap_err();
    /// assert!(matches!(error, Error::NotFound { .. }));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`], also for a token of another subject or of none; [`Error::Store`].
    pub async fn get_owned(&self, subject: &Subject, id: TokenId) -> Result<Token, Error> {
        let token = self.get(id).await?;
        match &token.subject {
            Some(owner) if owner == subject => Ok(token),
            _ => Err(Error::NotFound { id }),
        }
    }

    /// Revokes a token, if it is the subject's, and with it all that was minted from it.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use keyfob::{Grant, Kind, MemoryStore, RevokeRequest, Subject, TokenManager};
    /// # let manager = TokenManager::new(MemoryStore::new()?);
    /// let phone = manager.issue(Grant::new(Kind::Session).subject("user123")).await?;
    /// // In a handler, the subject is that of the token that authenticated the request:
    /// let subject = Subject::new("user123")?;
    /// let request = RevokeRequest::reason("signed out of a device").by(&subject);
    /// manager.revoke_owned(&subject, phone.token.id, request).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`], also for a token of another subject or of none; as
    /// [`TokenManager::revoke`].
    pub async fn revoke_owned(
        &self,
        subject: &Subject,
        id: TokenId,
        request: impl Into<RevokeRequest>,
    ) -> Result<RevokeOutcome, Error> {
        let request = request.into();
        request.check()?;
        // The subject of a token never changes, so it may be read before.
        self.get_owned(subject, id).await?;
        self.revoke(id, request).await
    }

    /// Returns one page of the subject's tokens, of every kind and in every state.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use keyfob::{Grant, Kind, MemoryStore, Paging, Subject, TokenManager};
    /// # let manager = TokenManager::new(MemoryStore::new()?);
    /// manager.issue(Grant::new(Kind::ApiKey).subject("user123")).await?;
    /// let page = manager.list_owned(&Subject::new("user123")?, Paging::default()).await?;
    /// assert_eq!(page.tokens.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`TokenManager::list`].
    pub async fn list_owned(&self, subject: &Subject, paging: Paging) -> Result<TokenPage, Error> {
        self.list(&Filter::new().subject(subject.clone()), paging).await
    }

    /// Returns one page of the subject's active sessions, such as for a list of devices.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use keyfob::{Grant, Kind, MemoryStore, Paging, Subject, TokenManager};
    /// # let manager = TokenManager::new(MemoryStore::new()?);
    /// manager.issue(Grant::new(Kind::Session).subject("user123")).await?;
    /// let page = manager.sessions_of(&Subject::new("user123")?, Paging::default()).await?;
    /// for session in page.tokens {
    ///     println!("{} {:?} {:?}", session.id, session.metadata.device.platform, session.last_used);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`TokenManager::list`].
    pub async fn sessions_of(&self, subject: &Subject, paging: Paging) -> Result<TokenPage, Error> {
        let sessions = Filter::new().subject(subject.clone()).kind(Kind::Session);
        self.list(&sessions.state(TokenState::Active), paging).await
    }
}
