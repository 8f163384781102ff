//! The parameters of the routes that read.

use std::net::IpAddr;

use form_urlencoded::Serializer;
use keyfob_core::id::TokenId;
use keyfob_core::text::{ClientId, Subject};
use keyfob_core::time::{Timestamp, Ttl};

/// Which tokens to list, and how many at a time.
///
/// ```
/// use keyfob_client::ListQuery;
///
/// // A value that comes from elsewhere is bound, so that nothing in it is parsed as a filter.
/// let query = ListQuery::new("subject:$who state:active").bind("who", "Jane Doe").limit(20);
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ListQuery {
    filter: String,
    bind: Vec<(String, String)>,
    limit: Option<usize>,
    order: ListOrder,
    cursor: Option<String>,
    max_time: Option<Ttl>,
}

/// The order of a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ListOrder {
    /// The newest token first.
    #[default]
    Newest,
    /// The token that expires next first.
    Expiring,
}

impl ListQuery {
    /// Selects the tokens that match a filter. An empty one matches all.
    pub fn new(filter: impl Into<String>) -> Self {
        Self { filter: filter.into(), ..Self::default() }
    }

    /// Binds a value to the name `$NAME` in the filter.
    #[must_use]
    pub fn bind(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.bind.push((name.into(), value.into()));
        self
    }

    /// Sets the maximum number of tokens of a page: at most 1,000. Default: 100.
    #[must_use]
    pub fn limit(self, limit: usize) -> Self {
        Self { limit: Some(limit), ..self }
    }

    /// Ends a page after this time, with what was found until then.
    #[must_use]
    pub fn max_time(self, time: Ttl) -> Self {
        Self { max_time: Some(time), ..self }
    }

    /// Sets the order.
    #[must_use]
    pub fn order(self, order: ListOrder) -> Self {
        Self { order, ..self }
    }

    /// Starts after a page: its `next`, with its `filter`.
    #[must_use]
    pub fn after(self, cursor: Option<String>) -> Self {
        Self { cursor, ..self }
    }

    /// Returns the query of the page after one with this cursor and this filter, whose names are bound.
    pub(crate) fn next_page(&self, cursor: String, filter: String) -> Self {
        let (bind, cursor) = (Vec::new(), Some(cursor));
        let Self { limit, order, max_time, .. } = *self;
        Self { filter, bind, limit, order, cursor, max_time }
    }

    /// Returns the path of the list.
    pub(crate) fn path(&self) -> String {
        let mut parameters = Parameters::new("/v1/tokens");
        self.write_filter(&mut parameters);
        parameters.add("limit", self.limit);
        parameters.add("max_time", self.max_time);
        parameters.add("cursor", self.cursor.as_ref());
        if self.order == ListOrder::Expiring {
            parameters.add("order", Some("expiring"));
        }
        parameters.finish()
    }

    /// Returns the path of the count.
    pub(crate) fn count_path(&self) -> String {
        let mut parameters = Parameters::new("/v1/tokens/count");
        self.write_filter(&mut parameters);
        parameters.finish()
    }

    fn write_filter(&self, parameters: &mut Parameters) {
        if !self.filter.is_empty() {
            parameters.add("filter", Some(&self.filter));
        }
        for (name, value) in &self.bind {
            parameters.add(&format!("bind.{name}"), Some(value));
        }
    }
}

/// Which events to read.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct EventsQuery {
    pub(crate) after: Option<String>,
    limit: Option<usize>,
    kind: Option<String>,
    token: Option<TokenId>,
    observations: bool,
}

impl EventsQuery {
    /// Selects all events, from the first one that is stored.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts after a cursor, with `latest` after the last event that is stored now, or with a time (RFC
    /// 3339) before what was written since then.
    #[must_use]
    pub fn after(self, cursor: impl Into<String>) -> Self {
        Self { after: Some(cursor.into()), ..self }
    }

