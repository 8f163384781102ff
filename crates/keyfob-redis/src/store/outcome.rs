//! What a script that writes answers: a word, and what follows it.

use std::vec::IntoIter;

use keyfob_store::{KeyVersion, Operation, StoreError, Timestamp, TokenId, Ttl};

use crate::connections::{Reply, next};
use crate::protocol::constants::reply;

/// The answer of a script that writes.
#[derive(Debug)]
pub(super) struct Outcome {
    code: String,
    rest: IntoIter<Reply>,
}

impl Outcome {
    pub(super) fn read(answer: Reply) -> Result<Self, StoreError> {
        let mut rest = answer.array()?.into_iter();
        Ok(Self { code: next(&mut rest)?.text()?, rest })
    }

    /// The word that the answer begins with, one of [`reply`].
    pub(super) fn code(&self) -> &str {
        &self.code
    }

    /// Returns the next part of what follows the word.
    pub(super) fn next(&mut self) -> Result<Reply, StoreError> {
        next(&mut self.rest)
    }
}

/// Returns the error that an answer means which is not specific to one method.
pub(super) fn failure(outcome: Outcome, operation: Operation, id: Option<TokenId>) -> StoreError {
    let Outcome { code, mut rest } = outcome;
    if code == reply::HALF_DONE {
        let detail = next(&mut rest).and_then(Reply::text).unwrap_or_default();
        tracing::error!(operation = %operation.id, detail, "a command failed in the middle of a write");
        return StoreError::OutcomeUnknown { operation: operation.id };
    }
    let mut number = || next(&mut rest).ok()?.number().ok();
    match code.as_str() {
        reply::KEY_RETIRED => {
            let mut version = || u16::try_from(number()?).ok().map(KeyVersion::new);
            let (key, floor) = (version().unwrap_or_default(), version().unwrap_or_default());
            StoreError::KeyRetired { key, floor }
        }
        reply::DEADLINE_PASSED => StoreError::DeadlinePassed { operation: operation.id },
        reply::ID_AHEAD => {
            let ahead = number().and_then(|millis| Ttl::from_millis(millis).ok());
            StoreError::ClockSkew { ahead: ahead.unwrap_or(Ttl::from_secs(10)) }
        }
        reply::DAMAGED => StoreError::Corrupt {
            what: id.map_or_else(|| "a token".to_owned(), |id| id.to_string()),
            detail: "its header has no known format".to_owned(),
        },
        code => StoreError::unavailable(format!("the script gave an unknown answer, '{code}'")),
    }
}

/// Returns a deadline for a call that is made now.
pub(super) fn deadline_from(now: Timestamp) -> Timestamp {
    now + Operation::WINDOW
}
