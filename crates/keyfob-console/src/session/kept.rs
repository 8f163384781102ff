//! What a person had typed when the session ended. Signing in gives it back, and nothing is lost.

use http::Method;
use http::request::Parts;
use maud::{Markup, html};

use crate::fields::Fields;
use crate::shared::PREFIX;
use crate::widget::text;

/// The names of fields that have a secret. They are typed again.
const SECRETS: [&str; 2] = ["bearer", "key"];
/// The maximum number of bytes that are kept.
const MAX_BYTES: usize = 64 * 1024;
/// What the names of kept fields begin with in the form for signing in.
const MARK: &str = "kept.";

/// Where to go after signing in, and what had been typed there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kept {
    /// A path of the console, with its query.
    path: String,
    /// The form that was sent there; none, if the page was only looked at.
    fields: Option<Vec<(String, String)>>,
    /// Whether the request followed a link of another site. Browsers send no cookie then.
    pub(super) is_from_elsewhere: bool,
}

impl Kept {
    /// Returns what to keep of a request.
    pub(crate) fn of(parts: &Parts) -> Self {
        let path = parts.uri.path_and_query().map_or("", |path| path.as_str());
        let fields = (parts.method == Method::POST).then(Vec::new);
        let site = parts.headers.get("sec-fetch-site");
        let is_from_elsewhere = site.is_some_and(|site| site == "cross-site");
        Self { path: path.to_owned(), fields, is_from_elsewhere }
    }

    /// Keeps the fields of a form, without its secrets.
    pub(crate) fn remember(&mut self, form: &Fields) {
        let mut bytes = 0;
        let open = form.iter().filter(|(name, _)| !SECRETS.contains(name));
        let kept = open.take_while(|(name, value)| {
            bytes += name.len() + value.len();
            bytes <= MAX_BYTES
        });
        self.fields = Some(kept.map(|(name, value)| (name.to_owned(), value.to_owned())).collect());
    }

    /// Reads what a form for signing in has kept.
    pub(crate) fn read(form: &Fields) -> Self {
        let path = form.text("then").unwrap_or_default();
        let fields = form.iter().filter_map(|(name, value)| {
            Some((name.strip_prefix(MARK)?.to_owned(), value.to_owned()))
        });
        let fields: Vec<_> = fields.collect();
        Self {
            path: path.to_owned(),
            fields: form.has("kept").then_some(fields),
            is_from_elsewhere: false,
        }
    }

    /// Returns the hidden fields that keep it in a form for signing in.
    pub(crate) fn hidden(&self) -> Markup {
        html! {
            input type="hidden" name="then" value=(self.path);
            @if let Some(fields) = &self.fields {
                input type="hidden" name="kept" value="1";
                @for (name, value) in fields {
                    input type="hidden" name={ (MARK) (name) } value=(value);
                }
            }
        }
    }

    /// Returns where to go after signing in: a page of the console, whatever the form says.
    pub(crate) fn path(&self) -> &str {
        let is_own = self.path.strip_prefix(PREFIX).is_some_and(|rest| {
            (rest.is_empty() || rest.starts_with(['/', '?'])) && !rest.contains("/sign-")
        });
        let is_plain =
            self.path.bytes().all(|byte| byte.is_ascii_graphic()) && !self.path.contains('\\');
        if is_own && is_plain { &self.path } else { PREFIX }
    }

    /// Returns a form that does what was interrupted, if it was a change. Nobody's change is made without
    /// one more look at it.
    pub(crate) fn again(&self) -> Option<Markup> {
        let fields = self.fields.as_ref().filter(|_| self.path() == self.path)?;
        let path = self.path.split('?').next().unwrap_or_default();
        Some(html! {
            h1 { "Your session had ended" }
            p { "You are signed in again. What you had typed was not done. Do it now?" }
            form.card method="post" action=(self.path) {
                p { "Page: " code { (text::visible(path)) } }
                @if fields.iter().any(|(_, value)| !value.is_empty()) {
                    dl.facts {
                        @for (name, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
                            dt { (text::visible(name)) }
                            dd { (text::value(value)) }
                        }
                    }
                }
                @for (name, value) in fields {
                    input type="hidden" name=(name) value=(value);
                }
                div.actions {
                    button.primary type="submit" { "Do it" }
                    a.button href=(PREFIX) { "Cancel" }
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(path: &str) -> Kept {
        Kept { path: path.to_owned(), ..Kept::default() }
    }

    #[test]
    fn signing_in_leads_to_pages_of_the_console_only() {
        for path in ["/console", "/console/tokens?filter=a%20b", "/console?x=1"] {
            assert_eq!(to(path).path(), path);
        }
        for path in [
            "",
            "/",
            "//evil.example",
            "https://evil.example",
            "/consoles",
            "/console/sign-out",
            "/console/\u{e9}",
            "/console/a\nb",
            "/console\\\\evil.example",
            "/v1/tokens",
        ] {
            assert_eq!(to(path).path(), PREFIX, "{path}");
        }
    }

    #[test]
    fn secrets_are_not_kept() {
        let mut kept = to("/console/explain");
        kept.remember(&Fields::parse(b"bearer=hunter2&audience=shop"));
        let shown = kept.hidden().into_string();
        assert!(shown.contains("shop") && !shown.contains("hunter2"));
    }
}
