//! The tokens that have their status in one list.

use super::{MAX_STEP, readable};
use crate::error::Error;
use crate::manager::TokenManager;
use keyfob_core::id::Lane;
use keyfob_core::token::{StatusListId, Token};
use keyfob_store::{Order, Query, StoreError};

/// # Status lists
impl TokenManager {
    /// Gives `each` every token of a status list that the store still has, in every state. A token whose record
    /// cannot be read is left out, and logged.
    ///
    /// # Errors
    /// [`Error::Store`], also while a part of the store cannot be reached.
    pub async fn scan_status_list(
        &self,
        list: StatusListId,
        mut each: impl FnMut(&Token) + Send,
    ) -> Result<(), Error> {
        let term = self.inner.store.namespace().status_list(list);
        let order = Order::NewestFirst;
        let mut query = Query { term, lane: None, order, after: None, limit: MAX_STEP };
        loop {
            let found = self.inner.store.query(&query).await?;
            if !found.missing.is_empty() {
                let detail = format!("lanes {} cannot be reached", Lane::ranges(&found.missing));
                return Err(StoreError::unavailable(detail).into());
            }
            found.records.iter().filter_map(readable).for_each(|token| each(&token));
            match found.next {
                None => return Ok(()),
                next => query.after = next,
            }
        }
    }
}
