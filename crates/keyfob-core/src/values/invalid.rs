//! The one error for a value that a caller supplied and keyfob cannot accept.

use std::fmt;

use crate::error_class::ErrorClass;

/// A value that does not satisfy the rules of its type.
///
/// It names the value and the rule, never the value's content: what was rejected may be a secret
/// that landed in the wrong field.
///
/// ```
/// use keyfob::{InvalidValue, Subject};
///
/// let refused: InvalidValue = Subject::new("").unwrap_err();
/// assert_eq!(refused.to_string(), "subject is empty: give at least one character");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} {problem}")]
pub struct InvalidValue {
    what: &'static str,
    problem: InvalidReason,
}

/// What is wrong with an [`InvalidValue`] value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidReason {
    /// Nothing was given where something is needed.
    Empty,
    /// More bytes than the type allows.
    TooLong {
        /// The most bytes that are accepted.
        most: usize,
    },
    /// More members than the collection allows.
    TooMany {
        /// The most members that are accepted.
        most: usize,
    },
    /// A control character, which would corrupt a log line or a terminal.
    ControlCharacter,
    /// A character outside the alphabet of the type.
    Character {
        /// The characters that are accepted, in words.
        allowed: &'static str,
    },
    /// The same key given twice.
    Duplicate,
    /// A number outside its range.
    OutOfRange {
        /// The range in words.
        allowed: &'static str,
    },
    /// Text that is not in the form of the type.
    Malformed {
        /// The form in words, with an example.
        expected: &'static str,
    },
    /// Two values that cannot hold together.
    Contradiction {
        /// The rule that they break.
        rule: &'static str,
    },
}

impl InvalidValue {
    pub const fn new(what: &'static str, problem: InvalidReason) -> Self {
        Self { what, problem }
    }

    /// The value that was rejected, in the words of the API.
    pub fn what(&self) -> &'static str {
        self.what
    }

    /// The rule that it breaks.
    pub fn problem(&self) -> &InvalidReason {
        &self.problem
    }

    /// Returns the kind of answer that the error calls for: [`ErrorClass::InvalidRequest`], or the
    /// class for a scope or an audience where it is about one.
    pub fn class(&self) -> ErrorClass {
        match self.what {
            "scope" | "scope set" => ErrorClass::InvalidScope,
            "audience" | "audience set" => ErrorClass::InvalidTarget,
            _ => ErrorClass::InvalidRequest,
        }
    }

    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        "invalid_value"
    }
}

impl From<std::convert::Infallible> for InvalidValue {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

impl fmt::Display for InvalidReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "is empty: give at least one character"),
            Self::TooLong { most } => write!(f, "is too long: at most {most} bytes are accepted"),
            Self::TooMany { most } => write!(f, "has too many members: at most {most} fit"),
            Self::ControlCharacter => write!(f, "holds a control character: remove it"),
            Self::Character { allowed } => {
                write!(f, "holds a character that is not allowed: use {allowed}")
            }
            Self::Duplicate => write!(f, "is given twice: give each key once"),
            Self::OutOfRange { allowed } => write!(f, "is out of range: use {allowed}"),
            Self::Malformed { expected } => write!(f, "is malformed: write {expected}"),
            Self::Contradiction { rule } => write!(f, "cannot hold: {rule}"),
        }
    }
}
