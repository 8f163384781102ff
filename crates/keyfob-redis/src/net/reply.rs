//! Takes an answer of the server apart. An answer of another shape is an error, never a panic.

use keyfob_store::StoreError;
use redis::Value;

#[derive(Debug)]
pub(crate) struct Reply(pub(crate) Value);

impl Reply {
    pub(crate) fn array(self) -> Result<Vec<Reply>, StoreError> {
        match self.0 {
            Value::Array(values) => Ok(values.into_iter().map(Reply).collect()),
            _ => Err(strange("no list")),
        }
    }

    pub(crate) fn bytes(self) -> Result<Vec<u8>, StoreError> {
        self.optional()?.ok_or_else(|| strange("nothing"))
    }

    /// Bytes, or nothing: a script's `false` is a nil.
    pub(crate) fn optional(self) -> Result<Option<Vec<u8>>, StoreError> {
        match self.0 {
            Value::Nil => Ok(None),
            Value::BulkString(bytes) => Ok(Some(bytes)),
            Value::SimpleString(text) => Ok(Some(text.into_bytes())),
            Value::Okay => Ok(Some(b"OK".to_vec())),
            Value::Int(number) => Ok(Some(number.to_string().into_bytes())),
            _ => Err(strange("no text")),
        }
    }

    pub(crate) fn text(self) -> Result<String, StoreError> {
        String::from_utf8(self.bytes()?).map_err(|_| strange("no text"))
    }

    pub(crate) fn number(self) -> Result<u64, StoreError> {
        self.text()?.parse().map_err(|_| strange("no number"))
    }

    pub(crate) fn is_nil(&self) -> bool {
        matches!(self.0, Value::Nil)
    }
}

/// The next of several answers.
pub(crate) fn next(replies: &mut impl Iterator<Item = Reply>) -> Result<Reply, StoreError> {
    replies.next().ok_or_else(|| strange("too short a list"))
}

fn strange(what: &str) -> StoreError {
    StoreError::unavailable(format!("the server's answer was not understood ({what})"))
}
