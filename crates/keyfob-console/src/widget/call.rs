//! Calls of the API that do what a page does, to copy: as `curl`, and as a command.

use maud::{Markup, html};

use super::text;

/// A call of the API.
#[derive(Clone, Debug)]
pub(crate) struct ApiCall {
    method: &'static str,
    /// The path with its query.
    path: String,
    /// The body, if there is one. It has no secret.
    body: Option<String>,
    /// The command that does the same.
    command: Option<String>,
}

impl ApiCall {
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self { method: "GET", path: path.into(), body: None, command: None }
    }

    /// A call that deletes, without a body.
    pub(crate) fn delete(path: impl Into<String>) -> Self {
        Self { method: "DELETE", ..Self::get(path) }
    }

    /// A call that does something, without a body.
    pub(crate) fn post(path: impl Into<String>) -> Self {
        Self { method: "POST", ..Self::get(path) }
    }

    pub(crate) fn send(
        method: &'static str,
        path: impl Into<String>,
        body: &impl serde::Serialize,
    ) -> Self {
        // A body of the API can be written in any case.
        let body = serde_json::to_string(body).ok();
        Self { method, path: path.into(), body, command: None }
    }

    /// Sets the command that does the same: its words, which are quoted for a shell.
    pub(crate) fn command<'a>(self, words: impl IntoIterator<Item = &'a str>) -> Self {
        let words: Vec<_> = ["keyfob"].into_iter().chain(words).map(quoted).collect();
        Self { command: Some(words.join(" ")), ..self }
    }

    /// Returns the call as a line for a shell.
    fn curl(&self) -> String {
        let method =
            if self.method == "GET" { String::new() } else { format!(" -X {}", self.method) };
        let body = match &self.body {
            Some(body) => format!(" -H 'Content-Type: application/json' -d {}", quoted(body)),
            None => String::new(),
        };
        let path = self.path.replace(['"', '$', '`', '\\'], "");
        format!(
            "curl -sS{method} \"$KEYFOB_SERVER{path}\" -H \"Authorization: Bearer $KEYFOB_TOKEN\"{body}"
        )
    }
}

/// Quotes a word for a shell, if it needs that. A word with invisible characters is quoted as bash and zsh
/// read it, so that they can be seen.
pub(crate) fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=@,+".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        return word.to_owned();
    }
    if text::visible(word) == word {
        return format!("'{}'", word.replace('\'', r"'\''"));
    }
    let escaped = word.chars().map(|c| match c {
        '\\' => r"\\".to_owned(),
        '\'' => r"\'".to_owned(),
        c if text::visible(c.encode_utf8(&mut [0; 4])) == c.to_string() => c.to_string(),
        c => format!(r"\U{:08x}", u32::from(c)),
    });
    format!("$'{}'", escaped.collect::<String>())
}

/// Shows calls, folded away.
pub(crate) fn all(calls: &[ApiCall]) -> Markup {
    html! {
        @if !calls.is_empty() {
            details.calls {
                summary { "The same from a shell" }
                p.quiet {
                    "Set " code { "KEYFOB_SERVER" } " to the URL of this server and " code { "KEYFOB_TOKEN" }
                    " to your API key."
                }
                @for call in calls {
                    (copyable(&call.curl()))
                    @if let Some(command) = &call.command { (copyable(command)) }
                }
            }
        }
    }
}

/// Shows a line to copy. A script makes the button work.
pub(crate) fn copyable(line: &str) -> Markup {
    html! {
        div.copyable {
            pre tabindex="0" { code { (line) } }
            button.small type="button" data-copy hidden { "Copy" }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_leave_its_word() {
        assert_eq!(quoted("subject:alice"), "subject:alice");
        assert_eq!(quoted("it's $(rm -rf)"), r"'it'\''s $(rm -rf)'");
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted("a\u{202e}'\\"), r"$'a\U0000202e\'\\'");
    }

    #[test]
    fn a_call_is_a_line_for_a_shell() {
        let call =
            ApiCall::get("/v1/tokens?filter=subject%3Aalice").command(["list", "subject:a b"]);
        assert_eq!(
            call.curl(),
            "curl -sS \"$KEYFOB_SERVER/v1/tokens?filter=subject%3Aalice\" -H \"Authorization: Bearer $KEYFOB_TOKEN\""
        );
        assert_eq!(call.command.as_deref(), Some("keyfob list 'subject:a b'"));
        let call = ApiCall::send("POST", "/v1/revoke", &serde_json::json!({"reason": "it's"}));
        assert!(call.curl().ends_with(r#"-d '{"reason":"it'\''s"}'"#));
    }
}
