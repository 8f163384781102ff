//! What can be wrong with a key ring. No error shows a key, or a part of one.

use std::time::Duration;

use keyfob_core::KeyVersion;
use keyfob_core::random::RandomUnavailable;

/// What can be wrong with a key ring, or with its source.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// A line of the ring is malformed.
    #[error("line {line} of the key ring is malformed: write {expected}")]
    Malformed {
        /// The line, from 1.
        line: usize,
        /// What it should look like.
        expected: &'static str,
    },
    /// A key does not have the length of a key.
    #[error(
        "line {line} of the key ring does not hold a whole key: write 32 bytes in base64url, which are 43 characters"
    )]
    WrongLength {
        /// The line, from 1.
        line: usize,
    },
    /// A key that is easy to guess.
    #[error("line {line} of the key ring holds a key of one byte repeated: generate one instead")]
    Weak {
        /// The line, from 1.
        line: usize,
    },
    /// Two lines have the same number or the same key.
    #[error("line {line} of the key ring repeats the {what} of an earlier line: keep one of them")]
    Duplicate {
        /// The later line, from 1.
        line: usize,
        /// What is repeated.
        what: &'static str,
    },
    /// Two keys are active.
    #[error("keys {first} and {second} of the ring are both active: set one of them to 'reading'")]
    TwoActive {
        /// The first.
        first: KeyVersion,
        /// The second.
        second: KeyVersion,
    },
    /// No key is active.
    #[error("no key of the ring is active: activate one, or generate a ring")]
    NoneActive,
    /// A key names a term key that is missing.
    #[error("key {key} of the ring names term key {terms}, which is missing: restore its line")]
    NoTermKey {
        /// The key.
        key: KeyVersion,
        /// The version of the term key.
        terms: u16,
    },
    /// There is no key with this version.
    #[error("the ring has no key {key}: list its keys with `keyfob keys list`")]
    Unknown {
        /// The version.
        key: KeyVersion,
    },
    /// A retired key cannot be used again.
    #[error("key {key} is retired, and stores may refuse writes under it: generate another key")]
    Retired {
        /// The version.
        key: KeyVersion,
    },
    /// The active key, or one above it, cannot be retired.
    #[error(
        "key {key} is not older than the active one: activate a newer key before you retire it"
    )]
    InUse {
        /// The version.
        key: KeyVersion,
    },
    /// An older key is still in use.
    #[error("key {older} is older than key {key} and not retired: retire {older} first")]
    OlderInUse {
        /// The key to be retired.
        key: KeyVersion,
        /// The older key.
        older: KeyVersion,
    },
    /// Records are still sealed under the key to be retired.
    #[error("{records} records still lie under key {key}: reseal them before you retire it")]
    StillHolds {
        /// The key.
        key: KeyVersion,
        /// How many records.
        records: u64,
    },
    /// All versions are used up.
    #[error("the ring has used up all versions for {what}: start a new ring")]
    NoNumberLeft {
        /// The kind of key.
        what: &'static str,
    },
    /// Other users can read or write a file of keys.
    #[error(
        "{what} can be reached by others (mode {mode:03o}): keys are for their owner only, `chmod 600` it"
    )]
    Exposed {
        /// The file.
        what: String,
        /// Its permissions.
        mode: u32,
    },
    /// Keys could not be read from their source.
    #[error("the key ring cannot be read from {what}: {detail}")]
    Unreadable {
        /// The source.
        what: String,
        /// What happened.
        detail: String,
    },
    /// A key ring could not be written.
    #[error("the key ring {what} cannot be written: {detail}")]
    Unwritable {
        /// The target.
        what: String,
        /// What happened.
        detail: String,
    },
    /// The command that prints the keys did not end in time, and was stopped.
    #[error("{what} gave no key ring within {limit:?}: see what it waits for")]
    TimedOut {
        /// The command, without its arguments.
        what: String,
        /// The time limit.
        limit: Duration,
    },
    /// There is no randomness to draw a key from.
    #[error(transparent)]
    Random(#[from] RandomUnavailable),
}

impl KeyError {
    /// Returns the stable code of the error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed { .. } | Self::WrongLength { .. } => "key_ring_malformed",
            Self::Weak { .. } => "key_weak",
            Self::Duplicate { .. } => "key_repeated",
            Self::TwoActive { .. } | Self::NoneActive => "no_one_active_key",
            Self::NoTermKey { .. } => "term_key_missing",
            Self::Unknown { .. } => "key_unknown",
            Self::Retired { .. } => "key_retired",
            Self::InUse { .. } | Self::OlderInUse { .. } | Self::StillHolds { .. } => "key_in_use",
            Self::NoNumberLeft { .. } => "no_number_left",
            Self::Exposed { .. } => "key_ring_exposed",
            Self::Unreadable { .. } => "key_ring_unreadable",
            Self::Unwritable { .. } => "key_ring_unwritable",
            Self::TimedOut { .. } => "key_ring_timed_out",
            Self::Random(_) => "random_unavailable",
        }
    }
}
