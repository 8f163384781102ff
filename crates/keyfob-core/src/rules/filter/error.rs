//! The error of a text that is not a filter: its position, what to do, and how a terminal shows it.

use std::fmt;

use unicode_width::UnicodeWidthStr;

use super::Filter;
use super::key::Key;
use crate::invalid::{InvalidReason, InvalidValue};
use crate::values::visible::escape_invisible;

/// The error of a text that is not a filter. It has the position, and no part of the values.
///
/// ```
/// use keyfob::{Filter, Timestamp};
///
/// let text = "tag:mobile subjct:user123";
/// let refused = Filter::parse(text, Timestamp::default()).unwrap_err();
/// assert_eq!(refused.to_string(), "column 12: unknown key 'subjct': did you mean 'subject'?");
/// assert_eq!(refused.pointer(text), "tag:mobile subjct:user123\n           ^");
/// ```
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("column {column}: {problem}")]
pub struct FilterError {
    column: usize,
    problem: Problem,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Problem {
    TooLong,
    NoColon,
    /// The error keeps the name only if it cannot be a secret in the wrong position.
    UnknownKey {
        name: Option<Box<str>>,
        nearest: Option<Key>,
    },
    NoValue(Key),
    Twice {
        key: Key,
        first: usize,
    },
    Unclosed,
    AfterQuote,
    Escape,
    LabelForm,
    TimeForm(Key),
    /// A time that is written well but is not possible.
    TimeValue {
        key: Key,
        reason: InvalidReason,
    },
    /// A condition that depends on the time at which it is looked at, where that is not known.
    DependsOnClock(Key),
    /// A `$name` without a value. The error keeps the name only if it cannot be a secret.
    NotBound {
        name: Option<Box<str>>,
    },
    /// A value is bound to a name that the text does not have.
    Unused {
        name: Box<str>,
    },
    /// The value that is bound to a name is refused.
    Bound {
        name: Box<str>,
        problem: Box<Problem>,
    },
    Value(InvalidValue),
}

impl FilterError {
    pub(super) fn new(column: usize, problem: Problem) -> Self {
        Self { column, problem }
    }

    pub(super) fn unknown_key(column: usize, name: &str) -> Self {
        Self::new(column, Problem::UnknownKey { name: harmless(name), nearest: Key::nearest(name) })
    }

    pub(super) fn not_bound(column: usize, name: &str) -> Self {
        Self::new(column, Problem::NotBound { name: harmless(name) })
    }

    /// Says that the problem is about the value that is bound to a name, at the name's column.
    pub(super) fn of_bound(self, column: usize, name: &str) -> Self {
        Self::new(column, Problem::Bound { name: name.into(), problem: Box::new(self.problem) })
    }

    /// Whether the problem is in the value of a condition, not in the condition itself.
    pub(super) fn is_about_value(&self) -> bool {
        let problem = &self.problem;
        matches!(problem, Problem::Value(_) | Problem::TimeForm(_) | Problem::TimeValue { .. })
    }

    /// Returns whether the text has a `$name` that no value is bound to.
    pub fn is_not_bound(&self) -> bool {
        matches!(self.problem, Problem::NotBound { .. })
    }

    /// Returns the position in characters, from 1.
    pub fn column(&self) -> usize {
        self.column
    }

    /// Returns the key that an unknown key was most likely meant to be.
    pub fn suggestion(&self) -> Option<&'static str> {
        match &self.problem {
            Problem::UnknownKey { nearest, .. } => nearest.map(Key::as_str),
            _ => None,
        }
    }

    /// Returns the stable code of the error.
    pub fn code(&self) -> &'static str {
        "invalid_filter"
    }

    /// Returns two lines for a terminal: the parsed text, and a caret under the position.
    ///
    /// For a long text, only the part around the position is shown. Characters that would move the
    /// cursor or hide others are escaped, as [`escape_invisible`] does it.
    pub fn pointer(&self, text: &str) -> String {
        /// The number of columns that are shown, and how many of them come before the position.
        const WIDTH: usize = 72;
        const BEFORE: usize = 48;

        let position = self.column.saturating_sub(1);
        let split = text.char_indices().nth(position).map_or(text.len(), |(at, _)| at);
        let (before, after) = text.split_at(split);
        let whole = escape_invisible(before);
        let (before, front) = if whole.width() < WIDTH {
            (whole, "")
        } else {
            (escape_invisible(end_of(before, BEFORE)), "…")
        };
        let shown_after = start_of(after, WIDTH.saturating_sub(before.width()));
        let back = if shown_after.len() < after.len() { "…" } else { "" };
        let caret = " ".repeat(front.width() + before.width());
        format!("{front}{before}{}{back}\n{caret}^", escape_invisible(shown_after))
    }
}

