//! Texts that come from tokens: nothing in them is invisible, and nothing reorders the page.

use std::borrow::Cow;

use keyfob_core::values::visible::escape_invisible;
use maud::{Markup, html};

/// How many characters of a long text are shown before the rest is folded away.
const SHOWN_CHARS: usize = 120;

/// Returns a text with its invisible characters made visible. maud escapes what HTML means.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    escape_invisible(text)
}

/// Shows a text on its own: isolated, so that one from right to left keeps its place.
pub(crate) fn bdi(text: &str) -> Markup {
    html! { bdi { (visible(text)) } }
}

/// Shows a value that may be long: the rest opens by a click.
pub(crate) fn value(text: &str) -> Markup {
    let text = visible(text);
    match text.char_indices().nth(SHOWN_CHARS) {
        None => bdi_of(&text),
        Some((end, _)) => html! {
            details.long { summary { (bdi_of(&text[..end])) "…" } (bdi_of(&text)) }
        },
    }
}

/// Shows a value in one line, cut where it is long. The whole one is its title.
pub(crate) fn short(text: &str, max_chars: usize) -> Markup {
    let text = visible(text);
    match text.char_indices().nth(max_chars) {
        None => bdi_of(&text),
        Some((end, _)) => html! { bdi title=(text) { (&text[..end]) "…" } },
    }
}

/// Returns a number with the name of what is counted, such as `1 token` or `2 tokens`.
pub(crate) fn counted(count: u64, name: &str) -> String {
    if count == 1 { format!("1 {name}") } else { format!("{count} {name}s") }
}

fn bdi_of(text: &str) -> Markup {
    html! { bdi { (text) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_and_direction_are_only_text() {
        let shown = value("<script>alert(1)</script>\u{202e}").into_string();
        assert_eq!(shown, r"<bdi>&lt;script&gt;alert(1)&lt;/script&gt;\u{202e}</bdi>");
    }

    #[test]
    fn one_is_in_the_singular() {
        let counts = [0, 1, 2].map(|count| counted(count, "token"));
        assert_eq!(counts, ["0 tokens", "1 token", "2 tokens"]);
    }

    #[test]
    fn a_long_value_is_folded_at_a_character() {
        let shown = value(&"é".repeat(4_096)).into_string();
        assert!(shown.starts_with("<details"));
        assert!(short("ééé", 2).into_string().ends_with("éé…</bdi>"));
    }
}
