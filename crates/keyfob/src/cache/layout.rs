//! The sizes of the cache's table. The loom tests have smaller ones.

/// Words of content in an entry.
pub(crate) const CONTENT: usize = 15;
/// Entries in a set.
pub(crate) const WAYS: usize = 8;
