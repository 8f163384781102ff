//! One request, as a page receives it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use keyfob_api::TokenBody;
use keyfob_client::{Client, ListQuery};
use keyfob_core::{Timestamp, TokenId, Ttl};

use crate::fields::Fields;
use crate::shared::Shared;
use crate::trouble::Trouble;

/// How long a page waits for the settings of the server.
const MAX_ASKING: Duration = Duration::from_millis(500);

/// One request, as a page receives it.
pub(crate) struct Visit {
    pub(crate) shared: Arc<Shared>,
    /// The parts of the path that the route leaves open, decoded.
    pub(crate) named: BTreeMap<&'static str, String>,
    pub(crate) query: Fields,
    /// The form; empty unless the request has one.
    pub(crate) form: Fields,
    pub(crate) headers: HeaderMap,
    /// What the server knows of the connection.
    pub(crate) extensions: http::Extensions,
    /// The API, with the session of the person who looks.
    pub(crate) api: Client,
    /// Who looks; `None` on pages that ask for no session.
    pub(crate) viewer: Option<Viewer>,
    pub(crate) now: Timestamp,
}

/// The person who looks: the session, as the API describes it.
#[derive(Clone, Debug)]
pub(crate) struct Viewer(pub(crate) TokenBody);

impl Viewer {
    /// Returns whether the API allows what needs this scope. It decides itself; this is for what to show.
    pub(crate) fn may(&self, scope: &str) -> bool {
        self.0.scopes.contains(scope) || self.0.scopes.contains("keyfob:admin")
    }

    /// Returns whether the session is revoked with a token: with itself, or with what it descends from.
    pub(crate) fn is_revoked_with(&self, id: TokenId) -> bool {
        self.0.id == id || self.0.ancestors.contains(&id)
    }

    /// Returns the name to show: the client of the key, or the id of the session.
    pub(crate) fn name(&self) -> String {
        match &self.0.client {
            Some(client) => client.to_string(),
            None => self.0.id.to_string(),
        }
    }
}

impl Visit {
    /// Returns whether the viewer may do what needs this scope.
    pub(crate) fn may(&self, scope: &str) -> bool {
        self.viewer.as_ref().is_some_and(|viewer| viewer.may(scope))
    }

    /// Counts the tokens that match a filter; `None` if that takes longer, or fails.
    pub(crate) async fn count(&self, filter: &str, max_time: Duration) -> Option<u64> {
        let query = ListQuery::new(filter);
        let counted = tokio::time::timeout(max_time, self.api.count(&query)).await;
        Some(counted.ok()?.ok()?.count)
    }

    /// Returns how long after a revocation a server may still accept a token; `None` if the viewer may not ask,
    /// and nobody has who may.
    pub(crate) async fn max_staleness(&self) -> Option<Ttl> {
        let known = &self.shared.max_staleness;
        if known.get().is_none() && self.may("keyfob:admin") {
            let report = tokio::time::timeout(MAX_ASKING, self.api.doctor()).await;
            if let Some(millis) =
                report.ok().and_then(Result::ok).and_then(|it| it.max_staleness_ms)
            {
                let _ = known.set(Ttl::saturating_from_millis(millis));
            }
        }
        known.get().copied()
    }

    /// Returns a part of the path.
    ///
    /// # Errors
    /// If it is not valid: then nothing is at this path.
    pub(crate) fn named<T: std::str::FromStr>(&self, name: &str) -> Result<T, Trouble> {
        let text = self.named.get(name).map(String::as_str).unwrap_or_default();
        text.parse().map_err(|_| Trouble::NotFound)
    }
}
