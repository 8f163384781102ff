//! Changing the metadata of a token.

use super::TokenManager;
use super::modify::{Edit, check_live};
use super::requester::Requester;
use crate::error::Error;
use keyfob_core::event::EventKind;
use keyfob_core::id::TokenId;
use keyfob_core::invalid::InvalidValue;
use keyfob_core::text::Actor;
use keyfob_core::token::{ChangeKind, Metadata, Token};

/// The reason and the actor of a change of metadata.
#[derive(Clone, Debug, Default)]
pub struct UpdateRequest {
    requester: Requester,
}

impl UpdateRequest {
    /// Creates a request that names no actor.
    pub fn new() -> Self {
        Self::default()
    }

    /// Names the person or service that makes the change, for the event and the history.
    pub fn by(self, actor: impl TryInto<Actor, Error: Into<InvalidValue>>) -> Self {
        Self { requester: self.requester.by(actor) }
    }

    /// Checks that every given part is valid.
    ///
    /// # Errors
    /// The first part that is not.
    pub fn check(&self) -> Result<(), InvalidValue> {
        self.requester.check()
    }
}

impl TokenManager {
    /// Changes the metadata of a token that is pending or active.
    ///
    /// If others change the token at the same time, `change` is called again with the newer
    /// metadata, so that no change of theirs is lost.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use keyfob::{Grant, Kind, MemoryStore, TokenManager, UpdateRequest};
    /// # let manager = TokenManager::new(MemoryStore::new()?);
    /// # let issued = manager.issue(Grant::new(Kind::Session).subject("user123")).await?;
    /// let token = manager
    ///     .update(issued.token.id, UpdateRequest::new().by("support"), |metadata| {
    ///         metadata.tags.insert("vip".try_into()?)
    ///     })
    ///     .await?;
    /// assert_eq!(token.metadata.tags.to_string(), "vip");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Ended`] when the token is neither pending nor active;
    /// [`Error::Invalid`] when the request is not valid or `change` fails; [`Error::Contended`];
    /// [`Error::Store`].
    pub async fn update(
        &self,
        id: TokenId,
        request: UpdateRequest,
        mut change: impl FnMut(&mut Metadata) -> Result<(), InvalidValue>,
    ) -> Result<Token, Error> {
        request.check()?;
        let edited = self.modify(id, request.requester.actor(), |loaded, record, now| {
            check_live(loaded, record, now)?;
            change(&mut record.metadata)?;
            let event = EventKind::MetadataUpdated { token: id };
            Ok(Edit { change: ChangeKind::MetadataUpdated, event, output: () })
        });
        edited.await.map(|(token, ())| token)
    }
}
