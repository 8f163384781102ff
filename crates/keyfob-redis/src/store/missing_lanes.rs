//! The lanes that an answer over several lanes is missing, because they cannot be reached.

use keyfob_store::{Lane, StoreError};

/// The lanes that could not be reached, and the first error.
#[derive(Debug, Default)]
pub(super) struct MissingLanes {
    lanes: Vec<Lane>,
    first_error: Option<StoreError>,
}

impl MissingLanes {
    /// Returns what a lane answered, or `None` if it cannot be reached. Then it is missing.
    ///
    /// # Errors
    /// Any other error.
    pub(super) fn or_missing<T>(
        &mut self,
        lane: Lane,
        answer: Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(error @ StoreError::Unavailable { .. }) => {
                self.lanes.push(lane);
                self.first_error.get_or_insert(error);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Returns the lanes that are missing of `count`.
    ///
    /// # Errors
    /// The first error if all are missing.
    pub(super) fn unless_all(mut self, count: usize) -> Result<Vec<Lane>, StoreError> {
        match self.first_error {
            Some(error) if self.lanes.len() == count => Err(error),
            _ => {
                self.lanes.sort_unstable();
                Ok(self.lanes)
            }
        }
    }
}
