//! Forms: bodies of the type `application/x-www-form-urlencoded`.

/// The parameters of a form. Each has one value (RFC 6749 section 3.1), except for those of
/// [`REPEATABLE`]. One without a value counts as left out. `Debug` shows names only.
#[derive(Clone, PartialEq, Eq, Default)]
pub(crate) struct Form(Vec<(String, String)>);

/// The parameters that may be given more than once (RFC 8693 section 2.1, RFC 8707 section 2).
const REPEATABLE: [&str; 2] = ["audience", "resource"];

/// Why a form is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BadForm {
    NotUtf8,
    Repeated,
    TooMany,
}

/// The maximum number of parameters.
const MAX_PARAMETERS: usize = 64;

impl BadForm {
    pub(crate) const fn message(self) -> &'static str {
        match self {
            Self::NotUtf8 => "the form is not UTF-8",
            Self::Repeated => "a parameter is given more than once",
            Self::TooMany => "there are too many parameters",
        }
    }
}

impl Form {
    /// Parses a body.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, BadForm> {
        let mut parameters = Vec::<(String, String)>::new();
        let pairs = body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
        for (count, pair) in pairs.enumerate() {
            if count == MAX_PARAMETERS {
                return Err(BadForm::TooMany);
            }
            let (name, value) = pair_of(pair)?;
            let is_repeated = || parameters.iter().any(|(known, _)| *known == name);
            if !REPEATABLE.contains(&&*name) && is_repeated() {
                return Err(BadForm::Repeated);
            }
            parameters.push((name, value));
        }
        Ok(Self(parameters))
    }

    /// Returns the names of the parameters.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// Returns the value of a parameter.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.get_all(name).next()
    }

    /// Returns the values of a parameter that may be given more than once.
    pub(crate) fn get_all(&self, name: &str) -> impl Iterator<Item = &str> {
        let is_given = move |(known, value): &&(String, String)| known == name && !value.is_empty();
        self.0.iter().filter(is_given).map(|(_, value)| value.as_str())
    }
}

/// Decodes a pair. A sequence that is not UTF-8 is refused, and not replaced.
fn pair_of(pair: &[u8]) -> Result<(String, String), BadForm> {
    let (name, value) = form_urlencoded::parse(pair).next().unwrap_or_default();
    // The decoder puts U+FFFD where the bytes are not UTF-8.
    let had_it = |text: &str| text.contains('\u{fffd}');
    if had_it(&name) || had_it(&value) {
        return Err(BadForm::NotUtf8);
    }
    Ok((name.into_owned(), value.into_owned()))
}

impl std::fmt::Debug for Form {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded() {
        let form = Form::parse(b"token=a%20b+c&x=%F0%9F%94%91&empty=&&no").unwrap();
        assert_eq!(form.get("token"), Some("a b c"));
        assert_eq!(form.get("x"), Some("\u{1f511}"));
        assert_eq!((form.get("empty"), form.get("no"), form.get("other")), (None, None, None));
    }

    #[test]
    fn an_ambiguous_form_is_refused() {
        assert_eq!(Form::parse(b"token=a&token=a"), Err(BadForm::Repeated));
        assert_eq!(Form::parse(b"token=a&tok%65n="), Err(BadForm::Repeated));
        assert_eq!(Form::parse(b"token=%ff"), Err(BadForm::NotUtf8));
        assert_eq!(Form::parse(b"\xc3\x28=a"), Err(BadForm::NotUtf8));
        assert_eq!(Form::parse(b"audience=a&audience=b").unwrap().get_all("audience").count(), 2);
        let many: Vec<_> = (0..=MAX_PARAMETERS).map(|n| format!("p{n}=1")).collect();
        assert_eq!(Form::parse(many.join("&").as_bytes()), Err(BadForm::TooMany));
    }

    #[test]
    fn debug_output_hides_values() {
        let form = Form::parse(b"client_secret=hunter2").unwrap();
        assert_eq!(format!("{form:?}"), r#"{"client_secret"}"#);
    }
}
