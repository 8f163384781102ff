//! The error of a text that is not a filter: its position, what to do, and how a terminal shows it.

use std::fmt;

use super::Filter;
use super::key::Key;
use crate::invalid::InvalidValue;

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
    Value(InvalidValue),
}

impl FilterError {
    pub(super) fn new(column: usize, problem: Problem) -> Self {
        Self { column, problem }
    }

    pub(super) fn unknown_key(column: usize, name: &str) -> Self {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let is_harmless = name.len() <= Key::MAX_TYPO_BYTES && name.chars().all(plain);
        let kept = (is_harmless && !name.is_empty()).then(|| name.into());
        Self::new(column, Problem::UnknownKey { name: kept, nearest: Key::nearest(name) })
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
    /// cursor or hide others are replaced.
    pub fn pointer(&self, text: &str) -> String {
        /// The number of characters that are shown, and how many of them come before the position.
        const WIDTH: usize = 72;
        const BEFORE: usize = 48;

        let position = self.column.saturating_sub(1);
        let start = if position < WIDTH { 0 } else { position - BEFORE };
        let mut shown = String::new();
        let mut caret = String::new();
        if start > 0 {
            shown.push('…');
            caret.push(' ');
        }
        let mut rest = text.chars().enumerate().skip(start);
        for (at, c) in rest.by_ref().take(WIDTH) {
            let c = if is_printable(c) { c } else { char::REPLACEMENT_CHARACTER };
            shown.push(c);
            if at < position {
                caret.push_str(if is_wide(c) { "  " } else { " " });
            }
        }
        if rest.next().is_some() {
            shown.push('…');
        }
        format!("{shown}\n{caret}^")
    }
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
            Self::Value(invalid) => write!(f, "{invalid}"),
        }
    }
}

/// Whether a character is no control character, changes no direction of text and has a width.
fn is_printable(c: char) -> bool {
    !c.is_control()
        && !matches!(
            c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}'
        )
}

/// Whether a terminal draws the character two columns wide: the East Asian blocks and emoji.
fn is_wide(c: char) -> bool {
    matches!(
        c,
        '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}'
            | '\u{f900}'..='\u{faff}' | '\u{fe30}'..='\u{fe6f}' | '\u{ff00}'..='\u{ff60}'
            | '\u{ffe0}'..='\u{ffe6}' | '\u{1f300}'..='\u{1faff}' | '\u{20000}'..='\u{3fffd}'
    )
}
