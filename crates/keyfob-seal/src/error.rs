//! What can be wrong with a key ring. No error shows a key, or any part of one.

use std::time::Duration;

use keyfob_core::KeyVersion;
use keyfob_core::random::RandomUnavailable;

/// What can be wrong with a key ring, or with how it is come by.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// A line of a ring is none of those that a ring has.
    #[error("line {line} of the key ring is malformed: write {expected}")]
    Malformed {
        /// The line, from 1.
        line: usize,
        /// What it should look like.
        expected: &'static str,
    },
    /// A key has not the length of a key.
    #[error(
        "line {line} of the key ring holds no whole key: 32 bytes in base64url are 43 characters"
    )]
    WrongLength {
        /// The line, from 1.
        line: usize,
    },
    /// A key that anybody could guess.
    #[error("line {line} of the key ring holds a key of one byte repeated: generate one instead")]
    Weak {
        /// The line, from 1.
        line: usize,
    },
    /// Two lines have one number or one key.
    #[error("line {line} of the key ring repeats the {what} of an earlier line: keep one of them")]
    Duplicate {
        /// The later line, from 1.
        line: usize,
        /// What is repeated.
        what: &'static str,
    },
    /// Two keys are active.
    #[error("keys {first} and {second} of the ring are both active: let one of them only read")]
    TwoActive {
        /// The one.
        first: KeyVersion,
        /// The other.
        second: KeyVersion,
    },
    /// No key is active.
    #[error("no key of the ring is active: activate one, or generate a ring")]
    NoneActive,
    /// A key names a key for terms that is not there.
    #[error("key {key} of the ring names term key {terms}, which is not there: restore its line")]
    NoTermKey {
        /// The key.
        key: KeyVersion,
        /// The number of the term key.
        terms: u16,
    },
    /// There is no key with this number.
    #[error("the ring has no key {key}: see which it has with `keyfob keys list`")]
    Unknown {
        /// The number.
        key: KeyVersion,
    },
    /// A retired key may not come back.
    #[error(
        "key {key} is retired, and stores may refuse what is sealed under it: generate another"
    )]
    Retired {
        /// The number.
        key: KeyVersion,
    },
    /// The active key, or one above it, cannot be retired.
    #[error(
        "key {key} is not older than the active one: activate a newer key before you retire it"
    )]
    InUse {
        /// The number.
        key: KeyVersion,
    },
    /// An older key is still read.
    #[error("key {older} is older than key {key} and not retired: retire {older} first")]
    OlderInUse {
        /// The key to be retired.
        key: KeyVersion,
        /// The older one.
        older: KeyVersion,
    },
    /// Records are still sealed under a key that was to be retired.
    #[error("{records} records still lie under key {key}: reseal them before you retire it")]
    StillHolds {
        /// The key.
        key: KeyVersion,
        /// How many records.
        records: u64,
    },
    /// All numbers were used.
    #[error("the ring has used up its numbers for {what}")]
    NoNumberLeft {
        /// Of what.
        what: &'static str,
    },
    /// A file of keys that others may look into or write to.
    #[error(
        "{what} can be reached by others (mode {mode:03o}): keys are for their owner only, `chmod 600` it"
    )]
    Exposed {
        /// The file.
        what: String,
        /// Its permissions.
        mode: u32,
    },
    /// Keys could not be read from where they are.
    #[error("no key ring can be read from {what}: {detail}")]
    Unreadable {
        /// From where.
        what: String,
        /// What happened.
        detail: String,
    },
    /// A key ring could not be written.
    #[error("the key ring {what} cannot be written: {detail}")]
    Unwritable {
        /// Where to.
        what: String,
        /// What happened.
        detail: String,
    },
    /// The command that gives keys did not end in time, and was stopped.
    #[error("{what} gave no key ring within {limit:?}: see what it waits for")]
    TimedOut {
        /// The command, without its arguments.
        what: String,
        /// How long it had.
        limit: Duration,
    },
    /// There is no randomness to draw a key from.
    #[error(transparent)]
    Random(#[from] RandomUnavailable),
}

impl KeyError {
    /// The stable code of the error.
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
