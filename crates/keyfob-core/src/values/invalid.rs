//! The one error for a value that a caller supplied and keyfob cannot accept.

use std::fmt;

use super::field::Field;
use super::json_place::JsonPlace;

/// A value that breaks the rules of its type.
///
/// The error names the field and the rule, never the content: the rejected value may be a secret in
/// the wrong field.
///
/// ```
/// use keyfob::values::Field;
/// use keyfob::{InvalidValue, Subject};
///
/// let refused: InvalidValue = Subject::new("").unwrap_err();
/// assert_eq!(refused.field(), Field::Subject);
/// assert_eq!(refused.to_string(), "subject is empty: give at least one character");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} {reason}", self.what())]
pub struct InvalidValue {
    field: Field,
    reason: InvalidReason,
}

/// The rule that an [`InvalidValue`] breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidReason {
    /// The value is empty.
    Empty,
    /// The value has more bytes than the type allows.
    TooLong {
        /// The maximum number of bytes.
        max: usize,
    },
    /// The collection has more members than it allows.
    TooMany {
        /// The maximum number of members.
        max: usize,
    },
    /// The value has a control character, which would corrupt a log line or a terminal.
    ControlCharacter,
    /// The value has a character outside the alphabet of the type.
    Character {
        /// The characters that are accepted, in words.
        allowed: &'static str,
    },
    /// The same key was given twice.
    Duplicate,
    /// A name occurs twice in an object of JSON.
    DuplicateName {
        /// The path to the name, as in RFC 6901. It leaves out names that may be secrets.
        place: JsonPlace,
    },
    /// A number of JSON is neither a 64-bit integer nor a finite double.
    NumberRange {
        /// The path to the number, as in RFC 6901. It leaves out names that may be secrets.
        place: JsonPlace,
    },
    /// The value is nested too deeply.
    TooDeep {
        /// The maximum number of levels.
        max: usize,
    },
    /// The number is outside its range.
    OutOfRange {
        /// The range, in words.
        allowed: &'static str,
    },
    /// The text does not have the form of the type.
    Malformed {
        /// The form in words, with an example.
        expected: &'static str,
    },
    /// Two values contradict each other.
    Contradiction {
        /// The rule that they break.
        rule: &'static str,
    },
}

impl InvalidValue {
    /// Creates the error for a field and the rule that its value breaks.
    pub const fn new(field: Field, reason: InvalidReason) -> Self {
        Self { field, reason }
    }

    /// Returns the field that the value was given for.
    pub const fn field(&self) -> Field {
        self.field
    }

    /// Returns the name of the field as the error's text has it, such as `scope set`.
    pub const fn what(&self) -> &'static str {
        match self.reason {
            InvalidReason::TooMany { .. } | InvalidReason::Contradiction { .. } => {
                self.field.set_name()
            }
            _ => self.field.name(),
        }
    }

    /// Returns the rule that the value breaks.
    pub const fn reason(&self) -> &InvalidReason {
        &self.reason
    }

    /// Returns the stable code of the error.
    pub const fn code(&self) -> &'static str {
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
            Self::TooLong { max } => write!(f, "is too long: at most {max} bytes are accepted"),
            Self::TooMany { max } => write!(f, "has too many members: at most {max} are allowed"),
            Self::ControlCharacter => write!(f, "contains a control character: remove it"),
            Self::Character { allowed } => {
                write!(f, "contains a character that is not allowed: use {allowed}")
            }
            Self::Duplicate => write!(f, "is given twice: give each key once"),
            Self::DuplicateName { place } => {
                write!(f, "is given twice, at {place}: give each name once")
            }
            Self::NumberRange { place } => write!(
                f,
                "has a number at {place} that readers of JSON round or refuse: use a 64-bit integer or \
                 a finite double"
            ),
            Self::TooDeep { max } => {
                write!(f, "is nested too deeply: at most {max} levels are accepted")
            }
            Self::OutOfRange { allowed } => write!(f, "is out of range: use {allowed}"),
            Self::Malformed { expected } => write!(f, "is malformed: write {expected}"),
            Self::Contradiction { rule } => write!(f, "is not possible: {rule}"),
        }
    }
}
