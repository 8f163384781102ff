//! Finds bearers among the arguments before anything is parsed, so that no error repeats them.

use keyfob::{BearerPrefix, BearerToken, TokenId};

/// The minimum number of characters after the kind for a text to count as a bearer, also a partial
/// one.
const MIN_CHARACTERS: usize = 40;

/// A bearer that was given as an argument.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct LeakedBearer {
    /// The id of its token, if the bearer is complete.
    pub(crate) id: Option<TokenId>,
}

/// Finds the first bearer in a text, with any prefix.
pub(crate) fn find_bearer(text: &str) -> Option<LeakedBearer> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(|c| !is_word(c)).find_map(|word| {
        ["_at_", "_rt_", "_ak_", "_st_"].iter().find_map(|kind| {
            let (before, after) = word.split_once(kind)?;
            let prefix = BearerPrefix::new(before).ok()?;
            if after.len() < MIN_CHARACTERS || after.contains('_') {
                return None;
            }
            Some(LeakedBearer {
                id: BearerToken::parse(word, &prefix).ok().map(|bearer| bearer.id()),
            })
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bearers_are_found_at_any_position() {
        let bearer = format!("fob_at_{}", "A".repeat(61));
        for text in [
            bearer.clone(),
            format!("--subject={bearer}"),
            format!("subject:\"{bearer}\""),
            bearer.replace("fob", "acme"),
            bearer[..60].to_owned(),
        ] {
            assert_eq!(find_bearer(&text), Some(LeakedBearer { id: None }), "{text}");
        }
    }

    #[test]
    fn a_similar_text_is_not_a_bearer() {
        for text in ["fob_at_", "file:/srv/fob_at_home.redb", "tok_00d1h88n000000000000000001"] {
            assert_eq!(find_bearer(text), None, "{text}");
        }
    }
}
