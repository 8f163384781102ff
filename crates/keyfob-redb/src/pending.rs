//! Rows that wait for the end of a batch, to be written in the order of their keys.
//!
//! A batch touches an index all over: a row here for this command, one there for the next. Written
//! in order, those that are neighbours go into their page together, and the way down to it is gone
//! once. What a batch never reads back need not be written earlier.

use std::collections::BTreeMap;
use std::collections::btree_map::IntoIter;
use std::iter::Peekable;
use std::ops::Bound;

use redb::CursorError;

use crate::fault::Fault;
use crate::tables::Rows;

/// The rows by key; `None` is one to be removed.
#[derive(Debug, Default)]
pub(crate) struct Pending(BTreeMap<Vec<u8>, Option<Vec<u8>>>);

type Waiting = Peekable<IntoIter<Vec<u8>, Option<Vec<u8>>>>;

impl Pending {
    pub(crate) fn insert(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.0.insert(key, Some(value));
    }

    pub(crate) fn remove(&mut self, key: Vec<u8>) {
        self.0.insert(key, None);
    }

    /// What waits under a key.
    pub(crate) fn get(&self, key: &[u8]) -> Option<&[u8]> {
        self.0.get(key)?.as_deref()
    }

    /// Writes all of them.
    pub(crate) fn write(self, table: &mut Rows<'_>) -> Result<(), Fault> {
        let mut waiting = self.0.into_iter().peekable();
        while let Some((key, value)) = waiting.next() {
            match value {
                None => {
                    table.remove(key.as_slice())?;
                }
                Some(value) => insert_run(table, key, &value, &mut waiting)?,
            }
        }
        Ok(())
    }
}

/// Inserts a row, and with it those that follow in the same gap between two rows of the table.
fn insert_run(
    table: &mut Rows<'_>,
    key: Vec<u8>,
    value: &[u8],
    waiting: &mut Waiting,
) -> Result<(), Fault> {
    let mut cursor = table.lower_bound_mut(Bound::Included(key.as_slice()))?;
    match cursor.insert_before(key.as_slice(), value) {
        Ok(()) => {}
        Err(CursorError::UnorderedKey) => {
            // The table has a row with this key.
            cursor.close()?;
            table.insert(key.as_slice(), value)?;
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    }
    while let Some((key, Some(value))) = waiting.peek() {
        match cursor.insert_before(key.as_slice(), value.as_slice()) {
            Ok(()) => waiting.next(),
            // It lies beyond the gap.
            Err(CursorError::UnorderedKey) => break,
            Err(error) => return Err(error.into()),
        };
    }
    cursor.close()?;
    Ok(())
}
