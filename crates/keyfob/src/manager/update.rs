//! Changing the metadata of a token.

use super::TokenManager;
use super::issue::terms_of;
use crate::codec::{self, Change};
use crate::error::Error;
use crate::event::{Event, EventKind};
use crate::id::TokenId;
use crate::invalid::InvalidValue;
use crate::store::{Replace, Replaced};
use crate::text::Actor;
use crate::token::{ChangeKind, Metadata, Token, TokenState};

/// How often a change is tried on a newer version before it is given up.
const TRIES: usize = 16;

impl TokenManager {
    /// Changes the metadata of a token that is pending or active.
    ///
    /// `change` may be called several times, each time with the metadata as they stand, if others
    /// change the token at the same time. No change of theirs is lost.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use keyfob::{Grant, Kind, MemoryStore, TokenManager};
    /// # let manager = TokenManager::new(MemoryStore::new()?);
    /// # let issued = manager.issue(Grant::new(Kind::Session).subject("user123")).await?;
    /// let token = manager
    ///     .update(issued.token.id, None, |metadata| metadata.tags.insert("vip".try_into()?))
    ///     .await?;
    /// assert_eq!(token.metadata.tags.to_string(), "vip");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Ended`] when the token is over; [`Error::Invalid`] when
    /// `change` fails; [`Error::Contended`]; [`Error::Store`].
    pub async fn update(
        &self,
        id: TokenId,
        by: Option<Actor>,
        mut change: impl FnMut(&mut Metadata) -> Result<(), InvalidValue>,
    ) -> Result<Token, Error> {
        let namespace = self.inner.store.namespace();
        for _ in 0..TRIES {
            let (loaded, mut record) = self.load(id).await?;
            let now = self.now();
            let state = record.clone().into_token(&loaded).state(now);
            if !matches!(state, TokenState::Active | TokenState::Pending) {
                return Err(Error::Ended { id, state });
            }
            let before = terms_of(namespace, &record);
            change(&mut record.metadata)?;
            record.remember(Change { at: now, by: by.clone(), what: ChangeKind::MetadataUpdated });
            let mut added_terms = terms_of(namespace, &record);
            added_terms.retain(|term| !before.contains(term));
            let operation = self.begin()?;
            let what = EventKind::MetadataUpdated { token: id };
            let event = Event::new(operation.id, 0, now, what).by(by.clone());
            let replace = Replace {
                added_terms,
                events: vec![codec::encode(&event)],
                ..Replace::new(id, loaded.version, codec::encode(&record))
            };
            match self.inner.store.replace(operation, replace).await? {
                Replaced::Stored(_) => {
                    self.notify_event_streams();
                    return Ok(record.into_token(&loaded));
                }
                Replaced::Missing => return Err(Error::NotFound { id }),
                Replaced::Ended => return Err(Error::Ended { id, state: TokenState::Revoked }),
                Replaced::Stale | Replaced::IdTaken => {}
            }
        }
        Err(Error::Contended { id })
    }
}
