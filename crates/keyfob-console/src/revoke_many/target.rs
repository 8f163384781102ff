//! What is to be revoked, as an address or a form names it.

use keyfob_api::RevokeTarget;
use keyfob_api::revoke::RevokeFilter;
use keyfob_core::text::{ClientId, Subject};
use keyfob_core::{Filter, FilterError, Timestamp, TokenId};
use maud::{Markup, html};

use crate::fields::{Fields, link};
use crate::widget::text;

/// How many tokens may be named one by one.
const MAX_TOKENS: usize = 200;

/// What is to be revoked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Target {
    /// All that matches a filter, page by page.
    Filter(String),
    /// Everything of a subject, in one step.
    Subject(Subject),
    /// Everything of a client, in one step.
    Client(ClientId),
    /// These tokens, and all that was minted from them.
    Tokens(Vec<TokenId>),
}

/// Why what is named is no target.
#[derive(Debug)]
pub(crate) enum Wrong {
    Filter { text: String, error: FilterError },
    Value(&'static str),
}

impl Target {
    /// Reads what is named; `None` if nothing is.
    pub(crate) fn read(fields: &Fields, now: Timestamp) -> Result<Option<Self>, Wrong> {
        if let Some(filter) = fields.text("filter") {
            return match Filter::parse(filter, now) {
                Ok(_) => Ok(Some(Self::Filter(filter.to_owned()))),
                Err(error) => Err(Wrong::Filter { text: filter.to_owned(), error }),
            };
        }
        if let Some(subject) = fields.text("subject") {
            let subject = subject.parse().map_err(|_| Wrong::Value("This is not a subject."))?;
            return Ok(Some(Self::Subject(subject)));
        }
        if let Some(client) = fields.text("client") {
            let client = client.parse().map_err(|_| Wrong::Value("This is not a client."))?;
            return Ok(Some(Self::Client(client)));
        }
        let tokens: Result<Vec<TokenId>, _> = fields.all("token").map(str::parse).collect();
        match tokens {
            Err(_) => Err(Wrong::Value("This is not the id of a token.")),
            Ok(tokens) if tokens.len() > MAX_TOKENS => {
                Err(Wrong::Value("These are too many tokens to name one by one. Use a filter."))
            }
            Ok(tokens) if tokens.is_empty() => Ok(None),
            Ok(tokens) => Ok(Some(Self::Tokens(tokens))),
        }
    }

    fn pairs(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Filter(filter) => vec![("filter", filter.clone())],
            Self::Subject(subject) => vec![("subject", subject.to_string())],
            Self::Client(client) => vec![("client", client.to_string())],
            Self::Tokens(tokens) => tokens.iter().map(|id| ("token", id.to_string())).collect(),
        }
    }

    /// Returns a path that names this.
    pub(crate) fn address(&self, path: &str) -> String {
        let pairs = self.pairs();
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| (*name, value.as_str())).collect();
        link(path, &pairs)
    }

    /// Returns the fields of a form that name this.
    pub(crate) fn hidden(&self) -> Markup {
        html! {
            @for (name, value) in self.pairs() { input type="hidden" name=(name) value=(value); }
        }
    }

    /// Returns a filter that lists the tokens; `None` for tokens that are named one by one.
    pub(crate) fn filter(&self) -> Option<String> {
        match self {
            Self::Filter(filter) => Some(filter.clone()),
            Self::Subject(subject) => Some(Filter::new().subject(subject.clone()).to_string()),
            Self::Client(client) => Some(Filter::new().client(client.clone()).to_string()),
            Self::Tokens(_) => None,
        }
    }

    /// Returns the target for the API; `None` for tokens that are named one by one.
    pub(crate) fn for_api(&self) -> Option<RevokeTarget> {
        match self {
            Self::Filter(filter) => Some(RevokeTarget::Filter(RevokeFilter {
                filter: filter.clone(),
                ..RevokeFilter::default()
            })),
            Self::Subject(subject) => Some(RevokeTarget::Subject(subject.clone())),
            Self::Client(client) => Some(RevokeTarget::Client(client.clone())),
            Self::Tokens(_) => None,
        }
    }

    /// Returns the words of the command that revokes this; `None` for tokens that are named one by one.
    pub(crate) fn command(&self) -> Option<[String; 3]> {
        let words = |option: &str, value: &str| {
            Some(["revoke".to_owned(), option.to_owned(), value.to_owned()])
        };
        match self {
            Self::Filter(filter) => words("--where", filter),
            Self::Subject(subject) => words("--subject", subject.as_str()),
            Self::Client(client) => words("--client", client.as_str()),
            Self::Tokens(_) => None,
        }
    }

    /// Shows what this is, as a part of a sentence.
    pub(crate) fn named(&self) -> Markup {
        match self {
            Self::Filter(filter) => html! { "all that match " code { (text::visible(filter)) } },
            Self::Subject(subject) => {
                html! { "everything of the subject " strong { (text::short(subject.as_str(), 80)) } }
            }
            Self::Client(client) => {
                html! { "everything of the client " strong { (text::short(client.as_str(), 80)) } }
            }
            Self::Tokens(tokens) if tokens.len() == 1 => html! { "this token" },
            Self::Tokens(tokens) => html! { "these " (tokens.len()) " tokens" },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<Option<Target>, Wrong> {
        Target::read(&Fields::parse(query.as_bytes()), Timestamp::from_millis(0))
    }

    #[test]
    fn an_address_names_what_it_was_made_of() {
        let tokens = ["tok_00d1h88n000000000000000001", "tok_00d1h88n000000000000000002"];
        let tokens = tokens.map(|id| id.parse().unwrap()).to_vec();
        for target in [
            Target::Filter("subject:\"a b\" tag:x".to_owned()),
            Target::Subject("a&b=c d".parse().unwrap()),
            Target::Client("shop".parse().unwrap()),
            Target::Tokens(tokens),
        ] {
            let address = target.address("/x");
            let query = address.strip_prefix("/x?").unwrap();
            assert_eq!(read(query).unwrap(), Some(target));
        }
    }

    #[test]
    fn a_text_that_is_no_target_is_refused() {
        assert!(matches!(read("filter=subjct:a"), Err(Wrong::Filter { .. })));
        assert!(matches!(read("token=nonsense"), Err(Wrong::Value(_))));
        assert!(read("filter=+&subject=").unwrap().is_none());
        let many = "&token=tok_00d1h88n000000000000000001".repeat(MAX_TOKENS + 1);
        assert!(matches!(read(&many), Err(Wrong::Value(_))));
    }

    #[test]
    fn a_subject_is_one_value_of_a_filter() {
        let target = Target::Subject("alice state:revoked".parse().unwrap());
        assert_eq!(target.filter().as_deref(), Some(r#"subject:"alice state:revoked""#));
    }
}
