//! Why a text is no filter: where, what to do about it, and how to show it on a terminal.

use std::fmt;

use super::Filter;
use super::key::Key;
use crate::invalid::InvalidValue;

/// Why a text is no filter. It says where, and holds nothing of the values.
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
    /// The name is kept only where it cannot be a secret that landed in the wrong place.
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
        let harmless = name.len() <= Key::LONGEST_TYPO && name.chars().all(plain);
        let kept = (harmless && !name.is_empty()).then(|| name.into());
        Self::new(column, Problem::UnknownKey { name: kept, nearest: Key::nearest(name) })
    }

    /// Where it is, in characters from 1.
    pub fn column(&self) -> usize {
        self.column
    }

    /// The key that an unknown one was most likely meant to be.
    pub fn suggestion(&self) -> Option<&'static str> {
        match &self.problem {
            Problem::UnknownKey { nearest, .. } => nearest.map(Key::as_str),
            _ => None,
        }
    }

    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        "invalid_filter"
    }

    /// Two lines for a terminal: the text that was parsed, and a caret under the place.
    ///
    /// Of a long text only the surroundings are shown. Characters that would move the cursor or
    /// hide others are replaced.
    pub fn pointer(&self, text: &str) -> String {
        /// How much is shown, and how much of it before the place.
        const WIDTH: usize = 72;
        const BEFORE: usize = 48;

        let place = self.column.saturating_sub(1);
        let start = if place < WIDTH { 0 } else { place - BEFORE };
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
            if at < place {
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

/// Neither a control character nor one of those that change the direction of text or take no room.
fn is_printable(c: char) -> bool {
    !c.is_control()
        && !matches!(
            c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}'
        )
}

/// Whether a terminal draws the character two columns wide: the East Asian blocks and pictures.
fn is_wide(c: char) -> bool {
    matches!(
        c,
        '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}'
            | '\u{f900}'..='\u{faff}' | '\u{fe30}'..='\u{fe6f}' | '\u{ff00}'..='\u{ff60}'
            | '\u{ffe0}'..='\u{ffe6}' | '\u{1f300}'..='\u{1faff}' | '\u{20000}'..='\u{3fffd}'
    )
}
