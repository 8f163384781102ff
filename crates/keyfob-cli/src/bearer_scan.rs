//! Finds bearers among the arguments before anything is parsed, so that no error repeats them.
//!
//! Only a text that passes the check of a bearer is one. A name that merely looks like a bearer, such
//! as `deploy_at_` and a commit, is an ordinary argument.

use keyfob::{BearerPrefix, BearerToken, TokenId};

/// What follows the prefix: the marker of a kind.
const KINDS: [&str; 4] = ["_at_", "_rt_", "_ak_", "_st_"];
/// The number of characters after the marker.
const DIGITS: usize = 61;
/// The lengths that the prefix of a service can have.
const PREFIX_LENGTHS: std::ops::RangeInclusive<usize> = 3..=16;

/// Finds the first bearer in a text, with any prefix. Returns the id of its token.
pub(crate) fn find_bearer(text: &str) -> Option<TokenId> {
    let markers = KINDS.iter().flat_map(|kind| text.match_indices(kind));
    markers.map(|(at, kind)| (at, at + kind.len())).find_map(|(at, after)| {
        PREFIX_LENGTHS.filter_map(|length| at.checked_sub(length)).find_map(|start| {
            let prefix = BearerPrefix::new(text.get(start..at)?).ok()?;
            let candidate = text.get(start..after + DIGITS)?;
            BearerToken::parse(candidate, &prefix).ok().map(|bearer| bearer.id())
        })
    })
}

#[cfg(test)]
mod tests {
    use keyfob::Kind;
    use keyfob::bearer::Generation;
    use keyfob::random::SeededRandom;

    use super::*;

    fn draw(prefix: &str, kind: Kind) -> BearerToken {
        let id = "tok_00d1h88n000000000000000001".parse().unwrap();
        let prefix = BearerPrefix::new(prefix).unwrap();
        BearerToken::draw(&prefix, kind, id, Generation::FIRST, &SeededRandom::new(1)).unwrap()
    }

    #[test]
    fn bearers_are_found_at_any_position() {
        for kind in Kind::ALL {
            for prefix in ["fob", "acme", "abcdefghijklmno0"] {
                let bearer = draw(prefix, kind);
                let text = bearer.expose();
                for text in [
                    text.to_owned(),
                    format!("--subject={text}"),
                    format!("subject:\"{text}\""),
                    format!("my_{text}_x"),
                    format!("fob_at_{text}"),
                    format!("ü{text}ü"),
                    format!("{text}{text}"),
                ] {
                    assert_eq!(find_bearer(&text), Some(bearer.id()), "{text}");
                }
            }
        }
    }

    #[test]
    fn a_text_that_does_not_pass_the_check_is_not_a_bearer() {
        let bearer = draw("fob", Kind::Access);
        let text = bearer.expose();
        for text in [
            "fob_at_".to_owned(),
            "file:/srv/fob_at_home.redb".to_owned(),
            "tok_00d1h88n000000000000000001".to_owned(),
            format!("deploy_at_{}", "0123456789abcdef0123456789abcdef01234567"),
            format!("fob_at_{}", "A".repeat(61)),
            format!("fob_at_{}ü", "A".repeat(60)),
            text[..text.len() - 1].to_owned(),
            text.replacen("fob", "fop", 1),
            text.replacen("_at_", "_rt_", 1),
        ] {
            assert_eq!(find_bearer(&text), None, "{text}");
        }
    }
}
