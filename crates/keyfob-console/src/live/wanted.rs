//! What the page of events is asked for.

use keyfob_client::EventsQuery;
use keyfob_core::TokenId;

use crate::fields::link;
use crate::visit::Visit;

/// The path of the page.
pub(super) const PATH: &str = "/console/live";

/// Which events a page is asked for: what its address says.
pub(super) struct Wanted {
    pub(super) kind: String,
    pub(super) token: Option<TokenId>,
    /// Where reading began: a time, or `start`.
    pub(super) from: Option<String>,
}

impl Wanted {
    pub(super) fn of(visit: &Visit) -> Self {
        let text = |name| visit.query.text(name).map(str::to_owned);
        Self {
            kind: text("type").unwrap_or_default(),
            token: visit.query.text("token").and_then(|text| text.parse().ok()),
            from: text("from").or_else(|| text("after")),
        }
    }

    pub(super) fn select(&self, query: EventsQuery) -> EventsQuery {
        let query = if self.kind.is_empty() { query } else { query.kind(&self.kind) };
        match self.token {
            Some(token) => query.token(token),
            None => query,
        }
    }

    pub(super) fn token_text(&self) -> String {
        self.token.map(|token| token.to_string()).unwrap_or_default()
    }

    fn address(&self, token: &str, after: &str, from: &str) -> String {
        let query =
            [("type", self.kind.as_str()), ("token", token), ("after", after), ("from", from)];
        link(PATH, &query)
    }

    pub(super) fn live(&self) -> String {
        self.address(&self.token_text(), "", "")
    }

    pub(super) fn stored_from(&self, from: &str) -> String {
        self.address(&self.token_text(), from, "")
    }

    pub(super) fn stored_after(&self, cursor: &str) -> String {
        self.address(&self.token_text(), cursor, self.from.as_deref().unwrap_or_default())
    }

    /// Returns the same of all tokens.
    pub(super) fn of_all_tokens(&self) -> String {
        self.address("", self.from.as_deref().unwrap_or_default(), "")
    }
}
