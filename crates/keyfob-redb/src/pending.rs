//! Rows that wait for the end of a batch, to be written in the order of their keys.
//!
//! A batch touches an index all over: a row here for this command, one there for the next. Written
//! in order, those that are neighbours go into their page together. What a batch never reads back
//! need not be written earlier.
//!
//! (The engine's cursors, which splice a run of neighbours in at once, are dearer here by half: most
//! runs are of one or two rows.)

use std::collections::BTreeMap;

use crate::fault::Fault;
use crate::tables::KeyRows;

/// The rows by key, and whether each is to be there or not.
#[derive(Debug)]
pub(crate) struct Pending<const N: usize>(BTreeMap<[u8; N], bool>);

impl<const N: usize> Default for Pending<N> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<const N: usize> Pending<N> {
    pub(crate) fn insert(&mut self, key: [u8; N]) {
        self.0.insert(key, true);
    }

    pub(crate) fn remove(&mut self, key: [u8; N]) {
        self.0.insert(key, false);
    }

    /// Writes all of them.
    pub(crate) fn write(self, table: &mut KeyRows<'_, N>) -> Result<(), Fault> {
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
