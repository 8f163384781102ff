//! What can go wrong within a transaction: the command is refused, and the others of the batch go
//! on; or the engine fails, and none of them can.

use keyfob_store::StoreError;

#[derive(Debug)]
pub(crate) enum Fault {
    /// The command is refused; it has written nothing.
    Refused(StoreError),
    /// The engine failed.
    Engine(String),
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Refused(error)
    }
}

macro_rules! engine_faults {
    ($($error:ty),+) => {$(
        impl From<$error> for Fault {
            fn from(error: $error) -> Self {
                Self::Engine(error.to_string())
            }
        }
    )+};
}

engine_faults!(redb::StorageError, redb::TableError, redb::TransactionError, redb::CommitError);

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Refused(error) => error,
            Fault::Engine(detail) => Self::unavailable(detail),
        }
    }
}
