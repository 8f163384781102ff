//! Demands as a form names them, and as the API takes them.

use std::fmt::Display;
use std::str::FromStr;

use keyfob_api::{ExplainBody, OneOf, ProvenKey};
use keyfob_core::{Kind, Name, NameSet};

use crate::fields::Fields;
use crate::widget::field::Wrong;

/// The names of the fields of a form with demands, in order.
pub(crate) const NAMES: [&str; 13] = [
    "kind",
    "issuer",
    "audience",
    "scopes",
    "any_scopes",
    "max_age",
    "claims",
    "device_id",
    "jkt",
    "x5t_s256",
    "clock_skew",
    "chain",
    "strong",
];

/// Demands: the texts of a form, and what they mean.
#[derive(Clone, Debug, Default)]
pub(crate) struct Demands {
    texts: Fields,
    /// The demands, without the token. If something is wrong, those that are not.
    pub(crate) body: ExplainBody,
    pub(crate) wrongs: Vec<Wrong>,
}

impl Demands {
    /// Reads demands from a query or a form.
    pub(crate) fn read(texts: &Fields) -> Self {
        let mut read = Reading { texts, wrongs: Vec::new() };
        let body = ExplainBody {
            chain: texts.text("chain").map(str::to_owned),
            kind: OneOf::from(read.each_word("kind")),
            issuer: OneOf::from(read.each_line("issuer")),
            audience: OneOf::from(read.each_line("audience")),
            scopes: read.set("scopes"),
            any_scopes: read.set("any_scopes"),
            max_age: read.one("max_age"),
            claims: read.each_line("claims"),
            device_id: read.one("device_id"),
            cnf: read.key(),
            clock_skew: read.one("clock_skew"),
            strong: texts.has("strong"),
            ..ExplainBody::default()
        };
        Self { texts: texts.clone(), body, wrongs: read.wrongs }
    }

    /// Returns the text of a field, as it was typed.
    pub(crate) fn text<'a>(&'a self, name: &'a str) -> &'a str {
        self.texts.all(name).next().unwrap_or_default()
    }

    /// Returns whether something is demanded beyond the state of the token.
    pub(crate) fn is_empty(&self) -> bool {
        self.pairs().next().is_none()
    }

    /// Returns the fields that have a value.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        let known = self.texts.iter().filter(|(name, _)| NAMES.contains(name));
        known.filter(|(_, value)| !value.trim().is_empty())
    }

    pub(crate) fn accepts_kind(&self, kind: Kind) -> bool {
        self.body.kind.iter().any(|accepted| *accepted == kind)
    }

    /// Notes that the server does not take a field.
    pub(crate) fn refuse(&mut self, field: &'static str, why: impl Display) {
        self.wrongs.push(Wrong::new(field, why));
    }

    pub(crate) fn wrong(&self, field: &str) -> Option<&str> {
        Wrong::of(&self.wrongs, field)
    }
}

/// Reads fields, and notes what is wrong with them.
struct Reading<'a> {
    texts: &'a Fields,
    wrongs: Vec<Wrong>,
}

impl Reading<'_> {
    fn one<T: FromStr<Err: Display>>(&mut self, name: &'static str) -> Option<T> {
        let parsed = self.texts.text(name)?.parse();
        self.value(name, parsed)
    }

    /// Reads the key that was proven.
    fn key(&mut self) -> Option<ProvenKey> {
        let jkt = self.one("jkt").map(ProvenKey::Jkt);
        let certificate = self.one("x5t_s256").map(ProvenKey::CertificateThumbprint);
        if jkt.is_some() && certificate.is_some() {
            self.wrongs.push(Wrong::new("x5t_s256", "name either a key or a certificate"));
        }
        jkt.or(certificate)
    }

    fn each_line<T: FromStr<Err: Display>>(&mut self, name: &'static str) -> Vec<T> {
        self.each(name, &['\n'])
    }

    fn each_word<T: FromStr<Err: Display>>(&mut self, name: &'static str) -> Vec<T> {
        self.each(name, &['\n', '\r', '\t', ' '])
    }

    /// Reads the parts of all fields with a name.
    fn each<T: FromStr<Err: Display>>(
        &mut self,
        name: &'static str,
        separators: &[char],
    ) -> Vec<T> {
        let texts = self.texts;
        let parts = texts.all(name).flat_map(|text| text.split(separators)).map(str::trim);
        let parsed = parts.filter(|part| !part.is_empty()).map(str::parse);
        parsed.filter_map(|parsed| self.value(name, parsed)).collect()
    }

    fn set<T: Name + FromStr<Err: Display>>(&mut self, name: &'static str) -> NameSet<T> {
        let set = NameSet::from_names(self.each_word(name));
        self.value(name, set).unwrap_or_default()
    }

    fn value<T, E: Display>(&mut self, name: &'static str, parsed: Result<T, E>) -> Option<T> {
        match parsed {
            Ok(value) => Some(value),
            Err(error) => {
                self.wrongs.push(Wrong::new(name, error));
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(form: &str) -> Demands {
        Demands::read(&Fields::parse(form.as_bytes()))
    }

    #[test]
    fn a_form_names_demands() {
        let demands = read(
            "kind=access&kind=session&audience=shop%0D%0AThe+bank%0D%0A&scopes=read++write&max_age=1h\
             &claims=&strong=on",
        );
        assert!(demands.wrongs.is_empty(), "{:?}", demands.wrongs);
        let body = serde_json::to_string(&demands.body).unwrap();
        assert_eq!(
            body,
            r#"{"audience":["shop","The bank"],"scopes":["read","write"],"kind":["access","session"],"max_age":"1h","strong":true}"#
        );
        assert!(demands.accepts_kind(Kind::Access) && !demands.accepts_kind(Kind::Refresh));
        assert!(!demands.is_empty() && read("kind=&strong=").is_empty());
    }

    #[test]
    fn a_proven_key_is_one_of_two_kinds() {
        let key = |form: &str| serde_json::to_string(&read(form).body).unwrap();
        assert_eq!(key("jkt=abc&x5t_s256="), r#"{"cnf":{"jkt":"abc"}}"#);
        assert_eq!(key("x5t_s256=+abc+"), r#"{"cnf":{"x5t#S256":"abc"}}"#);
        assert!(read("jkt=abc&x5t_s256=abc").wrong("x5t_s256").is_some());
    }

    #[test]
    fn a_wrong_demand_is_shown_at_its_field() {
        let demands = read("max_age=soon&scopes=a%22b&audience=shop");
        assert!(demands.wrong("max_age").is_some() && demands.wrong("scopes").is_some());
        assert_eq!(demands.wrong("audience"), None);
        assert_eq!(demands.text("max_age"), "soon");
    }
}