    /// Sets the maximum number of events of a page: at most 1,000. Default: 100.
    #[must_use]
    pub fn limit(self, limit: usize) -> Self {
        Self { limit: Some(limit), ..self }
    }

    /// Selects a type such as `keyfob.token.revoked`, or with a dot at its end, all that start so.
    #[must_use]
    pub fn kind(self, kind: impl Into<String>) -> Self {
        Self { kind: Some(kind.into()), ..self }
    }

    /// Selects the events about a token.
    #[must_use]
    pub fn token(self, token: TokenId) -> Self {
        Self { token: Some(token), ..self }
    }

    /// Starts before what was written at this time or later.
    #[must_use]
    pub fn since(self, time: Timestamp) -> Self {
        self.after(time.to_string())
    }

    /// Selects observations instead: refusals, replays, expiries, sampled uses. They are read by page
    /// only.
    #[must_use]
    pub fn observations(self) -> Self {
        Self { observations: true, ..self }
    }

    pub(crate) fn path(&self) -> String {
        let mut parameters = Parameters::new("/v1/events");
        parameters.add("after", self.after.as_ref());
        parameters.add("limit", self.limit);
        parameters.add("type", self.kind.as_ref());
        parameters.add("token", self.token);
        parameters.add("observations", self.observations.then_some("true"));
        parameters.finish()
    }
}

/// Whose limits to show.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LimitsQuery {
    token: Option<TokenId>,
    subject: Option<Subject>,
    client: Option<ClientId>,
    ip: Option<IpAddr>,
}

impl LimitsQuery {
    /// Names nothing: only the policies are answered.
    pub fn new() -> Self {
        Self::default()
    }

    /// Names a token.
    #[must_use]
    pub fn token(self, token: TokenId) -> Self {
        Self { token: Some(token), ..self }
    }

    /// Names a subject.
    #[must_use]
    pub fn subject(self, subject: Subject) -> Self {
        Self { subject: Some(subject), ..self }
    }

    /// Names a client.
    #[must_use]
    pub fn client(self, client: ClientId) -> Self {
        Self { client: Some(client), ..self }
    }

    /// Names a client address.
    #[must_use]
    pub fn ip(self, ip: IpAddr) -> Self {
        Self { ip: Some(ip), ..self }
    }

    pub(crate) fn path(&self) -> String {
        let mut parameters = Parameters::new("/v1/limits");
        parameters.add("token", self.token);
        parameters.add("subject", self.subject.as_ref());
        parameters.add("client", self.client.as_ref());
        parameters.add("ip", self.ip);
        parameters.finish()
    }
}

/// A path with parameters, encoded.
pub(crate) struct Parameters {
    path: String,
    encoded: Serializer<'static, String>,
}

impl Parameters {
    pub(crate) fn new(path: impl Into<String>) -> Self {
        Self { path: path.into(), encoded: Serializer::new(String::new()) }
    }

    pub(crate) fn add(&mut self, name: &str, value: Option<impl ToString>) {
        if let Some(value) = value {
            self.encoded.append_pair(name, &value.to_string());
        }
    }

    pub(crate) fn finish(mut self) -> String {
        let query = self.encoded.finish();
        if query.is_empty() { self.path } else { format!("{}?{query}", self.path) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_encoded() {
        let query = ListQuery::new("subject:$who").bind("who", "Jane & Co=").limit(5);
        assert_eq!(
            query.path(),
            "/v1/tokens?filter=subject%3A%24who&bind.who=Jane+%26+Co%3D&limit=5"
        );
        let next = query.order(ListOrder::Expiring).next_page("c".into(), "tag:a".into());
        assert_eq!(next.path(), "/v1/tokens?filter=tag%3Aa&limit=5&cursor=c&order=expiring");
        assert_eq!(ListQuery::default().count_path(), "/v1/tokens/count");
        assert_eq!(
            EventsQuery::new().after("latest").observations().path(),
            "/v1/events?after=latest&observations=true"
        );
        assert_eq!(LimitsQuery::new().path(), "/v1/limits");
    }
}
