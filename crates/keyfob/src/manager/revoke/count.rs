//! How many tokens the revocation of one would end.

use crate::error::Error;
use crate::manager::TokenManager;
use crate::manager::read::Paging;
use keyfob_core::filter::Filter;
use keyfob_core::id::{FamilyId, TokenId};
use keyfob_core::token::{Token, TokenState};
use keyfob_store::StoreError;

impl TokenManager {
    /// Counts the pending and active tokens that [`TokenManager::revoke`] would end: the token itself and
    /// its descendants.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use keyfob::{Grant, Kind, MemoryStore, TokenManager};
    /// # let manager = TokenManager::new(MemoryStore::new()?);
    /// let session = manager.issue(Grant::new(Kind::Session).subject("user123")).await?;
    /// manager.derive(&session.bearer, Grant::new(Kind::Access)).await?;
    /// assert_eq!(manager.count_revocable(session.token.id).await?, 2);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is neither the token nor a descendant; [`Error::Store`], also when
    /// a part of the store cannot be reached.
    pub async fn count_revocable(&self, id: TokenId) -> Result<u64, Error> {
        let root = match self.get(id).await {
            Ok(token) => Some(token),
            Err(Error::NotFound { .. }) => None,
            Err(error) => return Err(error),
        };
        let family = FamilyId::under(id, root.as_ref().and_then(|token| token.family));
        let now = self.now();
        let is_revocable =
            |token: &Token| matches!(token.state(now), TokenState::Active | TokenState::Pending);
        let mut found = u64::from(root.is_some());
        let mut count = u64::from(root.as_ref().is_some_and(is_revocable));
        let (filter, mut after) = (Filter::new().family(family), None);
        loop {
            let page = self.list(&filter, Paging::new(Paging::MAX_LIMIT).after(after)).await?;
            if !page.missing_lanes.is_empty() {
                return Err(StoreError::LanesUnreachable { lanes: page.missing_lanes }.into());
            }
            for token in &page.tokens {
                if token.id != id && token.ancestors.contains(&id) {
                    found += 1;
                    count += u64::from(is_revocable(token));
                }
            }
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        // An unknown id is an error, not a count of zero.
        if found == 0 { Err(Error::NotFound { id }) } else { Ok(count) }
    }
}
