//! Bearers among the arguments: found before anything is parsed, so that nothing repeats them.

use keyfob::{BearerPrefix, BearerToken, TokenId};

/// How many characters after the kind make a text a bearer, whole or not.
const TELLING: usize = 40;

/// A bearer that was given as an argument.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Leak {
    /// Its token, if the bearer is whole.
    pub(crate) id: Option<TokenId>,
}

/// The first thing in a text that has the form of a bearer, with whatever prefix.
pub(crate) fn find(text: &str) -> Option<Leak> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(|c| !is_word(c)).find_map(|word| {
        ["_at_", "_rt_", "_ak_", "_st_"].iter().find_map(|kind| {
            let (before, after) = word.split_once(kind)?;
            let prefix = BearerPrefix::new(before).ok()?;
            if after.len() < TELLING || after.contains('_') {
                return None;
            }
            Some(Leak { id: BearerToken::parse(word, &prefix).ok().map(|bearer| bearer.id()) })
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bearers_are_found_in_any_place() {
        let bearer = format!("fob_at_{}", "A".repeat(61));
        for text in [
            bearer.clone(),
            format!("--subject={bearer}"),
            format!("subject:\"{bearer}\""),
            bearer.replace("fob", "acme"),
            bearer[..60].to_owned(),
        ] {
            assert_eq!(find(&text), Some(Leak { id: None }), "{text}");
        }
    }

    #[test]
    fn what_only_looks_a_little_like_one_is_left_alone() {
        for text in ["fob_at_", "file:/srv/fob_at_home.redb", "tok_00d1h88n000000000000000001"] {
            assert_eq!(find(text), None, "{text}");
        }
    }
}