/// A name as an error may repeat it, unless it may be a secret in the wrong position.
fn harmless(name: &str) -> Option<Box<str>> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let is_harmless = name.len() <= Key::MAX_TYPO_BYTES && name.chars().all(plain);
    (is_harmless && !name.is_empty()).then(|| name.into())
}

/// The longest end of a text that is at most `columns` wide when it is escaped.
fn end_of(text: &str, columns: usize) -> &str {
    let mut width = 0;
    let starts = text.char_indices().rev().take_while(|(at, c)| {
        width += escape_invisible(&text[*at..at + c.len_utf8()]).width();
        width <= columns
    });
    starts.last().map_or("", |(at, _)| &text[at..])
}

/// The longest start of a text that is at most `columns` wide when it is escaped.
fn start_of(text: &str, columns: usize) -> &str {
    let mut width = 0;
    let ends =
        text.char_indices().map(|(at, c)| (at, at + c.len_utf8())).take_while(|(at, end)| {
            width += escape_invisible(&text[*at..*end]).width();
            width <= columns
        });
    ends.last().map_or("", |(_, end)| &text[..end])
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => {
                write!(f, "the filter is too long: at most {} bytes are read", Filter::MAX_BYTES)
            }
            Self::NoColon => {
                f.write_str("no ':' here: write each part as key:value, such as subject:user123")
            }
            Self::UnknownKey { name, nearest } => {
                f.write_str("unknown key")?;
                if let Some(name) = name {
                    write!(f, " '{name}'")?;
                }
                match nearest {
                    Some(key) => write!(f, ": did you mean '{}'?", key.as_str()),
                    None => write!(f, ": use one of {}", Key::ALL.map(Key::as_str).join(", ")),
                }
            }
            Self::NoValue(key) => {
                let key_name = key.as_str();
                write!(f, "'{key_name}' has no value: write it right after the ':'")?;
                if key.takes_time() {
                    f.write_str(" (in a URL, write %2B for '+')")?;
                }
                Ok(())
            }
            Self::Twice { key, first } => {
                let key = key.as_str();
                write!(f, "'{key}' was given at column {first} already: keep one of the two")
            }
            Self::Unclosed => f.write_str("this quote is not closed: add a '\"' after the value"),
            Self::AfterQuote => f.write_str("the value ended with the quote: put a space here"),
            Self::Escape => {
                f.write_str("only \\\" and \\\\ are escapes: write \\\\ for a backslash in quotes")
            }
            Self::LabelForm => f.write_str(
                "a label is a key and a value: write it as label:environment=production",
            ),
            Self::TimeForm(key) => write!(
                f,
                "'{}' takes a time: write 2026-11-24T08:30:00Z, 2026-11-24, now, or a distance \
                 from now such as -7d or +1h",
                key.as_str()
            ),
            Self::TimeValue { key, reason } => write!(f, "'{}' {reason}", key.as_str()),
            Self::DependsOnClock(Key::State) => {
                f.write_str("'state' depends on the time, and this filter is kept: leave it out")
            }
            Self::DependsOnClock(key) => write!(
                f,
                "'{}' depends on the time, and this filter is kept: write a fixed one, such as 2026-11-24",
                key.as_str()
            ),
            Self::NotBound { name } => {
                match name {
                    Some(name) => write!(f, "no value is bound to '${name}'")?,
                    None => f.write_str("no value is bound to this name")?,
                }
                f.write_str(": bind one, or write a value that starts with '$' in double quotes")
            }
            Self::Unused { name } => {
                write!(f, "a value is bound to '{name}', but the filter has no '${name}'")
            }
            Self::Bound { name, problem } => write!(f, "the value of '${name}': {problem}"),
            Self::Value(invalid) => write!(f, "{invalid}"),
        }
    }
}
