//! One argument of a script.

use keyfob_store::Timestamp;

/// An argument of a script.
#[derive(Debug)]
pub(crate) enum Arg {
    Bytes(Vec<u8>),
    Number(u64),
    /// A time of this node's clock. It is sent as the time of the server's clock.
    Local(Timestamp),
}

impl From<Vec<u8>> for Arg {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<&[u8]> for Arg {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.to_vec())
    }
}

impl Arg {
    /// An empty argument, which stands for a value that is absent.
    pub(crate) fn none() -> Self {
        Self::Bytes(Vec::new())
    }

    /// 1 or 0.
    pub(crate) fn flag(is_set: bool) -> Self {
        Self::Number(u64::from(is_set))
    }
}

impl From<usize> for Arg {
    fn from(number: usize) -> Self {
        Self::Number(number as u64)
    }
}

impl From<u64> for Arg {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}
