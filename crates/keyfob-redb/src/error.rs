//! Errors inside a transaction, and the errors of a file that cannot be opened.

use std::fmt::Display;
use std::io;
use std::path::Path;

use keyfob_store::StoreError;
use redb::{CommitError, DatabaseError, StorageError, TableError, TransactionError};

use crate::reserve;

/// What to do about a damaged file.
const RESTORE: &str = "restore it from a backup";

/// An error inside a transaction.
#[derive(Debug)]
pub(crate) enum TxError {
    /// The command is refused and has written nothing. Other commands of the batch continue.
    Refused(StoreError),
    /// The disk has no room. No command of the batch can continue.
    Full,
    /// The engine failed. No command of the batch can continue.
    Engine(String),
}

impl From<StoreError> for TxError {
    fn from(error: StoreError) -> Self {
        Self::Refused(error)
    }
}

impl From<StorageError> for TxError {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Io(error) if reserve::is_full(&error) => Self::Full,
            error => Self::Engine(error.to_string()),
        }
    }
}

macro_rules! engine_errors {
    ($($error:ident),+) => {$(
        impl From<$error> for TxError {
            fn from(error: $error) -> Self {
                match error {
                    $error::Storage(error) => error.into(),
                    error => Self::Engine(error.to_string()),
                }
            }
        }
    )+};
}

engine_errors!(TableError, TransactionError, CommitError);

impl TxError {
    /// Returns the error of a store in the file at `path`.
    pub(crate) fn of(self, path: &Path) -> StoreError {
        match self {
            Self::Refused(error) => error,
            Self::Full => full(path),
            Self::Engine(detail) => StoreError::unavailable(detail),
        }
    }
}

/// The error of a file that cannot grow.
pub(crate) fn full(path: &Path) -> StoreError {
    StoreError::Full { what: path.display().to_string() }
}

/// The error of a write to a file that was opened for reading.
pub(crate) fn read_only(path: &Path) -> StoreError {
    StoreError::ReadOnly { what: path.display().to_string() }
}

/// The error for a path that holds no store.
pub(crate) fn not_a_store(path: &Path, detail: impl Into<String>) -> StoreError {
    StoreError::NotAStore { what: path.display().to_string(), detail: detail.into() }
}

/// The error for a store file that is damaged.
pub(crate) fn damaged(path: &Path, finding: impl Display) -> StoreError {
    not_a_store(path, format!("it is damaged ({finding}): {RESTORE}"))
}

/// The error for a path that the operating system does not open.
pub(crate) fn cannot_open(path: &Path, error: &io::Error) -> StoreError {
    StoreError::unavailable(format_args!(
        "{} cannot be opened ({error}): check the path and its permissions",
        path.display(),
    ))
}

/// The error for a file that the engine does not open.
pub(crate) fn engine_cannot_open(path: &Path, error: DatabaseError) -> StoreError {
    match error {
        DatabaseError::Storage(StorageError::Io(error)) if reserve::is_full(&error) => full(path),
        DatabaseError::Storage(StorageError::Io(error)) => match error.kind() {
            io::ErrorKind::InvalidData => {
                not_a_store(path, "another program wrote it: name another file")
            }
            io::ErrorKind::UnexpectedEof => {
                not_a_store(path, format!("it was cut short: {RESTORE}"))
            }
            _ => cannot_open(path, &error),
        },
        DatabaseError::UpgradeRequired(_) => {
            not_a_store(path, "its file format is older than keyfob: name another file")
        }
        error => damaged(path, error),
    }
}
