//! Reads an answer of the server. An answer of another shape is an error, never a panic.

use keyfob_store::StoreError;
use redis::Value;

#[derive(Debug)]
pub(crate) struct Reply(pub(crate) Value);

impl Reply {
    pub(crate) fn array(self) -> Result<Vec<Reply>, StoreError> {
        match self.0 {
            Value::Array(values) => Ok(values.into_iter().map(Reply).collect()),
            _ => Err(unexpected("not a list")),
        }
    }

    pub(crate) fn bytes(self) -> Result<Vec<u8>, StoreError> {
        self.optional()?.ok_or_else(|| unexpected("nil"))
    }

    /// Returns the bytes, or `None` for nil, which is a script's `false` too.
    pub(crate) fn optional(self) -> Result<Option<Vec<u8>>, StoreError> {
        match self.0 {
            Value::Nil => Ok(None),
            Value::BulkString(bytes) => Ok(Some(bytes)),
            Value::SimpleString(text) => Ok(Some(text.into_bytes())),
            Value::VerbatimString { text, .. } => Ok(Some(text.into_bytes())),
            Value::Okay => Ok(Some(b"OK".to_vec())),
            Value::Int(number) => Ok(Some(number.to_string().into_bytes())),
            _ => Err(unexpected("not text")),
        }
    }

    pub(crate) fn text(self) -> Result<String, StoreError> {
        String::from_utf8(self.bytes()?).map_err(|_| unexpected("not text"))
    }

    pub(crate) fn number(self) -> Result<u64, StoreError> {
        self.text()?.parse().map_err(|_| unexpected("not a number"))
    }

    pub(crate) fn is_nil(&self) -> bool {
        matches!(self.0, Value::Nil)
    }
}

/// Returns the next of several answers.
pub(crate) fn next(replies: &mut impl Iterator<Item = Reply>) -> Result<Reply, StoreError> {
    replies.next().ok_or_else(|| unexpected("the list is too short"))
}

fn unexpected(what: &str) -> StoreError {
    StoreError::unavailable(format!("the server gave an unexpected answer ({what})"))
}
