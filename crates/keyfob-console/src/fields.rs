//! Names with values: those of a query, and those of a form.

use form_urlencoded::Serializer;

/// Names with values, in order. A name may come several times.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads a query or a form. What is not UTF-8 becomes the replacement character, which no value has.
    pub(crate) fn parse(encoded: &[u8]) -> Self {
        Self(form_urlencoded::parse(encoded).into_owned().collect())
    }

    /// Returns the first value under a name, without spaces around it; `None` if there is none or it is
    /// empty.
    pub(crate) fn text<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.all(name).map(str::trim).find(|value| !value.is_empty())
    }

    /// Returns whether a name is there.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.all(name).next().is_some()
    }

    /// Returns all values under a name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// Returns a path with a query. A pair whose value is empty is left out.
pub(crate) fn link(path: &str, query: &[(&str, &str)]) -> String {
    let mut pairs = query.iter().filter(|(_, value)| !value.is_empty()).peekable();
    if pairs.peek().is_none() {
        return path.to_owned();
    }
    let query = Serializer::new(String::new()).extend_pairs(pairs).finish();
    format!("{path}?{query}")
}

/// Returns a path with one more segment, which may have any characters.
pub(crate) fn below(path: &str, segment: &str) -> String {
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    format!("{path}/{}", utf8_percent_encode(segment, NON_ALPHANUMERIC))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_value_that_is_not_empty_counts() {
        let fields = Fields::parse(b"a=&a=+x+&b=1&b=2&c");
        assert_eq!(fields.text("a"), Some("x"));
        assert_eq!(fields.text("c"), None);
        assert!(fields.has("c") && !fields.has("d"));
        assert_eq!(fields.all("b").collect::<Vec<_>>(), ["1", "2"]);
    }

    #[test]
    fn a_link_encodes_what_it_carries() {
        assert_eq!(
            link("/console", &[("filter", "a&b=c d"), ("cursor", "")]),
            "/console?filter=a%26b%3Dc+d"
        );
        assert_eq!(link("/console", &[("cursor", "")]), "/console");
        assert_eq!(below("/console/subjects", "a/../b?"), "/console/subjects/a%2F%2E%2E%2Fb%3F");
    }
}
