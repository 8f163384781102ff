//! The one or the other: each method asks the store or the server.

use keyfob::clock::{Clock as _, SystemClock};
use keyfob::values::{Actor, Reason};
use keyfob::{BearerPrefix, Filter, Timestamp, TokenId, TokenManager};
use keyfob_api::{
    DeriveBody, DoctorBody, ExplainAnswer, ExplainBody, GrantSpec, HistoryEntryBody, IssuedBody,
    LeakBody, RefreshBody, RefreshedBody, RevokeTarget, SecretText, StatsBody, TokenBody,
    UpdateBody, ValidateAnswer, ValidateBody,
};
use keyfob_client::Client;

use super::server::ServerBackend;
use super::store::StoreBackend;
use super::values::{Page, PageRequest, RevokeNote, Revoked};
use crate::failure::Failure;
use crate::values::OverlapArg;

/// Where the tokens of a command are.
#[derive(Debug)]
pub(crate) enum Backend {
    Store(StoreBackend),
    Server(ServerBackend),
}

/// Calls a method of the store or of the server.
macro_rules! either {
    ($backend:expr, $place:ident => $call:expr) => {
        match $backend {
            Backend::Store($place) => $call,
            Backend::Server($place) => $call,
        }
    };
}

impl Backend {
    pub(crate) fn store(manager: TokenManager) -> Self {
        Self::Store(StoreBackend::new(manager))
    }

    pub(crate) fn server(client: Client, prefix: BearerPrefix) -> Self {
        Self::Server(ServerBackend::new(client, prefix))
    }

    /// The manager of the store, for a command that works on a store only.
    pub(crate) fn manager(&self) -> Result<&TokenManager, Failure> {
        match self {
            Self::Store(store) => Ok(store.manager()),
            Self::Server(_) => Err(Failure::NeedsStore { why: "it works with the store itself" }),
        }
    }

    /// The client of the server, for a command that works through a server only.
    pub(crate) fn client(&self) -> Result<&Client, Failure> {
        match self {
            Self::Server(server) => Ok(server.client()),
            Self::Store(_) => Err(Failure::NeedsServer { why: "a store has no such call" }),
        }
    }

    /// Whether the tokens are behind a server.
    pub(crate) fn is_server(&self) -> bool {
        matches!(self, Self::Server(_))
    }

    /// The current time.
    pub(crate) fn now(&self) -> Timestamp {
        match self {
            Self::Store(store) => store.manager().now(),
            Self::Server(_) => SystemClock.now(),
        }
    }

    /// The prefix of bearers.
    pub(crate) fn prefix(&self) -> &BearerPrefix {
        match self {
            Self::Store(store) => store.manager().prefix(),
            Self::Server(server) => server.prefix(),
        }
    }

    /// Ends what runs in the background.
    pub(crate) async fn shutdown(&self) {
        if let Self::Store(store) = self {
            store.manager().shutdown().await;
        }
    }

    pub(crate) async fn issue(
        &self,
        grant: GrantSpec,
        by: Option<&Actor>,
    ) -> Result<IssuedBody, Failure> {
        either!(self, place => place.issue(grant, by).await)
    }

    /// Returns the verdict on a bearer.
    pub(crate) async fn validate(&self, wanted: &ValidateBody) -> Result<ValidateAnswer, Failure> {
        either!(self, place => place.validate(wanted).await)
    }

    /// Returns everything that is wrong with a bearer.
    pub(crate) async fn explain(&self, wanted: &ExplainBody) -> Result<ExplainAnswer, Failure> {
        either!(self, place => place.explain(wanted).await)
    }

    pub(crate) async fn refresh(
        &self,
        wanted: &RefreshBody,
        by: Option<&Actor>,
    ) -> Result<RefreshedBody, Failure> {
        either!(self, place => place.refresh(wanted, by).await)
    }

    /// Revokes the tokens of bearers that were found.
    pub(crate) async fn revoke_leaks(
        &self,
        texts: Vec<SecretText>,
        reason: Option<&Reason>,
        by: Option<&Actor>,
    ) -> Result<Vec<LeakBody>, Failure> {
        either!(self, place => place.revoke_leaks(texts, reason, by).await)
    }

    pub(crate) async fn derive(
        &self,
        wanted: &DeriveBody,
        by: Option<&Actor>,
    ) -> Result<IssuedBody, Failure> {
        either!(self, place => place.derive(wanted, by).await)
    }

    pub(crate) async fn rotate(
        &self,
        id: TokenId,
        overlap: &OverlapArg,
        by: Option<&Actor>,
    ) -> Result<IssuedBody, Failure> {
        either!(self, place => place.rotate(id, overlap, by).await)
    }

    pub(crate) async fn update(
        &self,
        id: TokenId,
        changes: &UpdateBody,
        by: Option<&Actor>,
    ) -> Result<TokenBody, Failure> {
        either!(self, place => place.update(id, changes, by).await)
    }

    pub(crate) async fn get(&self, id: TokenId) -> Result<TokenBody, Failure> {
        either!(self, place => place.get(id).await)
    }

    pub(crate) async fn history(&self, id: TokenId) -> Result<Vec<HistoryEntryBody>, Failure> {
        either!(self, place => place.history(id).await)
    }

    pub(crate) async fn list(&self, filter: &Filter, page: PageRequest) -> Result<Page, Failure> {
        either!(self, place => place.list(filter, page).await)
    }

    /// Returns how many tokens there are, from counters.
    pub(crate) async fn stats(&self) -> Result<StatsBody, Failure> {
        either!(self, place => place.stats().await)
    }

    /// Returns the report on the store, the clock and the settings.
    pub(crate) async fn doctor(&self) -> Result<DoctorBody, Failure> {
        either!(self, place => place.doctor().await)
    }

    /// Revokes everything but a filter, in one step.
    pub(crate) async fn revoke(
        &self,
        target: &RevokeTarget,
        note: &RevokeNote,
    ) -> Result<Revoked, Failure> {
        either!(self, place => place.revoke(target, note).await)
    }

    /// Counts the pending and active tokens that a revocation would end.
    pub(crate) async fn count_revocable(
        &self,
        target: &RevokeTarget,
        note: &RevokeNote,
    ) -> Result<u64, Failure> {
        either!(self, place => place.count_revocable(target, note).await)
    }
}
