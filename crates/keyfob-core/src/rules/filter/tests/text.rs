//! How the text form is read, and what is said where it cannot be.

use super::{NOW, at, parse};
use crate::filter::Filter;

#[test]
fn times_are_read_in_every_form() {
    for (text, time) in [
        ("2026-11-24T08:30:00Z", "2026-11-24T08:30:00Z"),
        ("2026-11-24T09:30:00+01:00", "2026-11-24T08:30:00Z"),
        ("2026-11-24", "2026-11-24T00:00:00Z"),
        ("now", "2026-11-18T11:06:40Z"),
        ("-7d", "2026-11-11T11:06:40Z"),
        ("+1h", "2026-11-18T12:06:40Z"),
        ("\"+1h 30m\"", "2026-11-18T12:36:40Z"),
        ("-100w", "2024-12-18T11:06:40Z"),
    ] {
        let expected = Filter::new().issued_after(at(time));
        assert_eq!(parse(&format!("issued-after:{text}")), expected, "{text}");
    }
    for text in ["", "7d", "-", "+", "-7", "--7d", "2026-13-01", "2026-11-24T08", "1969-12-31", "0"]
    {
        let refused = Filter::parse(&format!("expires-before:{text}"), NOW).unwrap_err();
        assert_eq!(refused.column(), 16, "{text}");
        assert!(refused.to_string().contains("'expires-before'"), "{refused}");
    }
}

/// Text with a caret under the place, and the message, as a terminal would show them.
fn check_refused(text: &str, expected: &str) {
    let refused = Filter::parse(text, NOW).unwrap_err();
    let shown = format!("{}\n{refused}", refused.pointer(text));
    assert_eq!(shown, expected);
    assert_eq!(refused.code(), "invalid_filter");
}

#[test]
fn a_refusal_shows_the_place_and_says_what_to_do() {
    check_refused(
        "tag:mobile user123",
        "tag:mobile user123\n\
         \x20          ^\n\
         column 12: no ':' here: write each part as key:value, such as subject:user123",
    );
    check_refused(
        "tag:mobile colour:red",
        "tag:mobile colour:red\n\
         \x20          ^\n\
         column 12: unknown key 'colour': use one of kind, state, id, family, subject, issuer, \
         audience, client, device, app, tag, any-tag, label, scope, any-scope, issued-after, \
         issued-before, expires-after, expires-before",
    );
    check_refused(
        "label:",
        "label:\n\
         \x20     ^\n\
         column 7: 'label' has no value: write it right after the ':'",
    );
    check_refused(
        "issued-after: 1h",
        "issued-after: 1h\n\
         \x20            ^\n\
         column 14: 'issued-after' has no value: write it right after the ':' \
         (in a URL, write %2B for '+')",
    );
    check_refused(
        "subject:a tag:b subject:c",
        "subject:a tag:b subject:c\n\
         \x20               ^\n\
         column 17: 'subject' was given at column 1 already: keep one of the two",
    );
    check_refused(
        "tag:x subject:\"Jane Doe",
        "tag:x subject:\"Jane Doe\n\
         \x20             ^\n\
         column 15: this quote is not closed: add a '\"' after the value",
    );
    check_refused(
        "subject:\"Jane\"Doe",
        "subject:\"Jane\"Doe\n\
         \x20             ^\n\
         column 15: the value ended with the quote: put a space here",
    );
    check_refused(
        "subject:\"Ja\\ne\"",
        "subject:\"Ja\\ne\"\n\
         \x20          ^\n\
         column 12: only \\\" and \\\\ are escapes: write \\\\ for a backslash in quotes",
    );
    check_refused(
        "label:production",
        "label:production\n\
         \x20     ^\n\
         column 7: a label is a key and a value: write it as label:environment=production",
    );
    check_refused(
        "subject:\"Jöhn\" kind:access,,refresh",
        "subject:\"Jöhn\" kind:access,,refresh\n\
         \x20                          ^\n\
         column 28: kind is malformed: write access, refresh, api-key or session",
    );
    check_refused(
        "state:\"active,gone\"",
        "state:\"active,gone\"\n\
         \x20             ^\n\
         column 15: state is malformed: write pending, active, revoked, expired or exhausted",
    );
    check_refused(
        "label:team=",
        "label:team=\n\
         \x20          ^\n\
         column 12: label value is empty: give at least one character",
    );
    check_refused(
        "label:team=\"a\tb\"",
        "label:team=\"a\u{fffd}b\"\n\
         \x20           ^\n\
         column 13: label value contains a control character: remove it",
    );
    check_refused(
        "label:a=1 label:a=2",
        "label:a=1 label:a=2\n\
         \x20               ^\n\
         column 17: label is given twice: give each key once",
    );
}

#[test]
fn a_refusal_repeats_no_secret() {
    let bearer = format!("fob_at_{}", "0a".repeat(30));
    for text in
        [bearer.clone(), format!("{bearer}:x"), format!("kind:{bearer}"), format!("id:{bearer}")]
    {
        let refused = Filter::parse(&text, NOW).unwrap_err();
        assert!(!refused.to_string().contains("0a0a"), "{refused}");
        assert!(!format!("{refused:?}").contains("0a0a"), "{refused:?}");
    }
}

#[test]
fn a_long_text_is_shown_around_the_place() {
    let text = format!("subject:{} tga:x {}", "ü".repeat(120), "tag:y ".repeat(20));
    let refused = Filter::parse(&text, NOW).unwrap_err();
    assert_eq!((refused.column(), refused.suggestion()), (130, Some("tag")));
    let shown = refused.pointer(&text);
    let (line, caret) = shown.split_once('\n').unwrap();
    let under = caret.chars().count() - 1;
    assert_eq!(line.chars().skip(under).take(4).collect::<String>(), "tga:");
    assert!(line.starts_with('…') && line.ends_with('…'));
    assert!(line.chars().count() < 80);
}

#[test]
fn a_pointer_is_safe_and_aligned_on_a_terminal() {
    let text = "subject:名前\u{1b}[2J\u{202e} x";
    let refused = Filter::parse(text, NOW).unwrap_err();
    assert_eq!(refused.pointer(text), "subject:名前\u{fffd}[2J\u{fffd} x\n        ^");
    let text = "subject:名前 x";
    let refused = Filter::parse(text, NOW).unwrap_err();
    assert_eq!(refused.pointer(text), "subject:名前 x\n             ^");
    // Of a text that is not the one that was parsed, something is shown nevertheless.
    assert_eq!(refused.pointer(""), "\n^");
}

#[test]
fn a_text_that_is_too_long_is_not_read() {
    let text = "ü".repeat(Filter::MAX_BYTES);
    let refused = Filter::parse(&text, NOW).unwrap_err();
    assert_eq!(refused.column(), Filter::MAX_BYTES / 2 + 1);
    assert!(refused.to_string().contains("8192"), "{refused}");
}
