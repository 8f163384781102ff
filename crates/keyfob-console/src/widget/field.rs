//! Fields of a form, each with its label, a hint, and what is wrong with its value.

use maud::{Markup, html};

use super::text;

/// A field of a form.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Field<'a> {
    /// The name in the form; also the id in the page.
    pub(crate) name: &'a str,
    pub(crate) label: &'a str,
    pub(crate) hint: &'a str,
    pub(crate) value: &'a str,
    /// What is wrong with the value.
    pub(crate) wrong: Option<&'a str>,
    pub(crate) is_required: bool,
}

/// What is said at every field for the reason of a revocation.
pub(crate) const REASON_HINT: &str = "It is kept with each token. The person may read it, word for word: it answers \
                                      “why was I logged out?”.";

/// Marks the label of a field that may not be empty.
pub(crate) fn required() -> Markup {
    html! { span.quiet.mark { "(required)" } }
}

/// A value that a form cannot take: of which field, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Wrong {
    pub(crate) field: &'static str,
    pub(crate) text: String,
}

impl Wrong {
    pub(crate) fn new(field: &'static str, text: impl ToString) -> Self {
        Self { field, text: text.to_string() }
    }

    /// Returns what is wrong with a field.
    pub(crate) fn of<'a>(wrongs: &'a [Self], field: &str) -> Option<&'a str> {
        wrongs.iter().find(|wrong| wrong.field == field).map(|wrong| wrong.text.as_str())
    }
}

/// Shows a field of one line.
pub(crate) fn line(field: Field<'_>, max_length: usize) -> Markup {
    let Field { name, label, value, wrong, .. } = field;
    html! {
        div.field {
            label for=(name) { (label) @if field.is_required { " " (required()) } }
            input type="text" id=(name) name=(name) value=(value) maxlength=(max_length) autocomplete="off"
                spellcheck="false" autocapitalize="off" aria-invalid=[wrong.map(|_| "true")]
                required[field.is_required] aria-describedby=[described_by(field)];
            (notes(field))
        }
    }
}

/// Shows a field of several lines.
pub(crate) fn lines(field: Field<'_>, rows: usize) -> Markup {
    let Field { name, label, value, wrong, .. } = field;
    html! {
        div.field {
            label for=(name) { (label) }
            // A browser leaves out a line break after the tag: the first line may be empty.
            textarea id=(name) name=(name) rows=(rows) autocomplete="off" spellcheck="false" autocapitalize="off"
                aria-invalid=[wrong.map(|_| "true")] aria-describedby=[described_by(field)] { "\n" (value) }
            (notes(field))
        }
    }
}

/// Returns the id of what is said about a field, if anything is.
fn described_by(field: Field<'_>) -> Option<String> {
    let is_described = field.wrong.is_some() || !field.hint.is_empty() || has_invisible(field);
    is_described.then(|| format!("{}-note", field.name))
}

/// Returns whether the value has characters that nobody sees in the field.
fn has_invisible(field: Field<'_>) -> bool {
    field.value.split('\n').any(|line| {
        let line = line.trim_end_matches('\r');
        text::visible(line) != line
    })
}

fn notes(field: Field<'_>) -> Markup {
    html! {
        @if let Some(id) = described_by(field) {
            div id=(id) {
                @if let Some(wrong) = field.wrong { p.wrong { (text::visible(wrong)) } }
                @if !field.hint.is_empty() { p.quiet { (field.hint) } }
                @if has_invisible(field) {
                    p.quiet { "With invisible characters made visible: " (text::value(field.value)) }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_shown_at_its_field() {
        let field = Field { name: "ip", label: "Address", value: "<x>", ..Field::default() };
        let plain = line(field, 64).into_string();
        assert!(plain.contains("value=\"&lt;x&gt;\"") && !plain.contains("aria-"));
        let wrong = line(Field { wrong: Some("no address"), ..field }, 64).into_string();
        assert!(wrong.contains("aria-describedby=\"ip-note\"") && wrong.contains("aria-invalid"));
        assert!(wrong.contains("id=\"ip-note\"") && wrong.contains("no address"));
    }

    #[test]
    fn invisible_characters_are_pointed_out() {
        let field = Field { name: "app", value: "a\u{202e}b", ..Field::default() };
        assert!(line(field, 64).into_string().contains(r"a\u{202e}b"));
        let lines = lines(Field { value: "a\r\nb", ..field }, 2).into_string();
        assert!(!lines.contains("invisible"));
    }

    #[test]
    fn an_empty_first_line_is_kept() {
        let field = Field { name: "tags", value: "\na", ..Field::default() };
        assert!(lines(field, 2).into_string().contains(">\n\na</textarea>"));
    }
}
