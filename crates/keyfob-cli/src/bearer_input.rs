//! A bearer as it was read from a file or stdin, and what is likely wrong with one that is refused.

use keyfob::bearer::ParseBearerError;
use keyfob::{BearerPrefix, BearerToken};
use keyfob_api::{RefusalBody, SecretText};
use zeroize::Zeroizing;

use crate::bearer_scan::find_bearer;
use crate::encoding::{self, BYTE_ORDER_MARK};
use crate::failure::Failure;
use crate::output::Output;

/// The code of the refusal of a bearer that is malformed.
const MALFORMED: &str = "token_malformed";

/// How much of an input is sent. A bearer is far shorter.
const MAX_SENT_BYTES: usize = 1024;

/// The text of an input, without the white space around it.
#[derive(Debug)]
pub(crate) struct BearerInput {
    source: String,
    bytes: Zeroizing<Vec<u8>>,
}

impl BearerInput {
    /// Takes the bytes of an input.
    pub(crate) fn new(source: String, bytes: Zeroizing<Vec<u8>>) -> Self {
        Self { source, bytes }
    }

    /// The bearer. Input that is not UTF-8 is not a bearer, but it is not empty either: the manager
    /// refuses the replacement character and records the attempt.
    pub(crate) fn as_str(&self) -> &str {
        const NOT_TEXT: &str = "\u{fffd}";
        let text = std::str::from_utf8(&self.bytes).unwrap_or(NOT_TEXT);
        text.trim_matches(|c: char| c.is_whitespace() || c == BYTE_ORDER_MARK)
    }

    /// Adds a hint to the failure of a bearer that is malformed.
    pub(crate) fn failure(&self, failure: Failure, prefix: &BearerPrefix) -> Failure {
        match self.hint(prefix) {
            Some(hint) if failure.code() == MALFORMED => {
                Failure::MalformedBearer { failure: Box::new(failure), hint }
            }
            _ => failure,
        }
    }

    /// The bearer, for a request. A text that is longer than every bearer is cut: a part of it that is
    /// still longer is malformed too.
    pub(crate) fn secret(&self) -> SecretText {
        let text = self.as_str();
        SecretText::new(text.get(..text.floor_char_boundary(MAX_SENT_BYTES)).unwrap_or_default())
    }

    /// Notes the hint, for a command that has reported the refusal on stdout.
    pub(crate) fn note(&self, refusal: &RefusalBody, prefix: &BearerPrefix, output: &Output) {
        if let Some(hint) = self.hint(prefix).filter(|_| refusal.code == MALFORMED) {
            output.note("bearer_form", hint);
        }
    }

    /// The likely fault of a malformed bearer. It repeats no part of the bearer.
    fn hint(&self, prefix: &BearerPrefix) -> Option<String> {
        if encoding::is_utf_16(&self.bytes) {
            return Some(format!("{} cannot be read: {}", self.source, encoding::utf_16()));
        }
        let text = self.as_str();
        let malformed = BearerToken::parse(text, prefix).err()?;
        if malformed == ParseBearerError::Empty {
            return Some(format!("{} is empty. Write the bearer to it", self.source));
        }
        let quotes = ['"', '\'', '`', '\u{201c}', '\u{201d}', '\u{2018}', '\u{2019}'];
        let scheme = text.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("bearer "));
        let header =
            text.get(..14).is_some_and(|start| start.eq_ignore_ascii_case("authorization:"));
        let hint = if scheme || header {
            "leave out 'Bearer ' and everything else in front of the bearer".to_owned()
        } else if text.contains(quotes) {
            "leave out the quotes around the bearer".to_owned()
        } else if text.starts_with("tok_") {
            "this is the id of a token, not its bearer. See it with keyfob show".to_owned()
        } else if text.contains(['\n', '\r']) {
            "give one bearer only, on one line".to_owned()
        } else if let Some((at, c)) = foreign(text) {
            format!(
                "character {at} is U+{:04X}, which no bearer contains. Copy the bearer again",
                u32::from(c)
            )
        } else if find_bearer(text).is_some() {
            format!(
                "this is a whole bearer with another prefix than {prefix}, or with something around \
                 it. If the prefix is right, pass it with --prefix"
            )
        } else {
            return None;
        };
        Some(hint)
    }
}

/// The first character that no bearer has, with its position from 1.
fn foreign(text: &str) -> Option<(usize, char)> {
    let mut characters = text.chars().zip(1..).map(|(c, at)| (at, c));
    characters.find(|(_, c)| !c.is_ascii_alphanumeric() && *c != '_')
}
