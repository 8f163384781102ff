//! Keys that wait for the end of a batch, to be written in sorted order.
//!
//! A batch changes an index in many places: one row for this command, one for the next. In sorted
//! order, neighbouring rows go into their page together. The batch never reads these rows back, so
//! they do not have to be written earlier.
//!
//! (The engine's cursors insert a run of neighbours in one step. They cost half as much again here,
//! because most runs have one or two rows.)

use std::collections::BTreeMap;

use crate::error::TxError;
use crate::tables::KeyTableMut;

/// The keys to insert (`true`) and to remove (`false`).
#[derive(Debug)]
pub(crate) struct PendingKeys<const N: usize>(BTreeMap<[u8; N], bool>);

impl<const N: usize> Default for PendingKeys<N> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<const N: usize> PendingKeys<N> {
    pub(crate) fn insert(&mut self, key: [u8; N]) {
        self.0.insert(key, true);
    }

    pub(crate) fn remove(&mut self, key: [u8; N]) {
        self.0.insert(key, false);
    }

    /// Writes all pending keys to `table`.
    pub(crate) fn write(self, table: &mut KeyTableMut<'_, N>) -> Result<(), TxError> {
        for (key, present) in self.0 {
            if present {
                table.insert(&key, ())?;
            } else {
                table.remove(&key)?;
            }
        }
        Ok(())
    }
}
