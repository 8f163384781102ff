//! Parsing of the text form, and the errors of invalid text.

use super::{NOW, at, parse};
use crate::filter::{Filter, FilterBindings, FilterError};
use crate::token::Kind;

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

#[test]
fn an_impossible_time_is_refused_with_the_reason() {
    for (text, says) in [
        ("9999-12-31", "'expires-before' is out of range: use 1970-01-01T00:00:00Z to 9999-12-30"),
        ("1969-12-31", "'expires-before' is out of range"),
        ("+200000d", "'expires-before' is out of range: use at least 1 ms"),
        ("2027-06-01T00:00:00-05:00[Europe/Berlin]", "'expires-before' is not possible"),
    ] {
        let refused = Filter::parse(&format!("expires-before:{text}"), NOW).unwrap_err();
        assert!(refused.to_string().contains(says), "{refused}");
    }
}

#[test]
fn a_filter_that_is_kept_has_no_condition_that_depends_on_the_time() {
    let parse = |text: &str| Filter::parse_timeless(text, &FilterBindings::new());
    for (text, column) in [
        ("tag:a state:active", 7),
        ("state:nonsense", 1),
        ("issued-after:now", 14),
        ("expires-before:+1h", 16),
        ("tag:a issued-before:-7d", 21),
    ] {
        let refused = parse(text).unwrap_err();
        assert_eq!(refused.column(), column, "{text}");
        assert!(refused.to_string().contains("depends on the time"), "{refused}");
    }
    for text in ["kind:api-key issued-after:2026-11-24", "expires-before:2026-11-24T09:30:00+01:00"]
    {
        let kept = parse(text).unwrap();
        assert_eq!(Ok(kept.clone()), Filter::parse(text, NOW));
        assert_eq!(Ok(&kept), parse(&kept.to_string()).as_ref());
    }
    assert_eq!(parse("issued-after:7d").unwrap_err().column(), 14);
    assert!(parse("subject:$who").unwrap_err().is_not_bound());
}

fn bound(text: &str, values: &[(&str, &str)]) -> Result<Filter, FilterError> {
    let empty = FilterBindings::new();
    let bindings = values.iter().fold(empty, |all, (name, value)| all.bind(name, *value).unwrap());
    Filter::parse_with(text, NOW, &bindings)
}

#[test]
fn a_bound_value_with_any_content_is_one_value() {
    for value in [
        "alice state:revoked",
        "x kind:refresh",
        "\"",
        "a\" kind:refresh \"",
        "\\",
        "$who",
        "a,b",
        " ",
        "名前",
    ] {
        let filter = bound("subject:$who kind:access", &[("who", value)]).unwrap();
        assert_eq!(filter, Filter::new().subject(value).kind(Kind::Access), "{value}");
        assert_eq!(parse(&filter.to_string()), filter, "{filter}");
        let filter = bound("label:team=$t label:x=1", &[("t", value)]).unwrap();
        assert_eq!(filter, Filter::new().label("team", value).label("x", "1"), "{value}");
        assert_eq!(parse(&filter.to_string()), filter, "{filter}");
    }
    let twice = bound("subject:$u any-tag:$u any-tag:b", &[("u", "a b")]).unwrap();
    assert_eq!(twice, Filter::new().subject("a b").any_tag("a b").any_tag("b"));
    let time = bound("issued-after:$since", &[("since", "-7d")]).unwrap();
    assert_eq!(time, parse("issued-after:-7d"));
}

#[test]
fn a_binding_that_does_not_fit_is_refused_without_its_value() {
    let check = |text: &str, values: &[(&str, &str)], column: usize, says: &str| {
        let refused = bound(text, values).unwrap_err();
        assert!(refused.to_string().contains(says), "{text}: {refused}");
        assert_eq!(refused.column(), column, "{text}");
        assert!(!format!("{refused:?}{refused}").contains("hunter2"), "{refused:?}");
    };
    check("subject:$who", &[], 9, "no value is bound to '$who'");
    check("tag:a subject:$", &[], 15, "no value is bound to this name");
    check("subject:$5.00", &[("who", "a")], 9, "double quotes");
    check("subject:a", &[("who", "hunter2")], 1, "'who', but the filter has no '$who'");
    check("subject:\"$who\"", &[("who", "a")], 1, "has no '$who'");
    check("kind:$k", &[("k", "access,refresh")], 6, "the value of '$k': kind is malformed");
    check("id:$i", &[("i", "hunter2 ü")], 4, "the value of '$i': ");
    check("label:a=$v", &[("v", "")], 9, "the value of '$v': label value is empty");
    check("label:$v", &[("v", "a=b")], 7, "a label is a key and a value");
    check("subject:a subject:$s", &[("s", "b")], 11, "was given at column 1");
    check("issued-after:$t", &[("t", "hunter2")], 14, "the value of '$t': 'issued-after' takes");
    assert_eq!(parse("subject:\"$who\""), Filter::new().subject("$who"));
    assert!(FilterBindings::new().bind("a b", "x").is_err());
    assert!(FilterBindings::new().bind("", "x").is_err());
    let twice = FilterBindings::new().bind("a", "hunter2").unwrap();
    assert!(!format!("{twice:?}").contains("hunter2"));
    assert!(twice.bind("a", "y").is_err());
}

/// Returns the text with a caret under the error position, and the message, as on a terminal.
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
        "label:team=\"a\\u{9}b\"\n\
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
    let shown = r"subject:名前\u{1b}[2J\u{202e} x";
    assert_eq!(refused.pointer(text), format!("{shown}\n        ^"));
    let text = "subject:a\u{202e}\u{e0041}e\u{301}\u{3164} x";
    let refused = Filter::parse(text, NOW).unwrap_err();
    let shown = "subject:a\\u{202e}\\u{e0041}e\u{301}\\u{3164} ";
    assert_eq!(refused.pointer(text), format!("{shown}x\n{}^", " ".repeat(shown.len() - 2)));
    let hidden = format!("subject:a{} x {}", "\u{200b}".repeat(60), "\u{200b}".repeat(90));
    let refused = Filter::parse(&hidden, NOW).unwrap_err();
    let lines: Vec<_> = refused.pointer(&hidden).lines().map(|l| l.chars().count()).collect();
    assert!(lines.iter().all(|width| *width <= 80), "{lines:?}");
    let text = "subject:名前 x";
    let refused = Filter::parse(text, NOW).unwrap_err();
    assert_eq!(refused.pointer(text), "subject:名前 x\n             ^");
    // A different text than the parsed one also gives a result.
    assert_eq!(refused.pointer(""), "\n^");
}

#[test]
fn a_text_that_is_too_long_is_not_read() {
    let text = "ü".repeat(Filter::MAX_BYTES);
    let refused = Filter::parse(&text, NOW).unwrap_err();
    assert_eq!(refused.column(), Filter::MAX_BYTES / 2 + 1);
    assert!(refused.to_string().contains("8192"), "{refused}");
}
