//! Makes untrusted text safe to read for a person.

use std::borrow::Cow;
use std::fmt::Write;

use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory, GeneralCategoryGroup};
use icu_properties::{CodePointMapData, CodePointSetData};

/// Escapes each character that is invisible, reorders text or moves the cursor, as `\u{202e}`.
///
/// A character is escaped by its Unicode properties: all control, format, private and unassigned
/// characters, all separators but the space, and everything that is ignorable by default, such as
/// variation selectors, tags and fillers. Two different texts never give the same result: a
/// backslash that could be taken for the start of an escape is doubled.
///
/// Escape a text where a person reads it. Machines need the text itself, as in JSON.
///
/// ```
/// use keyfob::values::escape_invisible;
///
/// assert_eq!(escape_invisible("Jane Doe — 東京"), "Jane Doe — 東京");
/// assert_eq!(escape_invisible("alice\u{200b}"), r"alice\u{200b}");
/// assert_eq!(escape_invisible(r"alice\u{200b}"), r"alice\\u{200b}");
/// ```
pub fn escape_invisible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_invisible) && !text.contains("\\u{") {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    let mut backslashes = 0;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        if c == '\\' {
            backslashes += 1;
            continue;
        }
        let is_escaped = is_invisible(c);
        let like_escape = is_escaped || (c == 'u' && rest.peek() == Some(&'{'));
        let factor = if like_escape { 2 } else { 1 };
        shown.extend(std::iter::repeat_n('\\', backslashes * factor));
        backslashes = 0;
        if is_escaped {
            // Writing to a string does not fail.
            let _ = write!(shown, "\\u{{{:x}}}", u32::from(c));
        } else {
            shown.push(c);
        }
    }
    shown.extend(std::iter::repeat_n('\\', backslashes));
    Cow::Owned(shown)
}

fn is_invisible(c: char) -> bool {
    /// Empty, without a property that says so.
    const BRAILLE_BLANK: char = '\u{2800}';
    const GROUPS: GeneralCategoryGroup =
        GeneralCategoryGroup::Other.union(GeneralCategoryGroup::Separator);

    if c.is_ascii() {
        return c.is_ascii_control();
    }
    GROUPS.contains(CodePointMapData::<GeneralCategory>::new().get(c))
        || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
        || c == BRAILLE_BLANK
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn invisible_and_reordering_characters_are_escaped() {
        for c in [
            '\0',
            '\u{1b}',
            '\u{7f}',
            '\u{85}',
            '\u{9b}',
            '\u{a0}',
            '\u{ad}',
            '\u{34f}',
            '\u{61c}',
            '\u{115f}',
            '\u{17b4}',
            '\u{180b}',
            '\u{180e}',
            '\u{2003}',
            '\u{200b}',
            '\u{200d}',
            '\u{200f}',
            '\u{2028}',
            '\u{2029}',
            '\u{202a}',
            '\u{202e}',
            '\u{2060}',
            '\u{2066}',
            '\u{2069}',
            '\u{206f}',
            '\u{2800}',
            '\u{3000}',
            '\u{3164}',
            '\u{e000}',
            '\u{fe0f}',
            '\u{feff}',
            '\u{ffa0}',
            '\u{fff9}',
            '\u{ffff}',
            '\u{1d173}',
            '\u{e0001}',
            '\u{e0041}',
            '\u{e0100}',
            '\u{10ffff}',
        ] {
            let expected = format!("a\\u{{{:x}}}b", u32::from(c));
            assert_eq!(escape_invisible(&format!("a{c}b")), expected);
        }
        for text in ["", "a b", "Ünal", "東京", "שלום", "e\u{301}", "🙂", "—", r"CORP\jane", r"\\u"]
        {
            assert!(
                matches!(escape_invisible(text), Cow::Borrowed(same) if same == text),
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn the_result_can_be_read_back(text in r"([\\u{}20beé\x{200b}\x{202e}]|\PC){0,24}") {
            let shown = escape_invisible(&text);
            prop_assert!(!shown.contains(is_invisible));
            prop_assert_eq!(read_back(&shown), text);
        }
    }

    /// Reverses the escapes.
    fn read_back(shown: &str) -> String {
        let mut text = String::new();
        let mut rest = shown;
        while let Some(start) = rest.find('\\') {
            text.push_str(&rest[..start]);
            rest = &rest[start..];
            let run = rest.len() - rest.trim_start_matches('\\').len();
            let after = &rest[run..];
            let is_doubled = after.starts_with("u{");
            text.push_str(&"\\".repeat(if is_doubled { run / 2 } else { run }));
            rest = after;
            if is_doubled && run % 2 == 1 {
                let (code, after) = after[2..].split_once('}').unwrap();
                text.push(char::from_u32(u32::from_str_radix(code, 16).unwrap()).unwrap());
                rest = after;
            }
        }
        text + rest
    }
}
